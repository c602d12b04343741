package drift

import (
	"fmt"
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// Column is a column of the reference.
type Column struct {
	Name       string
	Role       Role
	View       fstore.ViewRef // of a feature
	Source     string         // the feature's name in the view
	Type       fstore.Type
	Statistics *stats.Statistics // of the reference

	// When its drift is an alarm, by the definitions of the view and of the feature; nil: they do not say.
	ViewRule, Rule *fstore.DriftRule
}

// compared is what of a column is compared: itself, or the ages or norms of its values.
type compared struct {
	Column
	measure   Measure
	direction *compared // of lists: their cosines to the reference's centroid; nil: the lock has none
	edges     *stats.Edges
	reference *stats.Counts
	mean      *float64 // of the reference; nil: unknown, or of infinite numbers
	distinct  int64    // values of the reference; -1: unknown, or an estimate
	stddev    *float64 // of the reference's population; nil: unknown, or of infinite numbers
	takenOut  int64    // rows of the reference
	ks        *ksOfRows
	auto      map[CheckName]float64 // thresholds of auto, as far as they are known
	notAuto   string                // why thresholds of auto are the defaults, in a sentence
	ignored   string                // why the share of nulls is not judged, in a sentence; "": it is
}

// fewNumbers is how many distinct numbers are compared as categories are, as in Evidently.
const fewNumbers = 5

// newCompared divides a column.
func newCompared(c Column) (*compared, error) {
	out := &compared{Column: c, measure: Value}
	s, typ := c.Statistics, c.Type
	switch {
	case s.Age != nil && typ != fstore.Timestamp:
		return nil, fmt.Errorf("column %s of the reference has ages, which only instants have, not %s", c.Name, typ.WithArticle())
	case s.Norm != nil && !stats.HasNorm(typ):
		return nil, fmt.Errorf("column %s of the reference has lengths, which only lists of numbers have, not %s", c.Name, typ.WithArticle())
	case s.Age != nil:
		out.measure, s, typ = Age, s.Age, fstore.Float64
	case s.Norm != nil:
		out.measure, s, typ = Norm, s.Norm, fstore.Float64
	}
	var err error
	if lists := c.Statistics; out.measure == Norm && lists.Cosine != nil {
		if out.direction, err = newCompared(Column{Name: c.Name, Type: fstore.Float64, Statistics: lists.Cosine}); err != nil {
			return nil, err
		}
	}
	if out.edges, out.reference, err = s.Divide(typ); err != nil {
		return nil, fmt.Errorf("column %s of the reference: %w", c.Name, err)
	}
	out.mean, out.distinct = s.Mean, -1
	if s.Distinct != nil && !s.Approximate {
		out.distinct = *s.Distinct
		if out.distinct <= fewNumbers+1 { // one may be taken out
			if single := out.reference.Singly(finiteValues(s)); single != nil {
				out.edges, out.reference = single.Edges, single
			}
		}
	}
	if n := out.reference.Finite(); s.Stddev != nil && n > 1 && out.edges.Kind == stats.Numbers {
		population := *s.Stddev * math.Sqrt(float64(n-1)/float64(n))
		out.stddev = &population
	}
	return out, nil
}

// few reports whether the reference has at most fewNumbers distinct numbers, each in a bin of its own.
func (c *compared) few() bool {
	return c.edges.Between != nil && c.distinct >= 0 && c.distinct <= fewNumbers
}

// finiteValues returns how many of the distinct values are finite numbers: infinities and NaN count as one each.
func finiteValues(s *stats.Statistics) int64 {
	n := *s.Distinct
	for _, k := range []int64{s.NaNs, s.Low, s.High} {
		if k > 0 {
			n--
		}
	}
	return n
}
