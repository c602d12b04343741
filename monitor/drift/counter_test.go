package drift

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the files that the tests compare with")

var day = time.Date(2025, 11, 3, 0, 0, 0, 0, time.UTC) // a Monday

// numbers describes a sample of numbers as a lock does, with 20 bins.
func numbers(values ...float64) *stats.Statistics {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	bounds := []float64{sorted[0]}
	for i := 1; i <= 20; i++ {
		if x := sorted[(len(sorted)-1)*i/20]; i == 1 || x > bounds[len(bounds)-1] {
			bounds = append(bounds, x)
		}
	}
	e := edgesAt(bounds)
	c := counted(e, values...)
	s := statisticsAt(bounds)
	n, mean, squares := int64(len(values)), c.Sum()/float64(len(values)), 0.0
	for _, x := range values {
		squares += (x - mean) * (x - mean)
	}
	stddev, distinct := math.Sqrt(squares/float64(n-1)), int64(len(slices.Compact(sorted)))
	s.Count, s.Mean, s.Stddev, s.Distinct = n, &mean, &stddev, &distinct
	kept := s.Histogram[:0]
	counts, sums := c.FiniteSlots()
	for i, b := range s.Histogram {
		b.Count = counts[i+1]
		of := sums[i+1] / float64(b.Count)
		if b.Mean = &of; b.Count > 0 {
			kept = append(kept, b)
		}
	}
	s.Histogram = kept
	return s
}

// categories describes categories as a lock does.
func categories(counts map[string]int64) *stats.Statistics {
	s := &stats.Statistics{}
	for _, name := range slices.Sorted(mapKeys(counts)) {
		text, _ := json.Marshal(name)
		s.Histogram = append(s.Histogram, stats.Bin{UpTo: text, Count: counts[name]})
		s.Count += counts[name]
	}
	distinct := int64(len(counts))
	s.Distinct = &distinct
	return s
}

func mapKeys(m map[string]int64) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// sample draws numbers.
func sample(r *rand.Rand, n int, draw func(*rand.Rand) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = draw(r)
	}
	return out
}

// shopComparison compares ten days of a shop with what its model was trained on: every kind of column and every verdict.
func shopComparison(t *testing.T) *Comparison {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	logNormal := func(shift float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64() + shift) }
	}
	view := fstore.ViewRef{Name: "customer_orders", Version: 3}
	nullable := numbers(sample(r, 4800, func(r *rand.Rand) float64 { return r.NormFloat64() * 10 })...)
	nullable.Nulls = 200
	age := numbers(sample(r, 5000, func(r *rand.Rand) float64 { return r.ExpFloat64() * 86400 })...)
	columns := []Column{
		{"churned", RoleTarget, fstore.ViewRef{}, "", fstore.Bool, &stats.Statistics{Count: 5000, Histogram: []stats.Bin{{UpTo: json.RawMessage("false"), Count: 4500}, {UpTo: json.RawMessage("true"), Count: 500}}}, nil, nil},
		{"order_value", RoleFeature, view, "order_value", fstore.Float64, numbers(sample(r, 5000, logNormal(3))...), nil, nil},
		{"balance", RoleFeature, view, "balance", fstore.Float64, nullable, nil, nil},
		{"orders", RoleFeature, view, "orders", fstore.Int64, numbers(sample(r, 5000, func(r *rand.Rand) float64 { return float64(r.IntN(4)) })...), nil, nil},
		{"country", RoleFeature, view, "country", fstore.String, categories(map[string]int64{"United Kingdom": 4000, "France": 600, "Germany": 400}), nil, nil},
		{"last_order", RoleFeature, view, "last_order", fstore.Timestamp, &stats.Statistics{Count: 5000, Age: age}, nil, nil},
		{"embedding", RoleFeature, view, "embedding", fstore.List(fstore.Float32), &stats.Statistics{Count: 5000, Norm: numbers(sample(r, 5000, func(r *rand.Rand) float64 { return 1 + r.NormFloat64()/10 })...)}, nil, nil},
		{"note", RoleFeature, view, "note", fstore.String, &stats.Statistics{Count: 4900, Nulls: 100}, nil, nil},
		{"score", RoleFeature, view, "score", fstore.Float64, numbers(sample(r, 100, logNormal(0))...), nil, nil},
		{"gone", RoleFeature, view, "gone", fstore.Float64, numbers(sample(r, 5000, logNormal(0))...), nil, nil},
	}
	c, err := NewCounter(columns, "event_timestamp", Day)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"United Kingdom", "France", "Germany", "Spain <b>", "Italy"}
	for d := range 10 {
		b := &fstore.Batch{Len: 300}
		column := func(name string, typ fstore.Type, value func(i int) any) {
			col := fstore.NewColumn(name, typ, b.Len)
			for i := range b.Len {
				col.Append(value(i))
			}
			b.Columns = append(b.Columns, col)
		}
		at := day.AddDate(0, 0, d)
		column("event_timestamp", fstore.Timestamp, func(i int) any { return at.Add(time.Duration(i) * time.Minute) })
		column("churned", fstore.Bool, func(i int) any { return i%10 == 0 })
		shift := 0.05 * float64(d) // prices rise day by day
		column("order_value", fstore.Float64, func(int) any { return logNormal(3 + shift)(r) })
		column("balance", fstore.Float64, func(i int) any {
			if i%10 < d { // more is missing day by day
				return nil
			}
			return r.NormFloat64() * 10
		})
		column("orders", fstore.Int64, func(int) any { return int64(r.IntN(4)) })
		column("country", fstore.String, func(i int) any {
			if i%20 < d {
				return names[3+i%2]
			}
			return names[[]int{0, 0, 0, 0, 0, 0, 0, 1, 1, 2}[r.IntN(10)]]
		})
		column("last_order", fstore.Timestamp, func(i int) any {
			return at.Add(time.Duration(i)*time.Minute - time.Duration(r.ExpFloat64()*86400*float64(time.Second)))
		})
		column("embedding", fstore.List(fstore.Float32), func(int) any { return []float32{float32(1 + r.NormFloat64()/10), 0} })
		column("note", fstore.String, func(i int) any { return fmt.Sprint(i) })
		column("score", fstore.Float64, func(int) any { return logNormal(0)(r) })
		if err := c.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	out := c.Compare(Options{MinRows: DefaultMinRows, ShareLimit: DefaultShareLimit})
	out.Reference = Side{Kind: TrainingSet, Name: "churn_2025", File: "/repo/data/churn.lock.json", Service: "churn@2", Created: day, Rows: 5000}
	out.Current = Side{Kind: File, Name: "new.parquet", File: "/repo/new.parquet", Rows: out.Current.Rows, Timestamp: "event_timestamp", To: day.AddDate(0, 0, 10)}
	return out
}

