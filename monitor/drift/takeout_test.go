package drift

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
	"pgregory.net/rapid"
)

func float(x float64) *fstore.Value { return &fstore.Value{Column: *columnOf(x)} }

// failing is a test or a check of a property.
type failing interface {
	Helper()
	Fatal(args ...any)
}

func counterOf(t failing, s *stats.Statistics) *Counter {
	t.Helper()
	c, err := NewCounter([]Column{{Name: "x", Role: RoleFeature, Type: fstore.Float64, Statistics: s}}, "", Whole)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWhatIsTakenOutWasNeverThere: a reference with rows of a default, or of nulls, taken out is that of the other rows: its counts,
// mean, standard deviation, and how many values are distinct.
func TestWhatIsTakenOutWasNeverThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := finiteNumbers(t, "values", 2)
		x := rapid.SampledFrom(append(values[:len(values):len(values)], 0, -1, 100)).Draw(t, "default")
		n := rapid.IntRange(1, 300).Draw(t, "n")
		s := numbers(slices.Concat(values, slices.Repeat([]float64{x}, n))...)
		s.Nulls = int64(rapid.IntRange(0, 9).Draw(t, "nulls"))
		c := counterOf(t, s)
		of := c.columns[0]
		few := rapid.Int64Range(0, s.Nulls).Draw(t, "nulls taken")
		if err := c.TakeOut("x", nil, few); err != nil {
			t.Fatal(err)
		}
		if err := c.TakeOut("x", float(x), int64(n)); err != nil {
			t.Fatal(err)
		}
		want := counted(of.edges, values...)
		want.Slots[0] = s.Nulls - few
		if !slices.Equal(of.reference.Slots, want.Slots) || of.takenOut != int64(n)+few {
			t.Fatalf("%v, want %v; %d taken", of.reference.Slots, want.Slots, of.takenOut)
		}
		mean, squares, scale := want.Sum()/float64(len(values)), 0.0, math.Abs(x)
		for _, v := range values {
			squares += (v - mean) * (v - mean)
			scale = max(scale, math.Abs(v))
		}
		if got := of.reference.Sum() / float64(len(values)); !near(got, mean, scale*float64(n+1)) {
			t.Errorf("mean %v, want %v", got, mean)
		}
		all := *s.Stddev * *s.Stddev * float64(s.Count-1)
		got, exact := of.stddev, math.Sqrt(squares/float64(len(values)))
		switch {
		case squares > 1e-9*all && (got == nil || math.Abs(*got-exact) > 0.05*exact), squares > 1e-6*all && math.Abs(*got-exact) > 1e-6*exact:
			t.Errorf("standard deviation %v, want %v", got, exact)
		case squares == 0 && got != nil:
			t.Errorf("standard deviation %v of equal numbers", *got)
		}
		slices.Sort(values)
		binned := *s.Distinct == int64(len(s.Histogram)) // each value has a bin, as the lock has them up to 20
		if distinct := int64(len(slices.Compact(values))); binned && of.few() != (distinct <= fewNumbers) {
			t.Errorf("%d distinct values, few: %v", distinct, of.few())
		}
	})
}

// A default so far from all values that their deviation drowns in rounding leaves none, rather than a wrong one.
func TestAFarDefaultLeavesNoDeviation(t *testing.T) {
	for x, want := range map[float64]bool{-1e12: false, -1e6: true} {
		c := counterOf(t, numbers(append(slices.Repeat([]float64{x}, 100), sequence(2000)...)...))
		if err := c.TakeOut("x", float(x), 100); err != nil {
			t.Fatal(err)
		}
		got := c.columns[0].stddev
		if exact := 2000 / math.Sqrt(12); (got != nil) != want || got != nil && math.Abs(*got-exact) > 1e-4*exact {
			t.Errorf("%v: standard deviation %v", x, got)
		}
	}
}

// A lock from somebody else may say anything of how many rows had a value.
func TestMoreIsTakenOutThanThereIs(t *testing.T) {
	s := numbers(sequence(1000)...)
	s.Nulls = 10
	for _, c := range []struct {
		value  *fstore.Value
		n      int64
		stddev float64
		want   string
	}{
		{nil, 11, 289, "11 rows of a value are not among 10"},
		{nil, -1, 289, "-1 rows"},
		{float(3), 52, 289, "52 rows of a value are not among 50"},
		{float(-7), 1, 289, "are not among 0"},
		{float(math.Inf(1)), 1, 289, "are not among 0"},
		{float(999), 20, 289, "<nil>"},
		{float(999), 20, 1, "the standard deviation is less than"},
	} {
		of := *s
		of.Stddev = &c.stddev
		if err := counterOf(t, &of).TakeOut("x", c.value, c.n); !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%v of %v: %v, want %s", c.n, c.value, err, c.want)
		}
	}
}

// Where nulls are not judged, values are, and a column of which only nulls can be compared is not compared.
func TestNullsAreIgnored(t *testing.T) {
	s := numbers(sequence(1000)...)
	s.Nulls = 1000
	for _, x := range []struct {
		s    *stats.Statistics
		want Verdict
	}{{s, Stable}, {&stats.Statistics{Count: 1000, Nulls: 1000}, NotCompared}} {
		c := counterOf(t, x.s)
		c.IgnoreNulls("x", "Not judged.")
		if err := c.Add(&fstore.Batch{Len: 1000, Columns: []fstore.Column{*columnOf(sequence(1000)...)}}); err != nil {
			t.Fatal(err)
		}
		f := c.Compare(Options{MinRows: 1, ShareLimit: DefaultShareLimit, Rule: fstore.DriftRule{Checks: map[CheckName]fstore.DriftThreshold{CheckNullRate: {At: 0.1}}}}).Features[0]
		if f.Verdict != x.want || !strings.HasSuffix(f.Reason, "Not judged.") {
			t.Errorf("%s: %s", f.Verdict, f.Reason)
		}
	}
}

// The age of a default differs from row to row, so it cannot be taken out.
func TestAnAgeWithADefaultIsNotCompared(t *testing.T) {
	age := numbers(sequence(1000)...)
	s := &stats.Statistics{Count: 1000, Age: age}
	c, err := NewCounter([]Column{{Name: "x", Role: RoleFeature, Type: fstore.Timestamp, Statistics: s}}, "", Whole)
	if err != nil {
		t.Fatal(err)
	}
	at := fstore.NewColumn("x", fstore.Timestamp, 1)
	at.AppendInt64(0)
	if err := c.TakeOut("x", &fstore.Value{Column: at}, 5); err != nil {
		t.Fatal(err)
	}
	if f := c.Compare(Options{MinRows: 1}).Features[0]; f.Verdict != NotCompared || !strings.Contains(f.Reason, "whose age differs") {
		t.Errorf("%s: %s", f.Verdict, f.Reason)
	}
}
