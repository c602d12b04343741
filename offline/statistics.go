package offline

import (
	"encoding/json"
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// statistics returns what the rows said.
func (c *contentColumn) statistics() lock.Statistics {
	y := &c.tally
	s := lock.Statistics{Count: y.count, Nulls: y.nulls, NaNs: y.nans, Min: textOf(y.least), Max: textOf(y.greatest)}
	if c.measure == onlyCounts || y.count == 0 {
		return s
	}
	n, approximate := y.distinct.count()
	n = min(n, y.count) // an estimate may be above it
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

// finite returns no number where it is beyond the greatest.
func finite(x *float64) *float64 {
	if math.IsInf(*x, 0) || math.IsNaN(*x) {
		return nil
	}
	return x
}

// textOf writes the value of a column of one row; a long text is left out.
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
