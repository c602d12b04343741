package expect

import (
	"cmp"
	"math"
	"regexp"

	"github.com/fstore-dev/fstore"
)

// test appends the rows of a column whose values are bad.
type test func(c *fstore.Column, bad []int32) []int32

// newTest returns the test of a check of single values; nil for other checks.
func newTest(e *fstore.Expectation, t fstore.Type) (test, error) {
	switch e.Check {
	case fstore.ExpectNotNull:
		return nulls, nil
	case fstore.ExpectBetween:
		return newBetween(e, t)
	case fstore.ExpectIn:
		return newIn(e, t)
	case fstore.ExpectMatches:
		return newMatches(e)
	default:
		return nil, nil
	}
}

func nulls(c *fstore.Column, bad []int32) []int32 {
	if c.Valid == nil {
		return bad
	}
	for i := range c.Len {
		if c.IsNull(i) {
			bad = append(bad, int32(i))
		}
	}
	return bad
}

func newBetween(e *fstore.Expectation, t fstore.Type) (test, error) {
	low, high, err := e.Bounds(t)
	if err != nil {
		return nil, err
	}
	switch t {
	case fstore.Int32:
		return within(low, high, math.MinInt32, math.MaxInt32, func(c *fstore.Column) []int32 { return c.Int32s }), nil
	case fstore.Int64, fstore.Timestamp:
		return within(low, high, math.MinInt64, math.MaxInt64, func(c *fstore.Column) []int64 { return c.Int64s }), nil
	case fstore.Float32:
		return within(low, high, float32(math.Inf(-1)), float32(math.Inf(1)), func(c *fstore.Column) []float32 { return c.Float32s }), nil
	case fstore.Float64:
		return within(low, high, math.Inf(-1), math.Inf(1), func(c *fstore.Column) []float64 { return c.Float64s }), nil
	case fstore.Bool, fstore.String, fstore.Bytes: // CheckType refuses them
	}
	return nil, e.CheckType(t)
}

// within tests whether values lie in a range, whose bounds are least and most where there are none. NaN lies in none.
func within[T cmp.Ordered](low, high *fstore.Value, least, most T, values func(*fstore.Column) []T) test {
	if low != nil {
		least = values(&low.Column)[0]
	}
	if high != nil {
		most = values(&high.Column)[0]
	}
	return func(c *fstore.Column, bad []int32) []int32 {
		for i, v := range values(c)[:c.Len] {
			if !(v >= least && v <= most) && !c.IsNull(i) {
				bad = append(bad, int32(i))
			}
		}
		return bad
	}
}

func newIn(e *fstore.Expectation, t fstore.Type) (test, error) {
	set, err := e.Set(t)
	if err != nil {
		return nil, err
	}
	switch t {
	case fstore.Bool:
		return among(&set, func(c *fstore.Column) []bool { return c.Bools }), nil
	case fstore.Int32:
		return among(&set, func(c *fstore.Column) []int32 { return c.Int32s }), nil
	case fstore.Int64, fstore.Timestamp:
		return among(&set, func(c *fstore.Column) []int64 { return c.Int64s }), nil
	case fstore.Float32:
		return among(&set, func(c *fstore.Column) []float32 { return c.Float32s }), nil
	case fstore.Float64:
		return among(&set, func(c *fstore.Column) []float64 { return c.Float64s }), nil
	case fstore.String:
		return among(&set, func(c *fstore.Column) []string { return c.Strings }), nil
	case fstore.Bytes:
		return amongBytes(&set), nil
	}
	return nil, e.CheckType(t)
}

// among tests whether values are in a set. A NaN is in a set that has one.
func among[T comparable](set *fstore.Column, values func(*fstore.Column) []T) test {
	known, nan := map[T]bool{}, false
	for _, v := range values(set) {
		known[v] = true
		nan = nan || v != v
	}
	return func(c *fstore.Column, bad []int32) []int32 {
		for i, v := range values(c)[:c.Len] {
			if !known[v] && !(nan && v != v) && !c.IsNull(i) {
				bad = append(bad, int32(i))
			}
		}
		return bad
	}
}

func amongBytes(set *fstore.Column) test {
	known := map[string]bool{}
	for _, v := range set.Bytes {
		known[string(v)] = true
	}
	return func(c *fstore.Column, bad []int32) []int32 {
		for i, v := range c.Bytes[:c.Len] {
			if !known[string(v)] && !c.IsNull(i) {
				bad = append(bad, int32(i))
			}
		}
		return bad
	}
}

// Most columns that are matched have few values, so that the matches of the first ones are remembered.
const (
	remembered = 4096
	shortText  = 64 // bytes of a text that is remembered
)

func newMatches(e *fstore.Expectation) (test, error) {
	pattern, err := regexp.Compile(e.Pattern)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	return func(c *fstore.Column, bad []int32) []int32 {
		for i, v := range c.Strings[:c.Len] {
			ok, seen := known[v]
			if !seen {
				if ok = pattern.MatchString(v); len(known) < remembered && len(v) <= shortText {
					known[v] = ok
				}
			}
			if !ok && !c.IsNull(i) {
				bad = append(bad, int32(i))
			}
		}
		return bad
	}, nil
}
