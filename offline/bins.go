package offline

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"github.com/fstore-dev/fstore"
)

// settleBins decides where the bins of a column end, once all its rows have passed. Where the sample is all of them, it
// counts the bins too; otherwise a second pass must (see takeAgain).
func (y *tally) settleBins(m measure) {
	if (m != ofNumbers && m != ofInstants) || y.infinite || len(y.sample) == 0 {
		return
	}
	sorted := make([]float64, 0, len(y.sample))
	for _, s := range y.sample {
		sorted = append(sorted, s.x)
	}
	slices.Sort(sorted)
	for i := 1; i < bins; i++ {
		y.edges = append(y.edges, sorted[(len(sorted)-1)*i/bins])
	}
	y.edges = slices.Compact(y.edges)
	y.upTo = make([]int64, len(y.edges))
	y.again = y.mask != 0 || m == ofInstants && (beyondFloat(y.least.Int64s[0]) || beyondFloat(y.greatest.Int64s[0]))
	if !y.again {
		at := 0
		for i, edge := range y.edges {
			for at < len(sorted) && sorted[at] <= edge {
				at++
			}
			y.upTo[i] = int64(at)
		}
	}
	y.sample = nil
}

// beyondFloat reports whether a float64 may not hold a whole number exactly.
func beyondFloat(n int64) bool { return n > 1<<53 || n < -1<<53 }

// takeAgain counts the rows of a second pass in the bins.
func (y *tally) takeAgain(c *fstore.Column) {
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
		whole := make([]int64, len(y.edges))
		for i, edge := range y.edges {
			whole[i] = wholeOf(edge)
		}
		binAll(y, c, c.Int64s, whole)
	}
}

// binNumbers compares numbers as float64, as the edges are.
func binNumbers[T int32 | int64 | float32 | float64](y *tally, c *fstore.Column, values []T) {
	floats := make([]float64, len(values))
	for i, v := range values {
		floats[i] = float64(v)
	}
	binAll(y, c, floats, y.edges)
}

// binAll counts, for each edge, the values up to it. NaN is above all of them.
func binAll[T int64 | float64](y *tally, c *fstore.Column, values, edges []T) {
	for i, v := range values {
		if c.IsNull(i) {
			continue
		}
		for e := len(edges) - 1; e >= 0 && v <= edges[e]; e-- {
			y.upTo[e]++
		}
	}
}

// histogram returns the bins of a column.
func (c *contentColumn) histogram() []Bin {
	if c.measure == ofTexts || c.measure == ofTruths {
		return c.valueBins()
	}
	var out []Bin
	below := int64(0)
	add := func(upTo json.RawMessage, n int64) {
		if n > below {
			out = append(out, Bin{upTo, n - below})
		}
		below = n
	}
	for i, n := range c.tally.upTo {
		add(c.edge(c.tally.edges[i]), n)
	}
	if len(c.tally.edges) > 0 { // the last bin has those above: up to the greatest
		add(textOf(c.tally.greatest), c.tally.count-c.tally.nans)
	}
	return out
}

// edge writes an edge as the column has values.
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
	default:
		one.Append(x)
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

// valueBins counts each value in ascending order, if there are few and none is long.
func (c *contentColumn) valueBins() []Bin {
	if c.tally.many {
		return nil
	}
	var out []Bin
	for _, v := range slices.Sorted(maps.Keys(c.tally.values)) {
		one := fstore.NewColumn("", c.tally.least.Type, 1)
		switch one.Type {
		case fstore.Bool:
			one.Append(v != falseText)
		case fstore.Bytes:
			one.Append([]byte(v))
		default:
			one.Append(v)
		}
		upTo := textOf(&one)
		if upTo == nil {
			return nil
		}
		out = append(out, Bin{upTo, c.tally.values[v]})
	}
	return out
}
