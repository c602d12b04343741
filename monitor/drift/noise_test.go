package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// shapes are distributions from light to heavy tails.
var shapes = map[string]func(*rand.Rand) float64{
	"normal":      func(r *rand.Rand) float64 { return r.NormFloat64() },
	"uniform":     func(r *rand.Rand) float64 { return r.Float64() },
	"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() },
	"lognormal":   func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
	"few":         func(r *rand.Rand) float64 { return float64(r.IntN(4)) },
	"mostly zero": func(r *rand.Rand) float64 { return max(r.NormFloat64()-1, 0) },
	"two peaks":   func(r *rand.Rand) float64 { return r.NormFloat64() + float64(10*r.IntN(2)) },

	// None of the bounds was fitted to these. Their tails are heavy, their values few, or rare ones decide.
	"heavy lognormal":      func(r *rand.Rand) float64 { return math.Exp(1.5 * r.NormFloat64()) },
	"heavier lognormal":    func(r *rand.Rand) float64 { return math.Exp(2.5 * r.NormFloat64()) },
	"no variance":          func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -1/1.2) }, // Pareto
	"no mean":              func(r *rand.Rand) float64 { return r.NormFloat64() / r.NormFloat64() },
	"two tails":            func(r *rand.Rand) float64 { return math.Pow(r.NormFloat64(), 3) },
	"stretched":            func(r *rand.Rand) float64 { return math.Pow(r.ExpFloat64(), 3) },
	"counted":              func(r *rand.Rand) float64 { return math.Floor(5 * r.ExpFloat64()) },
	"rounded":              func(r *rand.Rand) float64 { return math.Round(10*r.NormFloat64()) / 10 },
	"zeros and heavy":      func(r *rand.Rand) float64 { return float64(r.IntN(10)/8) * math.Exp(1.5*r.NormFloat64()) },
	"hardly anything else": func(r *rand.Rand) float64 { return float64(r.IntN(25)/24) * r.ExpFloat64() },
	"a rare far peak":      func(r *rand.Rand) float64 { return r.NormFloat64() + float64(r.IntN(60)/59)*1000 },
}

// fataler is a test of Go or of rapid.
type fataler interface {
	Helper()
	Fatal(...any)
}

// compareNumbers compares two samples of one column.
func compareNumbers(t fataler, reference *stats.Statistics, values []float64) *Feature {
	t.Helper()
	return compareNumbersWith(t, Options{MinRows: DefaultMinRows, ShareLimit: DefaultShareLimit}, reference, values)
}

func compareNumbersWith(t fataler, o Options, reference *stats.Statistics, values []float64) *Feature {
	t.Helper()
	c, err := NewCounter([]Column{{Name: "x", Role: RoleFeature, Type: fstore.Float64, Statistics: reference}}, "", Whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add(&fstore.Batch{Len: len(values), Columns: []fstore.Column{*columnOf(values...)}}); err != nil {
		t.Fatal(err)
	}
	return &c.Compare(o).Features[0]
}

// TestNoiseIsRarelyExceeded draws pairs of samples from one distribution: hardly any score exceeds its noise, and at most one pair
// in a hundred is an alarm. A bound of noise that is far too high would hide drift: TestDriftIsFound holds that side.
func TestNoiseIsRarelyExceeded(t *testing.T) {
	const pairs = 500
	for name, draw := range shapes {
		for _, sizes := range [][2]int{{200, 200}, {2000, 300}, {250, 2000}} {
			t.Run(fmt.Sprint(name, sizes), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(uint64(sizes[0]), uint64(len(name))+20261201))
				exceeded, alarms := map[CheckName]int{}, 0
				for range pairs {
					f := compareNumbers(t, numbers(sample(r, sizes[0], draw)...), sample(r, sizes[1], draw))
					for _, c := range f.Checks {
						if c.Noise != nil && c.Value != nil && *c.Value > *c.Noise {
							exceeded[c.Name]++
						}
					}
					if f.Verdict == Drifted {
						alarms++
					}
				}
				// one in a thousand is meant; up to one in a hundred is let pass
				for check, n := range exceeded {
					if n > pairs/100 {
						t.Errorf("%s exceeds its noise in %d of %d pairs", check, n, pairs)
					}
				}
				if alarms > pairs/100 { // of all checks together
					t.Errorf("%d alarms in %d pairs without drift", alarms, pairs)
				}
			})
		}
	}
}

// TestDriftIsFound shifts a distribution by more than the thresholds: with a thousand rows each, no pair is missed.
func TestDriftIsFound(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) float64{
		"a shift of 0.4 deviations": func(r *rand.Rand) float64 { return r.NormFloat64() + 0.4 },
		"another scale":             func(r *rand.Rand) float64 { return r.NormFloat64() * 1.6 },
		"a second peak":             func(r *rand.Rand) float64 { return r.NormFloat64() + float64(r.IntN(10)/9)*6 },
		"infinities": func(r *rand.Rand) float64 {
			if r.IntN(10) == 0 {
				return math.Inf(1)
			}
			return r.NormFloat64()
		},
	} {
		r := rand.New(rand.NewPCG(1, 1)) // of each case: a map has no order
		for range 50 {
			f := compareNumbers(t, numbers(sample(r, 1000, shapes["normal"])...), sample(r, 1000, draw))
			if f.Verdict != Drifted {
				t.Errorf("%s: %s: %s", name, f.Verdict, f.Reason)
			}
		}
	}
}
