package offline

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// windowView returns a view of daily windows that end at 00:00.
func windowView(src fstore.Source, features ...fstore.Feature) *fstore.ViewVersion {
	v := view(src, []string{"k int64"}, nil)
	v.Ref.Name, v.View.Name = "windows", "windows"
	v.View.Publish = &fstore.Publish{Every: fstore.Duration(24 * time.Hour)}
	v.View.Features = features
	return v
}

func windowFeature(name string, f fstore.Function, x string, t fstore.Type, length time.Duration) fstore.Feature {
	w := &fstore.Window{Function: f, Expression: x, Length: fstore.Duration(length)}
	if length > 0 {
		w.Hop = fstore.Duration(time.Microsecond)
	}
	return fstore.Feature{Name: name, Type: t, Window: w}
}

const days = 24 * time.Hour

// What a week looks like from several days, as training and as of the day, with the counts of the summary.
func TestWindowsThatEndAtPublications(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT",
			"1 | 2011-12-01 | 10", "1 | 2011-12-02 12:00:00 | 20", "1 | 2011-12-05 | NULL", "2 | 2011-12-03 | 40", "NULL | 2011-12-01 | 50", "3 | NULL | 60"))
		v := windowView(source_("s.parquet"),
			windowFeature("n_2d", fstore.Count, "", fstore.Int64, 2*days),
			windowFeature("sum_2d", fstore.Sum, "x", fstore.Int64, 2*days),
			windowFeature("sum_ever", fstore.Sum, "x -- of all time", fstore.Int64, 0))
		v.View.Features[0].Default = value(fstore.Int64, int64(0))
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP",
			"1 | 2011-11-30", "1 | 2011-12-01 23:00:00", "1 | 2011-12-02 13:00:00", "1 | 2011-12-03", "1 | 2011-12-05", "1 | 2011-12-09", "1 | 2011-12-09", "3 | 2011-12-09", "NULL | 2011-12-09")))
		got, sum := r.train(r.request("l.parquet", all(v)))
		r.check(got,
			"1 | 2011-11-30 00:00:00 | 0 | NULL | NULL",
			"1 | 2011-12-01 23:00:00 | 1 | 10 | 10",
			"1 | 2011-12-02 13:00:00 | 1 | 10 | 10",
			"1 | 2011-12-03 00:00:00 | 1 | 20 | 30",
			"1 | 2011-12-05 00:00:00 | 1 | NULL | 30",
			"1 | 2011-12-09 00:00:00 | 0 | NULL | 30",
			"1 | 2011-12-09 00:00:00 | 0 | NULL | 30",
			"3 | 2011-12-09 00:00:00 | 0 | NULL | NULL",
			"NULL | 2011-12-09 00:00:00 | 0 | NULL | NULL")
		c := sum.Views[0]
		if got := fmt.Sprint(c.WithValue, c.Stale, c.NotAvailable, c.Late, c.Unpublished); got != "6 0 0 0 1" || c.NoRow != sum.Rows-6 {
			r.Errorf("the summary counts %s, and %d of %d without a row", got, c.NoRow, sum.Rows)
		}
		rows, err := r.asOf(v, time.Date(2011, 12, 5, 0, 0, 0, 0, time.UTC))
		if err != nil {
			r.Fatal(err)
		}
		r.check(rows, "1 | NULL | 1 | NULL | 30", "2 | NULL | NULL | NULL | 40")
	})
}

