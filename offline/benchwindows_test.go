package offline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// benchWindows returns a view with windows of 1, 7, 30 and 90 days that end every hour, of each function.
func benchWindows(src fstore.Source, functions ...fstore.Function) *fstore.ViewVersion {
	var features []fstore.Feature
	for _, n := range []int{1, 7, 30, 90} {
		for _, f := range functions {
			t := fstore.Float64
			if f == fstore.Count || f == fstore.CountDistinct {
				t = fstore.Int64
			}
			one := windowFeature(fmt.Sprintf("%s_%dd", f, n), f, "f1", t, time.Duration(n)*days)
			one.Window.P = map[bool]float64{true: 0.5}[f == fstore.Percentile]
			features = append(features, one)
		}
	}
	v := windowView(src, features...)
	v.View.Publish = &fstore.Publish{Every: fstore.Duration(time.Microsecond)}
	return v
}

// BenchmarkTrainingOfWindows measures join and write of a training set of four windows beside one bare window query over the
// labels and the rows. The goal for sum, count and mean is 1.5 times its time.
func BenchmarkTrainingOfWindows(b *testing.B) {
	r := benchRepo(b)
	src := source_("s.parquet")
	for _, c := range []struct {
		name      string
		functions []fstore.Function
		bare      []string
	}{
		{"sum_count_mean", []fstore.Function{fstore.Sum, fstore.Count, fstore.Mean}, []string{"sum(f1)", "count(f1)", "avg(f1)"}},
		{"min_max", []fstore.Function{fstore.Min, fstore.Max}, []string{"min(f1)", "max(f1)"}},
		{"stddev", []fstore.Function{fstore.Stddev}, []string{"stddev(f1)"}},
		{"count_distinct", []fstore.Function{fstore.CountDistinct}, []string{"count(DISTINCT f1)"}},
		{"percentile", []fstore.Function{fstore.Percentile}, []string{"quantile_cont(f1, 0.5)"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			list := all(benchWindows(src, c.functions...))
			for b.Loop() {
				began := time.Now()
				r.run(b, bareWindows(r, c.bare))
				bare := time.Since(began).Seconds()
				req := r.request("l.parquet", list)
				req.Clock = time.Now
				s, err := r.e.TrainingSet(context.Background(), req)
				if err != nil {
					b.Fatal(err)
				}
				reportJoin(b, s, bare)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// bareWindows is the window query over labels and rows, of which only the labels are kept.
func bareWindows(r *repo, aggregates []string) string {
	columns, frames := []string{}, []string{}
	for i, n := range []int{1, 7, 30, 90} {
		frames = append(frames, fmt.Sprintf("w%d AS (PARTITION BY k ORDER BY t RANGE BETWEEN INTERVAL %d DAY PRECEDING AND CURRENT ROW)", i, n))
		for j, a := range aggregates {
			columns = append(columns, fmt.Sprintf("%s OVER w%d AS c%d_%d", a, i, i, j))
		}
	}
	return "COPY (SELECT * FROM (SELECT k, t, n, " + strings.Join(columns, ", ") + " FROM (SELECT k, event AS t, NULL AS n, f1 FROM " + text(r.dir+"/s.parquet") +
		" UNION ALL SELECT k, t, n, NULL FROM " + text(r.dir+"/l.parquet") + ") WINDOW " + strings.Join(frames, ", ") + ") WHERE n IS NOT NULL) TO " + text(r.dir+"/limit.parquet") + " (FORMAT parquet)"
}

// BenchmarkAsOfWindows measures four windows of five functions as of an instant beside one bare GROUP BY with FILTER. The
// goal is twice its time.
func BenchmarkAsOfWindows(b *testing.B) {
	r := benchRepo(b)
	v := benchWindows(source_("s.parquet"), fstore.Sum, fstore.Count, fstore.Mean, fstore.Min, fstore.Max)
	p := time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC)
	var columns []string
	for _, n := range []int{1, 7, 30, 90} {
		for _, f := range []string{"sum", "count", "avg", "min", "max"} {
			columns = append(columns, fmt.Sprintf("%s(f1) FILTER (event > %s - INTERVAL %d DAY)", f, instant(p), n))
		}
	}
	for b.Loop() {
		began := time.Now()
		r.run(b, "SELECT k, "+strings.Join(columns, ", ")+" FROM "+text(r.dir+"/s.parquet")+" WHERE event <= "+instant(p)+" GROUP BY k ORDER BY k")
		bare := time.Since(began).Seconds()
		began = time.Now()
		for _, err := range r.e.AsOf(context.Background(), v, p) {
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(bare, "limit-s")
		b.ReportMetric(time.Since(began).Seconds()/bare, "x_of_limit")
	}
	b.ReportMetric(0, "ns/op")
}
