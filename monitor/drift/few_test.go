package drift

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"pgregory.net/rapid"
)

// repeated returns n copies of each value in turn.
func repeated(n int, values ...float64) []float64 {
	var out []float64
	for range n {
		out = append(out, values...)
	}
	return out
}

// Numbers of few values are counted exactly: what lies between two of them is not taken for the upper one.
func TestNumbersBetweenFewValuesAreUnseen(t *testing.T) {
	for _, c := range []struct {
		name               string
		reference, current []float64
		want               string
	}{
		{"another upper value", []float64{0, 100}, []float64{0, 1}, "50.0 % of the values do not occur"},
		{"just below the upper value", []float64{0, 100}, []float64{0, math.Nextafter(100, 0)}, "50.0 % of the values do not occur"},
		{"a middle value", []float64{1, 2, 3}, []float64{1, 2.5, 3}, "33.3 % of the values do not occur"},
		{"beyond", []float64{0, 100}, []float64{0, 101}, "50.0 % of the values are out of the reference's range"},
		{"negative zero is zero", []float64{0, 100}, []float64{math.Copysign(0, -1), 100}, ""},
		{"five values", []float64{1, 2, 3, 4, 5}, []float64{1, 2, 3, 3.5, 5}, "20.0 % of the values do not occur"},
		{"neighbours in float64", []float64{1, math.Nextafter(1, 2)}, []float64{1, math.Nextafter(1, 2)}, ""},
	} {
		f := compareNumbers(t, numbers(repeated(500, c.reference...)...), repeated(400, c.current...))
		if want := map[bool]Verdict{true: Stable, false: Drifted}[c.want == ""]; f.Verdict != want || !strings.Contains(f.Reason, c.want) {
			t.Errorf("%s: %s: %s", c.name, f.Verdict, f.Reason)
		}
		reference, current := f.Reference.Below+f.Reference.Above, f.Current.Below+f.Current.Above
		for _, b := range f.Bins {
			reference, current = reference+b.Reference, current+b.Current
		}
		if len(f.Bins) != len(c.reference) || reference != f.Reference.Rows || current != f.Current.Rows {
			t.Errorf("%s: the bins %v do not hold all values", c.name, f.Bins)
		}
	}
}

// TestUnseenOfFewNumbersIsWhatItSays counts the values inside the range that the reference lacks.
func TestUnseenOfFewNumbersIsWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, most int) []float64 {
			return rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(-8, 8), func(i int) float64 { return float64(i) / 4 }), 2, most, rapid.ID).Draw(t, name)
		}
		reference, current := draw("reference", fewNumbers), draw("current", 17)
		want := 0
		for _, x := range current {
			if !slices.Contains(reference, x) && slices.Min(reference) < x && x < slices.Max(reference) {
				want++
			}
		}
		f := compareNumbers(t, numbers(repeated(200, reference...)...), repeated(200, current...))
		for _, c := range f.Checks {
			if c.Name == CheckUnseen && math.Abs(*c.Value-float64(want)/float64(len(current))) > 1e-12 {
				t.Fatalf("unseen is %g, want %d of %d", *c.Value, want, len(current))
			}
		}
	})
}

// A score that is too great for float64 is over its threshold.
func TestAScoreBeyondFloat64IsOver(t *testing.T) {
	o := Options{MinRows: DefaultMinRows, Rule: fstore.DriftRule{
		All: fstore.DriftOff, Checks: map[CheckName]fstore.DriftThreshold{CheckWasserstein: {At: 0.1}},
	}}
	reference := repeated(50, 1e-9, 2e-9, 3e-9, 4e-9, 5e-9, 6e-9, 7e-9, 8e-9)
	for _, x := range []float64{1e300, -1e300, math.MaxFloat64} {
		current := append(slices.Clone(reference), repeated(400, x)...)
		f := compareNumbersWith(t, o, numbers(reference...), current)
		if f.Verdict != Drifted || !strings.Contains(f.Reason, "Values moved by 1.8e+308 standard deviations") {
			t.Errorf("%g: %s: %s", x, f.Verdict, f.Reason)
		}
	}
}

// A verdict says that chance explains a score which is over its threshold.
func TestAStableVerdictNamesItsNoise(t *testing.T) {
	reference := make([]float64, 200)
	for i := range reference {
		reference[i] = float64(i)
	}
	current := slices.Clone(reference)
	for i := range current {
		current[i] += 8 // 0.14 standard deviations: chance explains more in 200 rows
	}
	o := Options{MinRows: DefaultMinRows, Rule: fstore.DriftRule{Checks: map[CheckName]fstore.DriftThreshold{CheckOutOfRange: {Mode: fstore.DriftOff}}}}
	f := compareNumbersWith(t, o, numbers(reference...), current)
	if f.Verdict != Stable || f.Reason != "No check is over its threshold and above its noise." {
		t.Errorf("%s: %s", f.Verdict, f.Reason)
	}
}
