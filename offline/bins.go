package offline

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// settleBins decides where the bins of a column end, once all its rows have passed. If the sample has all rows, it also
// counts the bins. Otherwise a second pass counts them (see takeSecondPass).
func (y *tally) settleBins(m measure) {
	if m != ofNumbers && m != ofNorms && (m != ofInstants || y.infinite()) || len(y.sample) == 0 {
		return
	}
	values := make([]float64, 0, len(y.sample))
	for _, s := range y.sample {
		values = append(values, s.x)
	}
	if y.edges = few(values, bins); y.edges == nil {
		y.edges = slices.Compact(quantiles(values, bins))
	}
	y.search = stats.NewSearch(y.edges)
	y.inBin, y.sums = make([]int64, len(y.edges)+1), make([]float64, len(y.edges)+1)
	y.secondPass = y.mask != 0 || m == ofInstants && (beyondFloat(y.least.Int64s[0]) || beyondFloat(y.greatest.Int64s[0]))
	if !y.secondPass {
		for _, s := range y.sample {
			y.bin(s.x)
		}
	}
}

// few returns the distinct values in ascending order, or nil if there are more than most.
func few(values []float64, most int) []float64 {
	var found []float64
	for _, x := range values {
		if at, known := slices.BinarySearch(found, x); !known {
			if len(found) == most {
				return nil
			}
			found = slices.Insert(found, at, x)
		}
	}
	return found
}

// quantiles returns the values that divide values into n parts of equal size, in order. It reorders its input.
func quantiles(values []float64, n int) []float64 {
	ranks := make([]int, 0, n-1)
	for i := 1; i < n; i++ {
		ranks = append(ranks, (len(values)-1)*i/n)
	}
	out := make([]float64, len(ranks))
	selectRanks(values, 0, ranks, out)
	return out
}

// selectRanks puts the values of ascending ranks into out; first is the rank of the least value. It selects the middle rank
// first, which halves the values in which the other ranks lie.
func selectRanks(values []float64, first int, ranks []int, out []float64) {
	if len(ranks) == 0 {
		return
	}
	middle := len(ranks) / 2
	at := ranks[middle] - first
	selectRank(values, at)
	out[middle] = values[at]
	selectRanks(values[:at+1], first, ranks[:middle], out[:middle])
	selectRanks(values[at:], ranks[middle], ranks[middle+1:], out[middle+1:])
}

// selectRank moves the value of a rank to its place, with smaller values before it and greater values after it (Hoare's
// selection).
func selectRank(values []float64, rank int) {
	for len(values) > 16 {
		pivot := median(values[0], values[len(values)/2], values[len(values)-1])
		i, j := 0, len(values)-1
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch { // up to j none is greater than the pivot, from i on none is smaller, between them all are equal to it
		case rank <= j:
			values = values[:j+1]
		case rank >= i:
			values, rank = values[i:], rank-i
		default:
			return
		}
	}
	slices.Sort(values)
}

func median(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }

// beyondFloat reports whether a float64 may not hold a whole number exactly.
func beyondFloat(n int64) bool { return n > 1<<53 || n < -1<<53 }

// takeSecondPass counts the rows of a second pass in the bins.
func (y *tally) takeSecondPass(c *fstore.Column) {
	switch c.Type {
	case fstore.Int32:
		binNumbers(y, c, c.Int32s)
	case fstore.Int64:
		binNumbers(y, c, c.Int64s)
	case fstore.Float32:
		binNumbers(y, c, c.Float32s)
	case fstore.Float64:
		binNumbers(y, c, c.Float64s)
	case fstore.Timestamp:
		binInstants(y, c)
	case fstore.Bool, fstore.String, fstore.Bytes: // have values, not bins
	}
}

// binNumbers compares numbers as float64, as the edges are.
func binNumbers[T int32 | int64 | float32 | float64](y *tally, c *fstore.Column, values []T) {
	for i, v := range values {
		if x := float64(v); !c.IsNull(i) && math.Abs(x) <= math.MaxFloat64 {
			y.bin(x)
		}
	}
}

// binInstants compares instants exactly.
func binInstants(y *tally, c *fstore.Column) {
	for i, v := range c.Int64s {
		if c.IsNull(i) {
			continue
		}
		at := 0
		for at < len(y.edges) && v > wholeOf(y.edges[at]) {
			at++
		}
		y.inBin[at]++
	}
}

// bin counts a finite value in the first bin whose edge it is not above.
func (y *tally) bin(x float64) {
	at := y.search.Above(x)
	y.inBin[at]++
	y.sums[at] += x
}

// histogram returns the bins of a column.
func (c *contentColumn) histogram() []stats.Bin {
	var out []stats.Bin
	for i, n := range c.tally.inBin {
		upTo := c.finite(c.tally.greatest, c.tally.hi) // of the last bin
		if i < len(c.tally.edges) {
			upTo = c.edge(c.tally.edges[i])
		}
		if n == 0 {
			continue
		}
		bin := stats.Bin{UpTo: upTo, Count: n}
		if c.measure != ofInstants {
			mean := c.tally.sums[i] / float64(n)
			bin.Mean = finite(&mean)
		}
		out = append(out, bin)
	}
	return out
}

// finite writes an extreme of the column, or the extreme of its finite values if that one is infinite.
func (c *contentColumn) finite(extreme *fstore.Column, ofFinite float64) json.RawMessage {
	if c.tally.infinite() {
		return c.edge(ofFinite)
	}
	return textOf(extreme)
}

// edge writes an edge as a value of the column.
func (c *contentColumn) edge(x float64) json.RawMessage {
	one := fstore.NewColumn("", c.tally.least.Type, 1)
	switch one.Type {
	case fstore.Int32:
		one.Append(int32(x))
	case fstore.Int64:
		one.Append(wholeOf(x))
	case fstore.Timestamp:
		one.Append(fstore.FromMicros(wholeOf(x)))
	case fstore.Float32:
		one.Append(float32(x))
	case fstore.Float64:
		one.Append(x)
	case fstore.Bool, fstore.String, fstore.Bytes: // have values, not edges
	}
	return one.AppendJSON(nil, 0)
}

// wholeOf is the nearest int64 of a float64 made of one.
func wholeOf(x float64) int64 {
	if x >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(x)
}

// categories returns the most frequent values in ascending order, and how many values are others. There are none if the column
// has too many different values, or none that is short.
func (c *contentColumn) categories() (bins []stats.Bin, others int64) {
	if c.tally.many || len(c.tally.values) == 0 {
		return nil, 0
	}
	listed := slices.SortedFunc(maps.Keys(c.tally.values), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.tally.values[b], c.tally.values[a]), strings.Compare(a, b))
	})
	if len(listed) > listedValues {
		listed = listed[:listedValues]
	}
	slices.Sort(listed)
	others = c.tally.count
	for _, v := range listed {
		one := fstore.NewColumn("", c.tally.least.Type, 1)
		switch one.Type {
		case fstore.Bool:
			one.Append(v != falseText)
		case fstore.Bytes:
			one.Append([]byte(v))
		case fstore.String:
			one.Append(v)
		case fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.Timestamp: // have edges
		}
		n := c.tally.values[v]
		bins = append(bins, stats.Bin{UpTo: one.AppendJSON(nil, 0), Count: n})
		others -= n
	}
	return bins, others
}
