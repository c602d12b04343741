package stats

import (
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

// The slots before the bins. After the bins come two more: see above and highest.
const (
	nulls = iota
	nans
	lowest // -Infinity
	below  // finite numbers below the first bin
	firstBin
)

// above is the slot of finite numbers above the last bin, of other categories, and of all values of a column that is not divided.
func (e *Edges) above() int { return firstBin + e.Bins() }

// highest is the slot of Infinity.
func (e *Edges) highest() int { return firstBin + e.Bins() + 1 }

// Counts says how many rows fall into each slot of some edges.
type Counts struct {
	Edges *Edges
	Slots []int64   // nulls, NaNs, -Infinity, below, the bins, above or other, Infinity
	Sums  []float64 // of the numbers in each slot; meaningless for those that are not finite

	// MeansUnknown says that the bins have no sums, because a lock of format 2 has none.
	MeansUnknown bool
}

// NewCounts returns counts of no rows.
func (e *Edges) NewCounts() *Counts {
	return &Counts{Edges: e, Slots: make([]int64, e.highest()+1), Sums: make([]float64, e.highest()+1)}
}

// Rows returns the number of rows.
func (c *Counts) Rows() (n int64) {
	for _, k := range c.Slots {
		n += k
	}
	return n
}

// Nulls returns the number of nulls.
func (c *Counts) Nulls() int64 { return c.Slots[nulls] }

// NaNs returns the number of NaNs.
func (c *Counts) NaNs() int64 { return c.Slots[nans] }

// Values returns the number of rows that are neither null nor NaN.
func (c *Counts) Values() int64 { return c.Rows() - c.Slots[nulls] - c.Slots[nans] }

// Finite returns the number of finite numbers.
func (c *Counts) Finite() int64 { return c.Values() - c.Slots[lowest] - c.Slots[c.Edges.highest()] }

// Low returns the number of values below the first bin, and High of those above the last; infinities count.
func (c *Counts) Low() int64 { return c.Slots[lowest] + c.Slots[below] }

// High returns the number of values above the last bin, or in other categories; infinities count.
func (c *Counts) High() int64 { return c.Slots[c.Edges.above()] + c.Slots[c.Edges.highest()] }

// Bins returns the numbers of values in the bins or categories.
func (c *Counts) Bins() []int64 { return c.Slots[firstBin:c.Edges.above()] }

// FiniteSlots returns the counts and sums of the finite numbers: those below the bins, those in each bin, those above.
func (c *Counts) FiniteSlots() ([]int64, []float64) {
	to := c.Edges.above() + 1
	return c.Slots[below:to], c.Sums[below:to]
}

// Sum returns the sum of the finite numbers.
func (c *Counts) Sum() (x float64) {
	_, sums := c.FiniteSlots()
	for _, s := range sums {
		x += s
	}
	return x
}

// Merge adds the counts of other rows in the same edges.
func (c *Counts) Merge(other *Counts) {
	for i := range c.Slots {
		c.Slots[i] += other.Slots[i]
		c.Sums[i] += other.Sums[i]
	}
	c.MeansUnknown = c.MeansUnknown || other.MeansUnknown
}

// Less returns the counts of the rows that are left without n times the rows of other. It returns an error if there are not so many.
func (c *Counts) Less(other *Counts, n int64) (*Counts, error) {
	out := c.Clone()
	for i, each := range other.Slots {
		switch {
		case each == 0 || n == 0:
			continue
		case n < 0 || out.Slots[i]/each < n:
			return nil, fmt.Errorf("%d rows of a value are not among %d", n, out.Slots[i])
		}
		if out.Slots[i] -= each * n; out.Slots[i] == 0 {
			out.Sums[i] = 0
			continue
		}
		out.Sums[i] -= other.Sums[i] * float64(n)
		if bin := i - firstBin; c.Edges.Kind == Numbers && bin >= 0 && bin < c.Edges.Bins() { // rounding may lead out of the bin
			left := float64(out.Slots[i])
			out.Sums[i] = min(max(out.Sums[i], left*c.Edges.Bounds[bin]), left*c.Edges.Bounds[bin+1])
		}
	}
	return out, nil
}

// Clone returns a copy.
func (c *Counts) Clone() *Counts {
	out := *c
	out.Slots, out.Sums = slices.Clone(c.Slots), slices.Clone(c.Sums)
	return &out
}

// Into says which counts take each row of a column: Counts[Window[i]] takes row i. A negative window takes none. Without Window,
// Counts[0] takes all.
type Into struct {
	Counts []*Counts
	Window []int32
}

// of returns the counts that take a row, or nil.
func (t *Into) of(row int) *Counts {
	switch {
	case t.Window == nil:
		return t.Counts[0]
	case t.Window[row] < 0:
		return nil
	}
	return t.Counts[t.Window[row]]
}

// Add counts the rows of a column. All counts must have the edges e. The column's type must be one that Divide knew: any number
// for numbers, and for categories the type of the reference. other, if not nil, gets every value that is in no category; it must
// not keep the text.
func (e *Edges) Add(c *fstore.Column, into Into, other func(row int, value string)) {
	switch {
	case e.Kind == Numbers && c.Type == fstore.Int32:
		addNumbers(e, c, c.Int32s, into)
	case e.Kind == Numbers && c.Type == fstore.Int64:
		addNumbers(e, c, c.Int64s, into)
	case e.Kind == Numbers && c.Type == fstore.Float32:
		addNumbers(e, c, c.Float32s, into)
	case e.Kind == Numbers && c.Type == fstore.Float64:
		addNumbers(e, c, c.Float64s, into)
	case e.Kind == Categories:
		e.addCategories(c, into, other)
	default:
		e.addPresence(c, into)
	}
}

// addNumbers compares numbers as float64, as the bounds are.
func addNumbers[T int32 | int64 | float32 | float64](e *Edges, c *fstore.Column, values []T, into Into) {
	for i, v := range values[:c.Len] {
		to := into.of(i)
		if to == nil {
			continue
		}
		if c.Valid != nil && c.IsNull(i) {
			to.Slots[nulls]++
			continue
		}
		x := float64(v)
		at := e.slot(x)
		to.Slots[at]++
		to.Sums[at] += x
	}
}

func (e *Edges) addCategories(c *fstore.Column, into Into, other func(int, string)) {
	for i := range c.Len {
		to := into.of(i)
		if to == nil {
			continue
		}
		if c.IsNull(i) {
			to.Slots[nulls]++
			continue
		}
		at, known, value := 0, false, ""
		switch c.Type {
		case fstore.String:
			value = c.Strings[i]
			at, known = e.index[value]
		case fstore.Bytes:
			at, known = e.index[string(c.Bytes[i])] // without a copy
			if !known {
				value = string(c.Bytes[i])
			}
		case fstore.Bool:
			if value = "false"; c.Bools[i] {
				value = "true"
			}
			at, known = e.index[value]
		case fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.Timestamp: // have bins
		}
		if known {
			to.Slots[firstBin+at]++
			continue
		}
		to.Slots[e.above()]++
		if other != nil {
			other(i, value)
		}
	}
}

// addPresence counts nulls and NaNs.
func (e *Edges) addPresence(c *fstore.Column, into Into) {
	for i := range c.Len {
		to := into.of(i)
		if to == nil {
			continue
		}
		at := e.above()
		switch {
		case c.IsNull(i):
			at = nulls
		case c.Type == fstore.Float32 && c.Float32s[i] != c.Float32s[i], c.Type == fstore.Float64 && c.Float64s[i] != c.Float64s[i]:
			at = nans
		}
		to.Slots[at]++
	}
}