// A value or a sum that fits no type names the view, the key, the feature and the rows.
func TestSumsThatDoNotFit(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT | y DOUBLE",
		"1 | 2011-12-01 | 1 | 1", fmt.Sprintf("2 | 2011-12-01 | %d | 2e20", int64(math.MaxInt64)), "2 | 2011-12-02 | 1 | 1", "3 | 2011-12-01 | 1 | 1"))
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-09", "2 | 2011-12-09"))
	for _, f := range []fstore.Feature{
		windowFeature("total", fstore.Sum, "x", fstore.Int64, 0),
		windowFeature("total", fstore.Sum, "y", fstore.Float64, 0),
		windowFeature("total", fstore.Sum, "x", fstore.Int64, 30*days),
		windowFeature("total", fstore.Sum, "y", fstore.Float64, 30*days),
	} {
		sum, rows := "up to 2011-12-02T00:00:00Z", "up to "+fstore.FormatTime(day)
		if f.Window.Length > 0 {
			sum = "after 2011-11-09T00:00:00Z and " + sum
			rows = "after " + fstore.FormatTime(day.Add(-30*days)) + " and " + rows
		}
		v := windowView(source_("s.parquet"), f)
		_, err := r.e.TrainingSet(context.Background(), r.request("l.parquet", all(v)))
		r.fails(err, "windows@1", "key k 2", "feature total, over the rows "+sum)
		_, err = r.asOf(v, day)
		r.fails(err, "windows@1", "key k 2", "feature total, over the rows ")
		if f.Type == fstore.Int64 { // a double that is too large is not grouped
			r.fails(err, "over the rows "+rows)
		}
		if err != nil && strings.Contains(err.Error(), "key k 3") {
			r.Errorf("the error names another key: %v", err)
		}
	}
}

// An expression is computed for the rows that pass alone, and an error in it names a feature.
func TestConditionsGuardExpressions(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x VARCHAR | y DOUBLE", "1 | 2011-12-01 | 7 | 1", "1 | 2011-12-02 | none | 1e21"))
	f, g := windowFeature("total", fstore.Sum, "x::BIGINT", fstore.Int64, 0), windowFeature("whole", fstore.Sum, "y", fstore.Int64, 0)
	f.Window.Where, g.Window.Where = "x <> 'none'", "y < 1e10"
	rows, err := r.asOf(windowView(source_("s.parquet"), f, g), day)
	if err != nil {
		t.Fatal(err)
	}
	r.check(rows, "1 | NULL | 7 | 1")
	g.Window.Where = ""
	_, err = r.asOf(windowView(source_("s.parquet"), g), day)
	r.fails(err, "view windows@1, the expression of whole (y): 1e+21 is not an int64, in the row of k 1 at 2011-12-02T00:00:00Z")
	g.Window.Expression, g.Window.Where = "y", "x::BIGINT > 0"
	_, err = r.asOf(windowView(source_("s.parquet"), f, g), day)
	r.fails(err, "as of 2011-12-09T00:00:00Z: view windows@1, the condition of whole (x::BIGINT > 0): Could not convert string 'none' to INT64")
}

// A definition that no checker has seen, such as a lock's, is refused whatever is in it.
func TestWindowsThatAreNone(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 1"))
	good := windowFeature("f", fstore.Sum, "x", fstore.Int64, days)
	for what, spoil := range map[string]func(f *fstore.Feature){
		"not a function":         func(f *fstore.Feature) { f.Window.Function = "product" },
		"does not give a string": func(f *fstore.Feature) { f.Type = fstore.String },
		"cannot move by 0s":      func(f *fstore.Feature) { f.Window.Hop = 0 },
		"a window of -1d":        func(f *fstore.Feature) { f.Window.Length = -fstore.Duration(days) },
		"needs an expression":    func(f *fstore.Feature) { f.Window.Expression = "" },
		"from 0 to 1":            func(f *fstore.Feature) { f.Window.P = math.NaN() },
		"from 1 to 100": func(f *fstore.Feature) {
			f.Window.Function, f.Type, f.Window.N = fstore.LastN, fstore.List(fstore.Int64), 1e9
		},
		"x_typo":             func(f *fstore.Feature) { f.Window.Expression = "x_typo" },
		"cannot be declared": func(f *fstore.Feature) { f.Window.Where = "x" },
		"syntax error":       func(f *fstore.Feature) { f.Window.Expression = "x) FROM s -- (" },
		"Cannot access file": func(f *fstore.Feature) { f.Window.Expression = "(SELECT max(c) FROM read_csv('/etc/passwd') t(c))" },
	} {
		f := good
		w := *good.Window
		f.Window = &w
		spoil(&f)
		_, err := r.asOf(windowView(source_("s.parquet"), f), day)
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	mixed := windowView(source_("s.parquet"), good, fstore.Feature{Name: "x", Type: fstore.Int64, Column: "x"})
	_, err := r.asOf(mixed, day)
	r.fails(err, "no window")
	_, err = r.e.Query(context.Background(), QueryRequest{View: windowView(source_("s.parquet"), good), Limit: 1})
	r.fails(err, "has none of its own")
}