// TestAComparison holds a comparison of every kind of column to its golden file, which the report is tested with too.
func TestAComparison(t *testing.T) {
	c := shopComparison(t)
	file := filepath.Join("testdata", "comparison.json")
	if *update {
		got, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := &Comparison{}
	if err := json.Unmarshal(text, want); err != nil {
		t.Fatal(err)
	}
	// processors that fuse multiplications and additions differ in the last bits
	if diff := cmp.Diff(want, c, cmpopts.EquateApprox(1e-9, 1e-12), cmpopts.IgnoreFields(Feature{}, "Missing")); diff != "" {
		t.Errorf("run go test ./monitor/drift -run TestAComparison -update (-file +comparison)\n%s", diff)
	}
	verdicts := map[string]Verdict{}
	for i := range c.Features {
		f := &c.Features[i]
		verdicts[f.Name] = f.Verdict
		checkFigures(t, f)
	}
	if diff := cmp.Diff(map[string]Verdict{
		"churned": Stable, "order_value": Drifted, "balance": Drifted, "orders": Stable, "country": Drifted, "last_order": Stable,
		"embedding": Stable, "note": Drifted, "score": TooFew, "gone": NotCompared,
	}, verdicts); diff != "" {
		t.Error(diff)
	}
	if want := (Verdicts{Drifted: 4, Stable: 3, TooFew: 1, NotCompared: 1}); c.Counts != want || c.Verdict != Drifted || math.Abs(c.Share-4.0/7) > 1e-12 {
		t.Errorf("counts %+v, verdict %s, share %v", c.Counts, c.Verdict, c.Share)
	}
	if len(c.Windows) != 10 || c.By != "day" || !c.Windows[0].From.Equal(day) || c.Windows[9].Rows != 300 {
		t.Errorf("windows %+v", c.Windows)
	}
}

// checkFigures: the parts of each side of a feature add up to its rows.
func checkFigures(t *testing.T, f *Feature) {
	t.Helper()
	if f.Current == nil {
		return
	}
	for name, side := range map[string]*Figures{"reference": &f.Reference, "current": f.Current} {
		sum := side.Nulls + side.NaNs + side.Below + side.Above + side.Other
		for _, b := range f.Bins {
			if name == "current" {
				sum += b.Current
			} else {
				sum += b.Reference
			}
		}
		if sum != side.Rows {
			t.Errorf("%s, %s: the parts are %d of %d rows", f.Name, name, sum, side.Rows)
		}
	}
}

// TestATurnIsFound turns embeddings without changing their lengths: only their cosines show it. Windows add up, and a lock without a
// centroid says what it cannot tell.
func TestATurnIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	draw := func(n int, x, y float64) *fstore.Column {
		c := fstore.NewColumn("e", fstore.List(fstore.Float32), n)
		for range n {
			a, b := x+r.NormFloat64()/5, y+r.NormFloat64()/5
			length := math.Hypot(a, b)
			c.Append([]float32{float32(a / length), float32(b / length)})
		}
		return &c
	}
	longer := func(of *fstore.Column) *fstore.Column { // of the same norms, with a zero more
		c := fstore.NewColumn("e", fstore.List(fstore.Float32), of.Len)
		for i := range of.Len {
			c.Append(append(slices.Clone(of.Value(i).([]float32)), 0))
		}
		return &c
	}
	numbersIn := func(c *fstore.Column) (out []float64) {
		for i := range c.Len {
			if !c.IsNull(i) {
				out = append(out, c.Float64s[i])
			}
		}
		return out
	}
	reference := draw(2000, 1, 0)
	var d stats.Direction
	d.Add(reference)
	norm := numbers(numbersIn(stats.Norms(reference))...)
	with := &stats.Statistics{Count: 2000, Norm: norm, Centroid: d.Centroid(), Cosine: numbers(numbersIn(stats.Cosines(reference, d.Centroid()))...)}
	without := &stats.Statistics{Count: 2000, Norm: norm}
	instants := fstore.NewColumn("t", fstore.Timestamp, 1000)
	for i := range 1000 {
		instants.AppendInt64(int64(i/500) * 3600e6)
	}
	for _, c := range []struct {
		name    string
		s       *stats.Statistics
		current *fstore.Column
		want    Verdict
		reason  string
	}{
		{"the same", with, draw(1000, 1, 0), Stable, "No check is over"},
		{"turned", with, draw(1000, 1, 1), Drifted, "irections moved by"},
		{"turned, without a centroid", without, draw(1000, 1, 1), Stable, "the lock has no centroid"},
		{"of another length", with, longer(draw(1000, 1, 0)), NotCompared, "Only 0 of 1,000 lists have the length"},
	} {
		counter, err := NewCounter([]Column{{Name: "e", Role: RoleFeature, Type: fstore.List(fstore.Float32), Statistics: c.s}}, "t", Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := counter.Add(&fstore.Batch{Len: 1000, Columns: []fstore.Column{*c.current, instants}}); err != nil {
			t.Fatal(err)
		}
		o := Options{MinRows: 200, ShareLimit: 0.5, Rule: fstore.DriftRule{Checks: map[CheckName]fstore.DriftThreshold{CheckWasserstein: off, CheckPSI: off, CheckOutOfRange: off}}}
		f := counter.Compare(o).Features[0]
		if f.Verdict != c.want || !strings.Contains(f.Reason, c.reason) {
			t.Errorf("%s: %s: %s", c.name, f.Verdict, f.Reason)
		}
		for i, w := range f.Windows {
			if w.Verdict != c.want {
				t.Errorf("%s, window %d: %s", c.name, i, w.Verdict)
			}
		}
	}
}

// Statistics that a type cannot have are refused, by type: counting them would read what columns of the type do not hold.
func TestStatisticsOfAnotherType(t *testing.T) {
	of := numbers(sequence(1000)...)
	for _, c := range []struct {
		t fstore.Type
		s stats.Statistics
	}{
		{fstore.Float64, stats.Statistics{Count: 1000, Age: of}},
		{fstore.Int64, stats.Statistics{Count: 1000, Norm: of}},
		{fstore.List(fstore.String), stats.Statistics{Count: 1000, Norm: of}},
	} {
		if _, err := NewCounter([]Column{{Name: "x", Type: c.t, Statistics: &c.s}}, "", Whole); err == nil || !strings.Contains(err.Error(), "column x of the reference has") {
			t.Errorf("%s: %v", c.t, err)
		}
	}
}

// What the store has no value for is taken out of the cosines too.
func TestCosinesOfADefaultAreTakenOut(t *testing.T) {
	s := &stats.Statistics{Count: 1000, Nulls: 10, Norm: numbers(repeated(500, 1, 2)...), Centroid: []float32{1, 0}, Cosine: numbers(repeated(500, 0, 1)...)}
	s.Norm.Nulls, s.Cosine.Nulls = 10, 10
	c, err := NewCounter([]Column{{Name: "x", Role: RoleFeature, Type: fstore.List(fstore.Float64), Statistics: s}}, "", Whole)
	if err != nil {
		t.Fatal(err)
	}
	standIn := fstore.NewColumn("x", fstore.List(fstore.Float64), 1)
	standIn.Append([]float64{0, 2})
	if err := errors.Join(c.TakeOut("x", nil, 4), c.TakeOut("x", &fstore.Value{Column: standIn}, 100)); err != nil {
		t.Fatal(err)
	}
	d := c.columns[0].direction.reference
	if d.Nulls() != 6 || d.Values() != 900 || d.Bins()[0] != 400 {
		t.Errorf("nulls %d, values %d, bins %v", d.Nulls(), d.Values(), d.Bins())
	}
}
