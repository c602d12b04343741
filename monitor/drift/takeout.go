package drift

import (
	"errors"
	"fmt"
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// TakeOut takes n rows of one value out of the reference of a column, so that the other rows are compared; of nulls if the value is
// nil. A column that is not compared stays as it is. The error says that the reference does not have so many.
func (c *Counter) TakeOut(name string, value *fstore.Value, n int64) error {
	for _, of := range c.columns {
		if of.Name != name || n == 0 {
			continue
		}
		if of.measure == Age && value != nil {
			of.why = "Where its view had no value, it has its default, whose age differs from row to row."
			continue
		}
		if err := of.takeOut(value, n); err != nil {
			return fmt.Errorf("column %s of the reference: %w", name, err)
		}
	}
	return nil
}

// IgnoreNulls says that the share of nulls of a column is not judged, and why, in a sentence.
func (c *Counter) IgnoreNulls(name, reason string) {
	for _, of := range c.columns {
		switch {
		case of.Name != name:
		case of.edges.Kind == stats.Presence: // there is nothing else to compare
			of.why = reason
		default:
			of.ignored = reason
		}
	}
}

// takeOut takes n rows of a value out of the counts and of the figures that follow from them.
func (c *compared) takeOut(value *fstore.Value, n int64) error {
	one := c.edges.NewCounts()
	c.edges.Add(c.asCounted(value), stats.Into{Counts: []*stats.Counts{one}}, nil)
	left, err := c.reference.Less(one, n)
	if err != nil {
		return err
	}
	if c.stddev != nil && one.Finite() == 1 {
		if c.stddev, err = c.deviationWithout(one.Sum(), n, left); err != nil {
			return err
		}
	}
	if c.direction != nil {
		if value != nil {
			value = &fstore.Value{Column: *stats.Cosines(&value.Column, c.Statistics.Centroid)}
		}
		if err := c.direction.takeOut(value, n); err != nil {
			return err
		}
	}
	if c.distinct > 0 && one.Values() == 1 && emptied(one, left) {
		c.distinct-- // where there are as few values as matters, each has a bin
	}
	c.reference = left
	c.takenOut += n
	return nil
}

// emptied reports whether nothing is left in the slot of a value.
func emptied(one, left *stats.Counts) bool {
	for i, n := range one.Slots {
		if n > 0 {
			return left.Slots[i] == 0
		}
	}
	return false
}

// asCounted returns a value, or null, as a column in the form that the edges count.
func (c *compared) asCounted(value *fstore.Value) *fstore.Column {
	switch {
	case value == nil:
		typ := c.Type
		if c.measure != Value {
			typ = fstore.Float64
		}
		null := fstore.NewColumn(c.Name, typ, 1)
		null.AppendNull()
		return &null
	case c.measure == Norm:
		return stats.Norms(&value.Column)
	}
	return &value.Column
}

// rounding bounds the relative error of a mean or a variance in a lock.
const rounding = 1e-14

// deviationWithout returns the standard deviation of the population without n times x. It is nil where it cannot be told: where the
// other numbers are equal, or so near each other, as seen from x, that rounding drowns their deviation.
func (c *compared) deviationWithout(x float64, n int64, left *stats.Counts) (*float64, error) {
	gone, rest := float64(n), float64(left.Finite())
	if c.mean == nil || rest == 0 {
		return nil, nil
	}
	squares := *c.stddev * *c.stddev * float64(c.reference.Finite()) // about the mean
	shift := *c.mean - x
	moved := gone * shift / rest // of the mean
	without := squares - gone*shift*shift - rest*moved*moved
	inMean := rounding * max(math.Abs(*c.mean), math.Abs(x))
	doubt := 10 * (rounding*squares + gone*(1+gone/rest)*(2*math.Abs(shift)+inMean)*inMean)
	switch {
	case without < -1e-6*squares-doubt:
		return nil, errors.New("the standard deviation is less than the rows without a value alone would give")
	case without <= doubt:
		return nil, nil
	}
	c.mean = number(*c.mean + moved)
	return number(math.Sqrt(without / rest)), nil
}
