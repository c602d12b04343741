package offline

import (
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

const (
	bins         = 20   // of a histogram of numbers
	fewValues    = 1000 // the most distinct texts that are counted
	listedValues = 50   // the most texts in a histogram
	longestText  = 256  // the most bytes of a text in statistics
	sampledRows  = 8192 // at least this many rows, if there are as many, decide where bins end
)

// tally collects the statistics of a column in one pass. It adds in the order of the rows, so sums do not depend on threads.
// Its memory does not grow with the rows.
type tally struct {
	nulls, nans, finite int64
	count               int64
	lows, highs         int64          // infinities
	lo, hi              float64        // extremes of the finite numbers
	least, greatest     *fstore.Column // of one row; nil: no value yet
	mean, squares       float64        // Welford
	sample              []sampled      // the rows in whose hash all bits of mask are zero
	mask                uint64
	distinct            distinct
	values              map[string]int64 // short texts and truth values, counted while they are few
	many                bool             // they are not few

	edges      []float64 // upper bounds of all bins except the last
	search     stats.Search
	inBin      []int64   // values in each bin
	sums       []float64 // of the values in each bin
	secondPass bool      // a second pass must count inBin
}

// reuse returns an empty tally that takes over the memory of y, which is then no longer valid.
func (y *tally) reuse() tally {
	clear(y.distinct.slots)
	return tally{sample: y.sample[:0], distinct: distinct{slots: y.distinct.slots}}
}

// sampled is a value and the hash of its row's number. Sampling by hash, unlike taking every second row, does not miss
// patterns in the order.
type sampled struct {
	x    float64
	hash uint64
}

// mix spreads the bits of a number (splitmix64). Different numbers have different hashes.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// take adds rows; at is the number of the first.
func (y *tally) take(m measure, c *fstore.Column, at int64) {
	if m == onlyCounts {
		for i := range c.Len {
			if c.IsNull(i) {
				y.nulls++
			}
		}
		y.count = at + int64(c.Len) - y.nulls
		return
	}
	switch c.Type {
	case fstore.Int32:
		takeNumbers(y, c, c.Int32s, at)
	case fstore.Int64:
		takeNumbers(y, c, c.Int64s, at)
	case fstore.Float32:
		takeNumbers(y, c, c.Float32s, at)
	case fstore.Float64:
		takeNumbers(y, c, c.Float64s, at)
	case fstore.Timestamp:
		y.takeInstants(c, at)
	case fstore.Bool, fstore.String, fstore.Bytes:
		y.takeTexts(c)
	}
}

// takeNumbers adds numbers. NaN counts only as a value and as a distinct value.
func takeNumbers[T int32 | int64 | float32 | float64](y *tally, c *fstore.Column, values []T, at int64) {
	least, greatest := -1, -1
	for i, v := range values {
		if c.Valid != nil && c.IsNull(i) {
			y.nulls++
			continue
		}
		y.count++
		x := float64(v)
		if x != x {
			y.nans++
			y.distinct.add(mix(math.Float64bits(math.NaN())))
			continue
		}
		y.distinct.add(mix(identity(v)))
		y.number(x, at+int64(i))
		if least < 0 || v < values[least] {
			least = i
		}
		if greatest < 0 || v > values[greatest] {
			greatest = i
		}
	}
	y.extremes(c, least, greatest)
}

// identity returns bits that are the same for equal numbers.
func identity[T int32 | int64 | float32 | float64](v T) uint64 {
	switch v := any(v).(type) {
	case int32:
		return uint64(v)
	case int64:
		return uint64(v)
	case float32:
		return math.Float64bits(float64(v) + 0) // -0.0 is 0.0
	case float64:
		return math.Float64bits(v + 0)
	}
	panic("unreachable")
}

// takeInstants adds instants. Infinite instants count only as values and as distinct values.
func (y *tally) takeInstants(c *fstore.Column, at int64) {
	least, greatest := -1, -1
	for i, v := range c.Int64s {
		if c.IsNull(i) {
			y.nulls++
			continue
		}
		y.count++
		y.distinct.add(mix(uint64(v)))
		if v == math.MaxInt64 || v <= -math.MaxInt64 {
			y.infinity(float64(v))
			continue
		}
		y.number(float64(v), at+int64(i))
		if least < 0 || v < c.Int64s[least] {
			least = i
		}
		if greatest < 0 || v > c.Int64s[greatest] {
			greatest = i
		}
	}
	y.extremes(c, least, greatest)
}

// takeTexts adds texts, bytes or truth values.
func (y *tally) takeTexts(c *fstore.Column) {
	least, greatest := -1, -1
	for i := range c.Len {
		if c.IsNull(i) {
			y.nulls++
			continue
		}
		y.count++
		y.text(textAt(c, i))
		if least < 0 || fstore.CompareElements(c, i, c, least) < 0 {
			least = i
		}
		if greatest < 0 || fstore.CompareElements(c, i, c, greatest) > 0 {
			greatest = i
		}
	}
	y.extremes(c, least, greatest)
}

// textAt returns a text, bytes, or a truth value as text.
func textAt(c *fstore.Column, i int) string {
	switch c.Type {
	case fstore.String:
		return c.Strings[i]
	case fstore.Bytes:
		return string(c.Bytes[i])
	case fstore.Bool:
		if c.Bools[i] {
			return "true"
		}
		return falseText
	case fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.Timestamp: // have no text
	}
	return ""
}

const falseText = "false"

func (y *tally) text(s string) {
	y.distinct.add(xxhash.Sum64String(s))
	if y.many {
		return
	}
	if n, ok := y.values[s]; ok {
		y.values[s] = n + 1
		return
	}
	if len(s) > longestText { // never listed
		return
	}
	if len(y.values) == fewValues {
		y.values, y.many = nil, true
		return
	}
	if y.values == nil {
		y.values = map[string]int64{}
	}
	y.values[strings.Clone(s)] = 1
}

// extremes updates least and greatest from the rows with the least and greatest of some values; -1: there are none.
func (y *tally) extremes(c *fstore.Column, least, greatest int) {
	if least < 0 {
		return
	}
	if y.least == nil || fstore.CompareElements(c, least, y.least, 0) < 0 {
		y.least = oneRow(c, least)
	}
	if y.greatest == nil || fstore.CompareElements(c, greatest, y.greatest, 0) > 0 {
		y.greatest = oneRow(c, greatest)
	}
}

// infinity counts an infinite number or instant.
func (y *tally) infinity(x float64) {
	if x > 0 {
		y.highs++
	} else {
		y.lows++
	}
}

// infinite reports whether a value is infinite.
func (y *tally) infinite() bool { return y.lows+y.highs > 0 }

func (y *tally) number(x float64, row int64) {
	if math.IsInf(x, 0) {
		y.infinity(x)
		return
	}
	if y.finite == 0 {
		y.lo, y.hi = x, x
	}
	y.lo, y.hi = min(y.lo, x), max(y.hi, x)
	y.finite++
	d := x - y.mean
	y.mean += d / float64(y.finite)
	y.squares += d * (x - y.mean)
	h := mix(uint64(row))
	if h&y.mask != 0 {
		return
	}
	if y.sample == nil {
		y.sample = make([]sampled, 0, 2*sampledRows)
	}
	y.sample = append(y.sample, sampled{x, h})
	if len(y.sample) >= 2*sampledRows { // from now on, sample half as many
		y.mask = y.mask<<1 | 1
		y.sample = slices.DeleteFunc(y.sample, func(s sampled) bool { return s.hash&y.mask != 0 })
	}
}

func oneRow(c *fstore.Column, i int) *fstore.Column {
	one := fstore.NewColumn("", c.Type, 1)
	one.AppendFrom(c, i)
	return &one
}
