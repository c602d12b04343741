package offline

import (
	"encoding/json"
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// statistics returns the statistics of the column.
func (c *contentColumn) statistics() lock.Statistics {
	y := &c.tally
	s := lock.Statistics{Count: y.count, Nulls: y.nulls, NaNs: y.nans, Min: textOf(y.least), Max: textOf(y.greatest)}
	if c.measure == onlyCounts || y.count == 0 {
		return s
	}
	n, approximate := y.distinct.count()
	n = min(n, y.count) // an estimate may exceed the number of values
	s.Distinct, s.Approximate, s.Histogram = &n, approximate, c.histogram()
	if c.measure == ofNumbers && y.finite > 0 && !y.infinite {
		mean := y.mean
		s.Mean = finite(&mean)
		if y.finite > 1 {
			d := math.Sqrt(y.squares / float64(y.finite-1))
			s.Stddev = finite(&d)
		}
	}
	return s
}

// finite returns a number, or nil if it is infinite or NaN: JSON has no such numbers.
func finite(x *float64) *float64 {
	if math.IsInf(*x, 0) || math.IsNaN(*x) {
		return nil
	}
	return x
}

// textOf writes the value of a column with one row as JSON. It leaves out long texts.
func textOf(c *fstore.Column) json.RawMessage {
	if c == nil {
		return nil
	}
	b := c.AppendJSON(nil, 0)
	if len(b) > longestText {
		return nil
	}
	return b
}
