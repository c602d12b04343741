package drift

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
	"pgregory.net/rapid"
)

// TestAnyInputIsCompared compares any columns, with nulls, NaN, infinities, one value, or nothing: every figure is a number that
// JSON has, scores are in their ranges, and the parts add up.
func TestAnyInputIsCompared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, 5e-324, 0}
		value := rapid.OneOf(rapid.SampledFrom(special), rapid.Float64(), rapid.Map(rapid.IntRange(-3, 3), func(i int) float64 { return float64(i) }))
		reference := finiteNumbers(t, "reference", 1)
		s := numbersOrNone(reference)
		s.Nulls = int64(rapid.IntRange(0, 5).Draw(t, "nulls"))
		c, err := NewCounter([]Column{{Name: "x", Role: RoleFeature, Type: fstore.Float64, Statistics: s}}, "", Whole)
		if err != nil {
			t.Fatal(err)
		}
		col := fstore.NewColumn("x", fstore.Float64, 0)
		for _, x := range rapid.SliceOfN(value, 0, 60).Draw(t, "current") {
			if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
				col.AppendNull()
			} else {
				col.AppendFloat64(x)
			}
		}
		if err := c.Add(&fstore.Batch{Len: col.Len, Columns: []fstore.Column{col}}); err != nil {
			t.Fatal(err)
		}
		out := c.Compare(Options{MinRows: 1, ShareLimit: DefaultShareLimit})
		if _, err := json.Marshal(out); err != nil {
			t.Fatal(err)
		}
		f := &out.Features[0]
		if f.Current.Rows != int64(col.Len) {
			t.Errorf("%d rows of %d", f.Current.Rows, col.Len)
		}
		sum := f.Current.Nulls + f.Current.NaNs + f.Current.Below + f.Current.Above + f.Current.Other
		for _, b := range f.Bins {
			sum += b.Current
		}
		if sum != f.Current.Rows {
			t.Errorf("the parts are %d of %d rows", sum, f.Current.Rows)
		}
		for _, check := range f.Checks {
			most := math.Inf(1)
			switch check.Name {
			case CheckNullRate, CheckUnseen, CheckOutOfRange, CheckJS, CheckKS:
				most = 1
			case CheckWasserstein, CheckPSI, CheckCosine: // have no bound
			}
			if check.Value != nil && !(*check.Value >= 0 && *check.Value <= most) {
				t.Errorf("%s is %v", check.Name, *check.Value)
			}
			if check.AtMost != nil && *check.AtMost < *check.Value-1e-9*math.Abs(*check.Value) {
				t.Errorf("%s is at least %v and at most %v", check.Name, *check.Value, *check.AtMost)
			}
		}
	})
}

// numbersOrNone describes numbers, also a single one.
func numbersOrNone(values []float64) *stats.Statistics {
	if len(values) > 1 {
		return numbers(values...)
	}
	s := statisticsAt([]float64{values[0], values[0]})
	s.Count, s.Histogram[0].Count, s.Histogram[0].Mean = 1, 1, &values[0]
	return s
}

// A reference of nulls has no bins: values that appear are a change of the share of nulls. The other way round too.
func TestNullsAppearAndGo(t *testing.T) {
	nothing := &stats.Statistics{Nulls: 1000}
	f := compareNumbers(t, nothing, make([]float64, 1000))
	if f.Verdict != Drifted || !strings.Contains(f.Reason, "nulls changed by 100.0 %") {
		t.Errorf("%s: %s", f.Verdict, f.Reason)
	}
	nans := make([]float64, 1000)
	for i := range nans {
		nans[i] = math.NaN()
	}
	f = compareNumbers(t, numbers(sequence(1000)...), nans)
	if f.Verdict != Drifted || !strings.Contains(f.Reason, "nulls changed by 100.0 %") || f.Current.NaNs != 1000 {
		t.Errorf("%s: %s", f.Verdict, f.Reason)
	}
	f = compareNumbers(t, numbers(sequence(1000)...), nil)
	if f.Verdict != TooFew {
		t.Errorf("no rows: %s: %s", f.Verdict, f.Reason)
	}
}

func sequence(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out
}

// A constant has no deviation, so no Wasserstein distance in deviations; what leaves it is out of range.
func TestAConstantDrifts(t *testing.T) {
	constant := make([]float64, 1000)
	f := compareNumbers(t, numbers(constant...), constant)
	if f.Verdict != Stable {
		t.Errorf("%s: %s", f.Verdict, f.Reason)
	}
	moved := append(make([]float64, 900), sequence(100)...)
	f = compareNumbers(t, numbers(constant...), moved)
	if f.Verdict != Drifted || !strings.Contains(f.Reason, "out of the reference's range") {
		t.Errorf("%s: %s", f.Verdict, f.Reason)
	}
}

// Windows are bounded, and divide time as calendars do.
func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		by         Period
		at         string
		start, end string
	}{
		{Hour, "2025-11-03T10:59:59.999999Z", "2025-11-03T10:00:00Z", "2025-11-03T11:00:00Z"},
		{Day, "1969-12-31T23:59:59Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
		{Week, "2025-11-09T23:00:00Z", "2025-11-03T00:00:00Z", "2025-11-10T00:00:00Z"},
		{Week, "2025-11-10T00:00:00Z", "2025-11-10T00:00:00Z", "2025-11-17T00:00:00Z"},
		{Month, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
	} {
		at, err := fstore.ParseTime(c.at)
		if err != nil {
			t.Fatal(err)
		}
		start := c.by.start(fstore.Micros(at))
		if got, end := fstore.FormatTime(fstore.FromMicros(start)), fstore.FormatTime(fstore.FromMicros(c.by.end(start))); got != c.start || end != c.end {
			t.Errorf("%s of %s: %s to %s, want %s to %s", c.by, c.at, got, end, c.start, c.end)
		}
	}
	c, err := NewCounter(nil, "t", Hour)
	if err != nil {
		t.Fatal(err)
	}
	col := fstore.NewColumn("t", fstore.Timestamp, 0)
	for i := range maxWindows + 1 {
		col.AppendInt64(int64(i) * hour)
	}
	if err := c.Add(&fstore.Batch{Len: col.Len, Columns: []fstore.Column{col}}); err == nil || !strings.Contains(err.Error(), "more than 2000 windows (hour)") {
		t.Error(err)
	}
}
