package offline

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// bothWays computes a windowed view as of an instant in groups and by a sweep over all features.
func (r *repo) bothWays(v *fstore.ViewVersion, p time.Time) (grouped, swept [][]string, err, failed error) {
	r.Helper()
	ctx := context.Background()
	s, err := r.e.sessionFor(ctx, v, nil)
	if err != nil {
		r.Fatal(err)
	}
	defer s.close()
	l, err := lookupOf(ctx, s, v, cut{visible: &p})
	if err != nil {
		r.Fatal(err)
	}
	collect := func(out *[][]string) func(*fstore.Batch) bool {
		return func(b *fstore.Batch) bool {
			*out = append(*out, boxed(b)...)
			return true
		}
	}
	err = l.asOf(ctx, p, collect(&grouped))
	w := l.(*windows)
	out := w.asOfBatches(collect(&swept))
	return grouped, swept, err, out.close(w.sweepAsOf(ctx, p, out))
}

// drawn draws the windowed views and the rows of a test.
type drawn struct{ *rand.Rand }

func oneOf[T any](d drawn, list ...T) T { return list[d.IntN(len(list))] }

// feature draws a feature of any function over the test's columns: i integer, d double, f float, s string, b boolean.
func (d drawn) feature(name string) fstore.Feature {
	function := oneOf(d, fstore.Count, fstore.Sum, fstore.Sum, fstore.Mean, fstore.Stddev, fstore.Min, fstore.Max, fstore.CountDistinct,
		fstore.Percentile, fstore.First, fstore.Last, fstore.LastN)
	x, typ := "d", fstore.Float64
	switch function {
	case fstore.Count:
		x, typ = oneOf(d, "", "i", "d", "f", "s", "b"), fstore.Int64
	case fstore.CountDistinct:
		x, typ = oneOf(d, "i", "d", "f", "s", "b"), fstore.Int64
	case fstore.Sum:
		if d.IntN(2) == 0 {
			x, typ = "i", fstore.Int64
		}
	case fstore.Min, fstore.Max, fstore.First, fstore.Last, fstore.LastN:
		types := map[string]fstore.Type{"i": fstore.Int64, "d": fstore.Float64, "f": fstore.Float32, "s": fstore.String, "b": fstore.Bool, "created": fstore.Timestamp}
		x = oneOf(d, "i", "d", "f", "s", "b", "created")
		if typ = types[x]; function == fstore.LastN {
			typ = fstore.List(typ)
		}
	default:
	}
	f := windowFeature(name, function, x, typ, oneOf(d, 0, time.Hour, days, 2*days))
	if f.Window.Length > 0 {
		f.Window.Hop = fstore.Duration(oneOf(d, time.Microsecond, 7*time.Minute, time.Hour))
	}
	f.Window.P, f.Window.N = map[bool]float64{true: 0.4}[function == fstore.Percentile], map[bool]int{true: 2}[function == fstore.LastN]
	f.Window.Where = oneOf(d, "", "", "pass", "i > 0")
	return f
}

// row draws a row. Some doubles cancel out, some are below the resolution, some are odd. Sums of integers, and large doubles,
// may not fit.
func (d drawn) row(large bool) string {
	double := oneOf(d, 0, math.Copysign(0, -1), 1, -1, 1e16, -1e16, 1e-17, 0x1p-61, 0x3p-61, 0x5p-61, -0x3p-61, 0.1, 8, -8, math.Nextafter(8, 0), 1<<62, -(1 << 65), d.NormFloat64(), d.NormFloat64())
	switch {
	case d.IntN(15) == 0:
		double = oneOf(d, math.Inf(1), math.Inf(-1), math.NaN())
	case large && d.IntN(10) == 0: // beyond what is grouped, or beyond what is a sum
		double = oneOf(d, 1<<66, -(1 << 66), 1<<66, -(1 << 66), math.Nextafter(1<<67, 0), 1<<67)
	}
	integer := d.Int64N(7) - 3
	if large && d.IntN(10) == 0 {
		integer = oneOf[int64](d, math.MaxInt64, math.MinInt64, 1<<62)
	}
	event := day.Add(-time.Duration(d.IntN(3*24*3600)-3600) * time.Second)
	created := event.Add(time.Duration(oneOf(d, 0, 0, 0, 60, 30*3600, -60)) * time.Second)
	cells := []string{
		strconv.Itoa(d.IntN(4)), created.Format(time.DateTime), strconv.FormatBool(d.IntN(2) == 0), strconv.FormatInt(integer, 10), fmt.Sprint(double),
		fmt.Sprint(oneOf(d, 0, 1.5, -2, float32(math.NaN()))), oneOf(d, "", "a", "b", "ä"), strconv.FormatBool(d.IntN(2) == 0),
	}
	for i := range cells {
		if d.IntN(8) == 0 {
			cells[i] = "NULL"
		}
	}
	return event.Format(time.DateTime) + " | " + strings.Join(cells, " | ")
}

