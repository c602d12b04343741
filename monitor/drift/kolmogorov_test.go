package drift

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestKSPValueIsThatOfPermutations deals the values of both sides to two sides at random: as often as the p-value says, the statistic is
// as high.
func TestKSPValueIsThatOfPermutations(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	const n, m, rounds = 300, 200, 4000
	var statistics []float64
	for range rounds {
		// walk over n + m values in their order, each of a side at random
		left, right, f, most := n, m, 0.0, 0.0
		for left+right > 0 {
			if r.IntN(left+right) < left {
				f, left = f+1.0/n, left-1
			} else {
				f, right = f-1.0/m, right-1
			}
			most = max(most, math.Abs(f))
		}
		statistics = append(statistics, most)
	}
	for _, d := range []float64{0.05, 0.08, 0.1, 0.13} {
		as := 0
		for _, s := range statistics {
			if s >= d-1e-12 {
				as++
			}
		}
		want := float64(as) / rounds
		doubt := 4 * math.Sqrt(want*(1-want)/rounds)
		if got := KSPValue(d, n, m); math.Abs(got-want) > 0.05*want+doubt {
			t.Errorf("p of %v is %v, want %v ± %.3f", d, got, want, doubt)
		}
	}
	for d, want := range map[float64]float64{0: 1, 1: 0} {
		if got := KSPValue(d, 1e6, 1e6); got != want {
			t.Errorf("p of %v is %v", d, got)
		}
	}
}

// The statistic of the rows decides in place of the bins', for all rows and not for windows.
func TestKSOfRowsDecides(t *testing.T) {
	c := counterOf(t, numbers(sequence(1000)...))
	if got := c.Numbers(); len(got) != 1 || got[0].Name != "x" {
		t.Error(got)
	}
	c.columns[0].counts[0] = counted(c.columns[0].edges, sequence(1000)...)
	c.columns[0].seen = true
	c.SetKS("x", 0.4, 1000, 1000)
	o := Options{MinRows: 200, ShareLimit: 0.5}
	if err := o.SetThreshold("ks=0.3"); err != nil {
		t.Fatal(err)
	}
	f := c.Compare(o).Features[0]
	k := f.Checks[len(f.Checks)-1]
	if k.Name != CheckKS || !k.Exact || *k.Value != 0.4 || k.AtMost != nil || *k.PValue > 1e-60 || !k.Over || f.Verdict != Drifted {
		t.Errorf("%+v: %s", k, f.Verdict)
	}
}
