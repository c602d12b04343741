package drift

import (
	"math"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
	"pgregory.net/rapid"
)

// The oracles below compute each distance from the values themselves, as its definition says.

// upTo returns the share of values that are at most x.
func upTo(values []float64, x float64) float64 {
	n := 0
	for _, v := range values {
		if v <= x {
			n++
		}
	}
	return float64(n) / float64(len(values))
}

// ksOfRows is the largest difference of the shares up to x; it is at one of the values.
func exactKS(a, b []float64) float64 {
	d := 0.0
	for _, x := range slices.Concat(a, b) {
		d = max(d, math.Abs(upTo(a, x)-upTo(b, x)))
	}
	return d
}

// exactWasserstein integrates the difference of the shares from each value to the next.
func exactWasserstein(a, b []float64) float64 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	w := 0.0
	for i := range len(all) - 1 {
		w += (all[i+1] - all[i]) * math.Abs(upTo(a, all[i])-upTo(b, all[i]))
	}
	return w
}

// cellShares counts the cells of numbers by the words of the documentation.
func cellShares(bounds, values []float64) []float64 {
	out := make([]float64, len(bounds)-1)
	for _, v := range values {
		at := 0
		for i := range len(bounds) - 1 {
			if bounds[i] < v { // the last also takes what is above it
				at = i
			}
		}
		out[at] += 1 / float64(len(values))
	}
	return out
}

func finiteNumbers(t *rapid.T, name string, least int) []float64 {
	scale := rapid.SampledFrom([]float64{1e-6, 1, 1000}).Draw(t, name+" scale")
	ints := rapid.SliceOfN(rapid.IntRange(-30, 30), least, 200).Draw(t, name)
	out := make([]float64, len(ints))
	for i, v := range ints {
		out[i] = float64(v) * scale
	}
	return out
}

// edgesOf draws bins whose ends are values of the reference: from its least to its greatest.
func edgesOf(t *rapid.T, reference []float64) *stats.Edges {
	bounds := slices.Clone(reference)
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	least := bounds[0]
	upper := []float64{}
	for _, x := range bounds[:len(bounds)-1] {
		if rapid.Bool().Draw(t, "an edge") {
			upper = append(upper, x)
		}
	}
	return edgesAt(append([]float64{least}, append(upper, bounds[len(bounds)-1])...))
}

func columnOf(values ...float64) *fstore.Column {
	c := fstore.NewColumn("x", fstore.Float64, len(values))
	for _, v := range values {
		c.AppendFloat64(v)
	}
	return &c
}

func counted(e *stats.Edges, values ...float64) *stats.Counts {
	c := e.NewCounts()
	e.Add(columnOf(values...), stats.Into{Counts: []*stats.Counts{c}}, nil)
	return c
}

// near allows for the rounding of sums.
func near(a, b, scale float64) bool { return math.Abs(a-b) <= 1e-9*max(scale, 1e-12) }

// TestDistancesAreWhatTheirDefinitionsSay holds every distance to its oracle: the exact value lies between the bounds, and PSI and
// JS are those of the shares.
func TestDistancesAreWhatTheirDefinitionsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := finiteNumbers(t, "reference", 1), finiteNumbers(t, "current", 1)
		e := edgesOf(t, a)
		r, c := counted(e, a...), counted(e, b...)
		scale := 0.0
		for _, x := range slices.Concat(a, b) {
			scale = max(scale, math.Abs(x))
		}

		least, most := KS(r, c)
		if exact := exactKS(a, b); exact < least-1e-9 || exact > most+1e-9 {
			t.Errorf("KS is %v, not in [%v, %v]", exact, least, most)
		}
		least, most = Wasserstein(r, c)
		if exact := exactWasserstein(a, b); exact < least-1e-9*scale || exact > most+1e-9*scale {
			t.Errorf("Wasserstein is %v, not in [%v, %v]", exact, least, most)
		}

		p, q := cellShares(e.Bounds, b), cellShares(e.Bounds, a)
		psi, js := 0.0, 0.0
		for i := range p {
			m := (p[i] + q[i]) / 2
			for _, x := range []float64{p[i], q[i]} {
				if x > 0 {
					js += x * math.Log2(x/m) / 2
				}
			}
			if p[i]+q[i] > 0 {
				x, y := p[i], q[i]
				if x == 0 {
					x = 0.0001
				}
				if y == 0 {
					y = 0.0001
				}
				psi += (x - y) * math.Log(x/y)
			}
		}
		if got := PSI(r, c); !near(got, psi, 10) {
			t.Errorf("PSI %v, want %v", got, psi)
		}
		if got := JS(r, c); !near(got*got, js, 1) {
			t.Errorf("JS² %v, want %v", got*got, js)
		}
	})
}

// TestDistancesAreDistances: each is 0 from a sample to itself and the same in both directions.
func TestDistancesAreDistances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := finiteNumbers(t, "reference", 1), finiteNumbers(t, "current", 1)
		e := edgesOf(t, a)
		r, c := counted(e, a...), counted(e, b...)
		for name, distance := range map[string]func(r, c *stats.Counts) float64{
			"PSI": PSI, "JS": JS,
			"KS":          func(r, c *stats.Counts) float64 { d, _ := KS(r, c); return d },
			"Wasserstein": func(r, c *stats.Counts) float64 { d, _ := Wasserstein(r, c); return d },
		} {
			if d := distance(r, r); d != 0 {
				t.Errorf("%s to itself is %v", name, d)
			}
			there, back := distance(r, c), distance(c, r)
			if !near(there, back, max(there, 1)) || there < 0 {
				t.Errorf("%s is %v there and %v back", name, there, back)
			}
		}
	})
}

// TestManyBinsTellTheExactDistance: with a bin for each value nothing is lost.
func TestManyBinsTellTheExactDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := finiteNumbers(t, "reference", 1), finiteNumbers(t, "current", 1)
		bounds := slices.Concat(a, b)
		slices.Sort(bounds)
		bounds = slices.Compact(bounds)
		e := edgesAt(append([]float64{bounds[0]}, bounds...))
		r, c := counted(e, a...), counted(e, b...)
		scale := max(math.Abs(bounds[0]), math.Abs(bounds[len(bounds)-1]))
		if got, most := Wasserstein(r, c); !near(got, exactWasserstein(a, b), scale) || !near(got, most, scale) {
			t.Errorf("Wasserstein [%v, %v], want %v", got, most, exactWasserstein(a, b))
		}
		if got, _ := KS(r, c); !near(got, exactKS(a, b), 1) {
			t.Errorf("KS %v, want %v", got, exactKS(a, b))
		}
	})
}

// Values far above the last bin, where a reference with a heavy tail hides much, move the distance by as much as they are far.
func TestTheTailIsMeasuredExactly(t *testing.T) {
	e := edgesAt([]float64{0, 0, 0.5, 1, 100})
	r := counted(e, 0, 0.5, 1, 100)
	for _, far := range []float64{101, 1e6, -7} {
		c := counted(e, 0, 0.5, 1, far)
		want := exactWasserstein([]float64{0, 0.5, 1, 100}, []float64{0, 0.5, 1, far})
		if least, most := Wasserstein(r, c); far > 0 && (!near(least, want, far) || !near(most, want, far)) || least > want+1e-9 || most < want-1e-9 {
			t.Errorf("%v: [%v, %v], want %v", far, least, most, want)
		}
	}
}