// Whether the rows of a view are grouped or swept over, its values as of an instant are the same, and so are errors.
func TestGroupsAreWhatASweepGives(t *testing.T) {
	r := newRepo(t, 2)
	failures := 0
	for seed := range uint64(40) {
		d := drawn{rand.New(rand.NewPCG(seed, 0))}
		large, rows := d.IntN(3) == 0, []string{}
		for range oneOf(d, 0, 1, 5, 20, 60) {
			rows = append(rows, d.row(large))
		}
		r.write("s.parquet", values("event TIMESTAMP | k BIGINT | created TIMESTAMP | pass BOOLEAN | i BIGINT | d DOUBLE | f FLOAT | s VARCHAR | b BOOLEAN", rows...))
		src := source_("s.parquet")
		src.Created, src.Available = "created", fstore.Available{Created: true}
		var features []fstore.Feature
		for i := range 1 + d.IntN(12) {
			features = append(features, d.feature(fmt.Sprint("f", i)))
		}
		v := windowView(src, features...)
		if d.IntN(6) == 0 {
			v.View.Keys = nil
		}
		got, want, err, failed := r.bothWays(v, day.Add(time.Duration(d.IntN(7200)-3600)*time.Second))
		if failed != nil {
			failures++
			if key, _, _ := strings.Cut(failed.Error(), "feature"); err == nil || !strings.HasPrefix(err.Error(), key) { // of two features either may be named
				t.Errorf("seed %d: the error is %v, want %v", seed, err, failed)
			}
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("seed %d: %v, %+v: %s", seed, err, features, diff)
		}
	}
	if failures == 0 || failures > 15 {
		t.Errorf("%d of 40 views failed", failures)
	}
}

// The engine splits doubles as window.Groups puts them together, to the bit.
func TestSumsThatAreGroupedAreExact(t *testing.T) {
	r := newRepo(t, 2)
	random := rand.New(rand.NewPCG(1, 2))
	var rows []string
	var want [][]string
	for k := range 500 {
		var sum window.Sum
		for range 1 + random.IntN(12) {
			x := math.Ldexp(1-2*random.Float64(), random.IntN(66+64)-64)
			sum.Add(x, true)
			rows = append(rows, fmt.Sprintf("%d | 2011-12-08 12:00:00 | %s", k, strconv.FormatFloat(x, 'g', -1, 64)))
		}
		total, _, _ := sum.Float() // a few values stay within the range
		mean, _, _ := sum.Mean()
		row := []string{strconv.Itoa(k), "NULL", "NULL", fmt.Sprint(mean), fmt.Sprint(total)}
		if x, null := sum.Stddev(); !null {
			row[2] = fmt.Sprint(x)
		}
		want = append(want, row)
	}
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE", rows...))
	got, err := r.asOf(windowView(source_("s.parquet"), windowFeature("deviation", fstore.Stddev, "x", fstore.Float64, days),
		windowFeature("mean", fstore.Mean, "x", fstore.Float64, days), windowFeature("total", fstore.Sum, "x", fstore.Float64, days)), day)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
}

// An error of a user's SQL is the user's, whatever it says.
func TestAnErrorThatReadsLikeTheEnginesOwn(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE", "1 | 2011-12-01 | 1"))
	v := windowView(source_("s.parquet"), windowFeature("f", fstore.Sum, "CASE WHEN x > 0 THEN error('row 7: '||'"+errSplit.Message+"') ELSE x END", fstore.Float64, days*30))
	_, err := r.asOf(v, day)
	r.fails(err, "row 7")
}

// Once a row was handed on, or is about to be, a view is not computed another way.
func TestBatchesThatHaveRowsAreNotEmpty(t *testing.T) {
	out := newBatches([]fstore.Column{fstore.NewColumn("", fstore.Int64, 0)}, func(*fstore.Batch) bool { return true })
	if !out.empty() {
		t.Error("batches without a row are not empty")
	}
	for i := range batchRows + 1 {
		out.columns[0].AppendInt64(int64(i))
		if err := out.row(); err != nil || out.empty() {
			t.Fatalf("empty after row %d: %v", i, err)
		}
	}
}
