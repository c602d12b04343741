package expect

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

func meanOf[T any](of fstore.Type, values ...T) float64 {
	var m mean
	c := fstore.NewColumn("x", of, len(values))
	for _, v := range values {
		c.Append(v)
	}
	m.add(&c)
	return m.value()
}

// The mean is the exact one, rounded once, also where a sum in float64 cancels, overflows or is subnormal.
func TestMeansAreExact(t *testing.T) {
	largest, smallest := math.MaxFloat64, math.SmallestNonzeroFloat64
	for name, c := range map[string]struct{ got, want float64 }{
		"integers that cancel":     {meanOf[int64](fstore.Int64, math.MinInt64, 1, math.MaxInt64), 0},
		"integers beyond 2^53":     {meanOf[int64](fstore.Int64, 1<<53+1, 1<<53+1, 1<<53+4), 1<<53 + 2},
		"the smallest integer":     {meanOf[int64](fstore.Int64, math.MinInt64), math.MinInt64},
		"negative integers":        {meanOf[int32](fstore.Int32, -1, -2, -4, -5), -3},
		"floats that cancel":       {meanOf(fstore.Float64, 1e300, 1, -1e300), 1.0 / 3},
		"floats that cancel twice": {meanOf(fstore.Float64, 1e300, 1e100, 1, -1e100, -1e300), 0.2},
		"a sum that overflows":     {meanOf(fstore.Float64, largest, largest, largest), largest},
		"a negative one":           {meanOf(fstore.Float64, -largest, -largest), -largest},
		"subnormal numbers":        {meanOf(fstore.Float64, smallest, 3*smallest), 2 * smallest},
		"the largest and smallest": {meanOf(fstore.Float64, largest, smallest, -largest, smallest), 0}, // half the smallest, to even
		"float32":                  {meanOf[float32](fstore.Float32, 0.5, 0.25), 0.375},
		"an infinity":              {meanOf(fstore.Float64, 1, math.Inf(-1)), math.Inf(-1)},
		"0.1 ten times":            {meanOf(fstore.Float64, .1, .1, .1, .1, .1, .1, .1, .1, .1, .1), .1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	for _, nan := range []float64{meanOf(fstore.Float64, 1, math.NaN()), meanOf(fstore.Float64, math.Inf(1), math.Inf(-1))} {
		if !math.IsNaN(nan) {
			t.Errorf("got %v, want NaN", nan)
		}
	}
}

// Digits are carried long before they overflow. Carrying them changes nothing.
func TestCarryingKeepsTheMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var carried, not mean
		for _, x := range rapid.SliceOfN(rapid.Float64(), 1, 20).Draw(t, "values") {
			carried.addFloat(x)
			not.addFloat(x)
			carried.carry()
			carried.count++
			not.count++
		}
		if got, want := carried.value(), not.value(); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("carried: %v, not: %v", got, want)
		}
	})
}
