package offline

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// statistics returns the statistics of the column.
func (c *contentColumn) statistics() stats.Statistics {
	s := c.figures()
	if c.measure == ofNorms {
		return stats.Statistics{Count: s.Count, Nulls: s.Nulls, Norm: &s}
	}
	return s
}

// figures returns the statistics of what was counted.
func (c *contentColumn) figures() stats.Statistics {
	y := &c.tally
	s := stats.Statistics{Count: y.count, Nulls: y.nulls, NaNs: y.nans, Min: textOf(y.least), Max: textOf(y.greatest)}
	if c.measure == onlyCounts || y.count == 0 {
		return s
	}
	n, approximate := y.distinct.count()
	n = min(n, y.count) // an estimate may exceed the number of values
	s.Distinct, s.Approximate = &n, approximate
	if c.measure == ofTexts || c.measure == ofTruths {
		s.Histogram, s.Other = c.categories()
		return s
	}
	s.Histogram = c.histogram()
	if c.measure == ofInstants {
		return s
	}
	if s.Low, s.High = y.lows, y.highs; s.Low > 0 && y.finite > 0 {
		s.Least = c.edge(y.lo)
	}
	if y.finite > 0 && !y.infinite() {
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

// agesOf returns a column for each instant of the features: the seconds from it to the instant of its row, which the column at has.
// Ages that are not finite are null.
func agesOf(columns []*contentColumn, at string) []*contentColumn {
	var out []*contentColumn
	for i, c := range columns {
		if c.measure != ofInstants || at == "" || c.Name == at {
			continue
		}
		t, x := "TRY_CAST("+ident(at)+" AS TIMESTAMP)", c.expression
		age := &contentColumn{measure: ofNumbers, ageOf: i + 1, hash: sha256.New()}
		age.expression = fmt.Sprintf("CASE WHEN isfinite(%s) AND isfinite(%s) THEN (epoch_us(%s)::DOUBLE - epoch_us(%s)::DOUBLE) / 1e6 END", t, x, t, x)
		out = append(out, age)
	}
	return out
}

// cosinesOf returns a column for each column of lists that have a centroid, once all rows have been read: their cosines to it.
func cosinesOf(columns []*contentColumn) []*contentColumn {
	var out []*contentColumn
	for i, c := range columns {
		if centroid := c.direction.Centroid(); centroid != nil {
			out = append(out, &contentColumn{expression: c.expression, measure: ofNumbers, cosineOf: i + 1, centroid: centroid, hash: sha256.New()})
		}
	}
	for _, c := range out {
		c.room = int64(keptValues / len(out))
	}
	return out
}

// measured returns what the statistics are of: the lengths of lists of numbers or their cosines, otherwise the rows.
func (c *contentColumn) measured(rows *fstore.Column) *fstore.Column {
	switch {
	case c.cosineOf > 0:
		return stats.Cosines(rows, c.centroid)
	case c.measure == ofNorms:
		return stats.Norms(rows)
	}
	return rows
}
