package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

func at(x float64) fstore.DriftThreshold { return fstore.DriftThreshold{At: x} }

var off, auto = fstore.DriftThreshold{Mode: fstore.DriftOff}, fstore.DriftThreshold{Mode: fstore.DriftAuto}

// Thresholds as flags write them.
func TestThresholds(t *testing.T) {
	var o Options
	for _, text := range []string{"psi=0.3", "a.b.js=0", "a.b.psi=off", "unseen=off", "null_rate=5%", "js=auto", "auto", "a.b=off", "c=auto"} {
		if err := o.SetThreshold(text); err != nil {
			t.Error(text, err)
		}
	}
	want := Options{
		Rule: fstore.DriftRule{All: fstore.DriftAuto, Checks: map[CheckName]fstore.DriftThreshold{CheckPSI: at(0.3), CheckUnseen: off, CheckNullRate: at(0.05), CheckJS: auto}},
		ByColumn: map[string]fstore.DriftRule{
			"a.b": {All: fstore.DriftOff, Checks: map[CheckName]fstore.DriftThreshold{CheckJS: at(0), CheckPSI: off}},
			"c":   {All: fstore.DriftAuto},
		},
	}
	if d := cmp.Diff(want, o); d != "" {
		t.Error(d)
	}
	for _, text := range []string{
		"psi", "psi=", "psi=-1", "psi=NaN", "psi=Inf", "psi=5%", "psy=1", "=1", "a.=1", "on", "unseen=auto", "a.out_of_range=auto", "a=0.1",
		"null_rate=5", "unseen=500%", "js=2", "ks=1.5",
	} {
		if err := o.SetThreshold(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// TestWhoseThresholdHolds asks for the thresholds of a column of numbers when several say what they are: the option for the column
// goes before that for all, then the feature's definition, then the view's, then the default.
func TestWhoseThresholdHolds(t *testing.T) {
	rule := func(all fstore.DriftMode, checks ...any) *fstore.DriftRule {
		r := &fstore.DriftRule{All: all, Checks: map[CheckName]fstore.DriftThreshold{}}
		for i := 0; i < len(checks); i += 2 {
			r.Checks[checks[i].(CheckName)] = checks[i+1].(fstore.DriftThreshold)
		}
		return r
	}
	none := rule("")
	for _, c := range []struct {
		name                      string
		view, feature, all, named *fstore.DriftRule
		want                      string
	}{
		{"the defaults", nil, nil, none, none, "null_rate 0.01 default, out_of_range 0.01 default, wasserstein 0.1 default, psi 0.2 default"},
		{"the view", rule("", CheckPSI, at(0.3)), nil, none, none, "null_rate 0.01 default, out_of_range 0.01 default, wasserstein 0.1 default, psi 0.3 view"},
		{"the feature before the view", rule("", CheckPSI, at(0.3), CheckJS, at(0.5)), rule("", CheckPSI, at(0.4)), none, none, "null_rate 0.01 default, out_of_range 0.01 default, wasserstein 0.1 default, psi 0.4 feature, js 0.5 view"},
		{"the option before the feature", nil, rule("", CheckPSI, at(0.4), CheckKS, at(0.1)), rule("", CheckPSI, at(0.5)), none, "null_rate 0.01 default, out_of_range 0.01 default, wasserstein 0.1 default, psi 0.5 option, ks 0.1 feature"},
		{"the option of the column first", nil, nil, rule("", CheckPSI, at(0.5)), rule("", CheckPSI, at(0.6)), "null_rate 0.01 default, out_of_range 0.01 default, wasserstein 0.1 default, psi 0.6 option"},
		{"off is a threshold too", rule("", CheckPSI, off), nil, none, none, "null_rate 0.01 default, out_of_range 0.01 default, wasserstein 0.1 default, psi off view"},
		{"auto is not for what is 0 in every window", rule("auto"), nil, none, none, "null_rate auto view, out_of_range 0.01 default, wasserstein auto view, psi auto view"},
		{"auto but for one", rule("auto", CheckPSI, at(0.3)), nil, none, none, "null_rate auto view, out_of_range 0.01 default, wasserstein auto view, psi 0.3 view"},
		{"off but for one", nil, rule("off", CheckPSI, at(0.3)), none, none, "null_rate off feature, out_of_range off feature, wasserstein off feature, psi 0.3 feature"},
		{"a feature turns on what its view turns off", rule("off"), rule("auto"), none, none, "null_rate auto feature, out_of_range 0.01 default, wasserstein auto feature, psi auto feature"},
		{"off is not compared", nil, rule("off"), none, none, "Its definition turns drift off."},
		{"an option for all does not turn on", rule("off"), nil, rule("auto", CheckPSI, at(0.3)), none, "Its definition turns drift off."},
		{"an option for the column turns on", rule("off"), nil, none, rule("", CheckPSI, at(0.3)), "null_rate off view, out_of_range off view, wasserstein off view, psi 0.3 option"},
		{"an option turns off", nil, nil, rule("off"), none, "Drift is turned off for it in this comparison."},
	} {
		one := Column{Name: "x", Role: RoleFeature, Type: fstore.Float64, Statistics: numbers(sequence(1000)...), ViewRule: c.view, Rule: c.feature}
		divided, err := newCompared(one)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Rule: *c.all, ByColumn: map[string]fstore.DriftRule{"x": *c.named}}
		found, got := o.thresholds(divided)
		if got == "" {
			var parts []string
			for _, name := range CheckNames {
				if x, has := found[name]; has {
					parts = append(parts, fmt.Sprint(name, " ", x.DriftThreshold, " ", x.from))
				}
			}
			got = strings.Join(parts, ", ")
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// autoOfWindows compares current values with a reference whose instants are 0, 1, 2 …, by thresholds of auto.
func autoOfWindows(t *testing.T, reference, current []float64, ends []int64) *Feature {
	t.Helper()
	column := Column{Name: "x", Role: RoleFeature, Type: fstore.Float64, Statistics: numbers(reference...), ViewRule: &fstore.DriftRule{All: fstore.DriftAuto}}
	o := Options{MinRows: DefaultMinRows, ShareLimit: DefaultShareLimit}
	c, err := NewCounter([]Column{column}, "", Whole)
	if err != nil {
		t.Fatal(err)
	}
	windows, err := NewWindows(c.Auto(o), "at", ends)
	if err != nil {
		t.Fatal(err)
	}
	instants := fstore.NewColumn("at", fstore.Timestamp, len(reference))
	for i := range reference {
		instants.AppendInt64(int64(i))
	}
	for _, add := range []error{
		windows.Add(&fstore.Batch{Len: len(reference), Columns: []fstore.Column{*columnOf(reference...), instants}}),
		c.Add(&fstore.Batch{Len: len(current), Columns: []fstore.Column{*columnOf(current...)}}),
	} {
		if add != nil {
			t.Fatal(add)
		}
	}
	c.Learn(windows, o.MinRows)
	return &c.Compare(o).Features[0]
}

// TestAutoFollowsFromTheReference: a reference whose mean wanders from window to window makes wide thresholds, one that does not makes
// narrow ones, and both are the mean and three deviations of the windows' scores.
func TestAutoFollowsFromTheReference(t *testing.T) {
	const rows, windows = 100_000, 20
	var ends []int64
	for i := range windows {
		ends = append(ends, int64((i+1)*rows/windows-1))
	}
	for _, c := range []struct {
		name   string
		wander float64
		shift  float64
		want   Verdict
	}{
		{"steady, and shifted by less than the default finds", 0, 0.09, Drifted},
		{"wandering, and shifted by more than the default allows", 0.5, 0.3, Stable},
		{"wandering, and shifted by more than it wanders", 0.5, 3, Drifted},
	} {
		r := rand.New(rand.NewPCG(7, 7))
		var reference, current []float64
		for i := range rows {
			reference = append(reference, r.NormFloat64()+c.wander*float64(i*windows/rows%3-1))
		}
		for range rows {
			current = append(current, reference[r.IntN(rows)]+c.shift)
		}
		f := autoOfWindows(t, reference, current, ends)
		if f.Verdict != c.want || f.NotAuto != "" {
			t.Errorf("%s: %s: %s %s", c.name, f.Verdict, f.Reason, f.NotAuto)
		}
		for _, k := range f.Checks {
			if want := k.Name == CheckNullRate || k.Name == CheckWasserstein || k.Name == CheckPSI; k.Auto != want {
				t.Errorf("%s: %s is auto: %v", c.name, k.Name, k.Auto)
			}
			if k.Name != CheckWasserstein {
				continue
			}
			if want := windowScores(t, reference, ends); !near(*k.Threshold, want, 1) {
				t.Errorf("%s: the threshold is %v, want %v", c.name, *k.Threshold, want)
			}
		}
	}
}

// windowScores computes a threshold of the Wasserstein distance another way: a comparison of each window alone.
func windowScores(t *testing.T, reference []float64, ends []int64) float64 {
	t.Helper()
	var scores []float64
	from := 0
	for _, end := range ends {
		f := compareNumbers(t, numbers(reference...), reference[from:end+1])
		at := slices.IndexFunc(f.Checks, func(k Check) bool { return k.Name == CheckWasserstein })
		scores = append(scores, *f.Checks[at].Value)
		from = int(end) + 1
	}
	n, sum, squares := float64(len(scores)), 0.0, 0.0
	for _, x := range scores {
		sum, squares = sum+x, squares+x*x
	}
	return sum/n + 3*math.Sqrt((squares-sum*sum/n)/(n-1))
}

// Where windows have too few rows, or are too few, the defaults hold, and the feature says so.
func TestAutoNeedsWindows(t *testing.T) {
	reference := sequence(1000)
	for _, c := range []struct {
		name string
		ends []int64
		auto bool
	}{
		{"five windows", []int64{199, 399, 599, 799, 999}, true},
		{"four", []int64{249, 499, 749, 999}, false},
		{"one of five has a row less", []int64{198, 399, 599, 799, 999}, false},
		{"no window", nil, false},
	} {
		f := autoOfWindows(t, reference, reference, c.ends)
		if f.Checks[0].Auto != c.auto || (f.NotAuto == "") != c.auto {
			t.Errorf("%s: auto is %v: %s", c.name, f.Checks[0].Auto, f.NotAuto)
		}
		if !c.auto && (f.Checks[0].ThresholdFrom != FromDefault || *f.Checks[0].Threshold != 0.01) {
			t.Errorf("%s: %+v", c.name, f.Checks[0])
		}
	}
}

// A score of a feature that never varied does not make a threshold of 0.
func TestAutoIsNotZero(t *testing.T) {
	c := &column{compared: &compared{Column: Column{}}}
	var err error
	if c.compared, err = newCompared(Column{Name: "x", Type: fstore.Float64, Statistics: numbers(repeated(500, 1, 2)...)}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c.counts = append(c.counts, counted(c.edges, repeated(100, 1, 2)...))
	}
	learned, why := c.learned(200)
	if d := cmp.Diff(map[CheckName]float64{CheckNullRate: 0.001, CheckWasserstein: 0.01, CheckPSI: 0.02, CheckJS: 0.01, CheckKS: 0.01}, learned); d != "" || why != "" {
		t.Error(d, why)
	}
	c.counts = []*stats.Counts{}
	if _, why := c.learned(200); why == "" {
		t.Error("learned from nothing")
	}
}

// A feature of which nothing that decides can be computed is not called stable.
func TestNothingDecides(t *testing.T) {
	counter, err := NewCounter([]Column{{
		Name: "x", Role: RoleFeature, Type: fstore.Float64, Statistics: numbers(sequence(5000)...),
	}}, "", Whole)
	if err != nil {
		t.Fatal(err)
	}
	x := fstore.NewColumn("x", fstore.Float64, 1000)
	for i := range 1000 {
		x.Append(float64(i * 5))
	}
	if err := counter.Add(&fstore.Batch{Len: 1000, Columns: []fstore.Column{x}}); err != nil {
		t.Fatal(err)
	}
	for _, check := range []CheckName{CheckUnseen, CheckCosine} { // numbers with so many values have neither
		o := Options{MinRows: 200, ShareLimit: 0.5, Rule: fstore.DriftRule{All: fstore.DriftOff, Checks: map[CheckName]fstore.DriftThreshold{check: {At: 0.1}}}}
		out := counter.Compare(o)
		if f := out.Features[0]; f.Verdict != NotCompared || out.Counts.NotCompared != 1 {
			t.Errorf("%s: %s: %s, %+v", check, f.Verdict, f.Reason, out.Counts)
		}
	}
}
