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
}

// compared is what of a column is compared: itself, or the ages or norms of its values.
type compared struct {
	Column
	measure   Measure
	edges     *stats.Edges
	reference *stats.Counts
	few       bool     // the reference has at most fewNumbers distinct numbers
	stddev    *float64 // of the reference's population; nil: unknown, or of infinite numbers
}

// fewNumbers is how many distinct numbers are compared as categories are, as in Evidently.
const fewNumbers = 5

// newCompared divides a column.
func newCompared(c Column) (*compared, error) {
	out := &compared{Column: c, measure: Value}
	s, typ := c.Statistics, c.Type
	switch {
	case s.Age != nil:
		out.measure, s, typ = Age, s.Age, fstore.Float64
	case s.Norm != nil:
		out.measure, s, typ = Norm, s.Norm, fstore.Float64
	}
	var err error
	if out.edges, out.reference, err = s.Divide(typ); err != nil {
		return nil, fmt.Errorf("column %s of the reference: %w", c.Name, err)
	}
	out.few = s.Distinct != nil && !s.Approximate && *s.Distinct <= fewNumbers
	if n := out.reference.Finite(); s.Stddev != nil && n > 1 && out.edges.Kind == stats.Numbers {
		population := *s.Stddev * math.Sqrt(float64(n-1)/float64(n))
		out.stddev = &population
	}
	return out, nil
}
