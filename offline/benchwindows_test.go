package offline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// benchWindows returns a view with windows of 1, 7, 30 and 90 days that end every microsecond, of each function.
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
// labels and the rows. The goal for sum, count and mean is 1.5 times its time. Late rows are available up to a day after their
// event; their bare query takes created for the time, because a window query has only one time.
func BenchmarkTrainingOfWindows(b *testing.B) {
	r := benchRepo(b)
	for _, c := range []struct {
		name      string
		functions []fstore.Function
		bare      []string
		time      string
	}{
		{"sum_count_mean", sumCountMean, bareSumCountMean, "event"},
		{"late_rows", sumCountMean, bareSumCountMean, "created"},
		{"min", []fstore.Function{fstore.Min}, []string{"min(f1)"}, "event"},
		{"max", []fstore.Function{fstore.Max}, []string{"max(f1)"}, "event"},
		{"stddev", []fstore.Function{fstore.Stddev}, []string{"stddev(f1)"}, "event"},
		{"count_distinct", []fstore.Function{fstore.CountDistinct}, []string{"count(DISTINCT f1)"}, "event"},
		{"percentile", []fstore.Function{fstore.Percentile}, []string{"quantile_cont(f1, 0.5)"}, "event"},
	} {
		b.Run(c.name, func(b *testing.B) {
			src := source_("s.parquet")
			if c.time == "created" {
				src.Created, src.Available = "created", fstore.Available{Created: true}
			}
			for b.Loop() {
				trainWindows(b, r, benchWindows(src, c.functions...), bareWindows(r, c.time, c.bare))
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

var (
	sumCountMean     = []fstore.Function{fstore.Sum, fstore.Count, fstore.Mean}
	bareSumCountMean = []string{"sum(f1)", "count(f1)", "avg(f1)"}
)

// trainWindows runs a bare query, makes a training set, and reports the times of both.
func trainWindows(b *testing.B, r *repo, v *fstore.ViewVersion, bare string) {
	b.Helper()
	began := time.Now()
	r.run(b, bare)
	limit := time.Since(began).Seconds()
	req := r.request("l.parquet", all(v))
	req.Clock = time.Now
	s, err := r.e.TrainingSet(context.Background(), req)
	if err != nil {
		b.Fatal(err)
	}
	reportJoin(b, s, limit)
}

// bareWindows is the window query over labels and rows, of which only the labels are kept.
func bareWindows(r *repo, at string, aggregates []string) string {
	columns, frames := []string{}, []string{}
	for i, n := range []int{1, 7, 30, 90} {
		frames = append(frames, fmt.Sprintf("w%d AS (PARTITION BY k ORDER BY t RANGE BETWEEN INTERVAL %d DAY PRECEDING AND CURRENT ROW)", i, n))
		for j, a := range aggregates {
			columns = append(columns, fmt.Sprintf("%s OVER w%d AS c%d_%d", a, i, i, j))
		}
	}
	return "COPY (SELECT * FROM (SELECT k, t, n, " + strings.Join(columns, ", ") + " FROM (SELECT k, " + at + " AS t, NULL AS n, f1 FROM " + text(r.dir+"/s.parquet") +
		" UNION ALL SELECT k, t, n, NULL FROM " + text(r.dir+"/l.parquet") + ") WINDOW " + strings.Join(frames, ", ") + ") WHERE n IS NOT NULL) TO " + text(r.dir+"/limit.parquet") + " (FORMAT parquet)"
}

// BenchmarkAsOfWindows measures four windows as of an instant beside one bare GROUP BY with FILTER. The goal for five functions is
// twice its time.
func BenchmarkAsOfWindows(b *testing.B) {
	r := benchRepo(b)
	for _, c := range []struct {
		name      string
		functions []fstore.Function
		bare      []string
	}{
		{"sum_count_mean_min_max", fiveFunctions, bareFiveFunctions},
		{"stddev", []fstore.Function{fstore.Stddev}, []string{"stddev(f1)"}},
		{"count_distinct", []fstore.Function{fstore.CountDistinct}, []string{"count(DISTINCT f1)"}},
		{"percentile", []fstore.Function{fstore.Percentile}, []string{"quantile_cont(f1, 0.5)"}},
		{"last", []fstore.Function{fstore.Last}, []string{"arg_max(f1, event)"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				asOfWindows(b, r, c.functions, c.bare)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

var (
	fiveFunctions     = []fstore.Function{fstore.Sum, fstore.Count, fstore.Mean, fstore.Min, fstore.Max}
	bareFiveFunctions = []string{"sum(f1)", "count(f1)", "avg(f1)", "min(f1)", "max(f1)"}
)

// asOfWindows runs a bare query, computes the same windows as of an instant, and reports the times of both.
func asOfWindows(b *testing.B, r *repo, functions []fstore.Function, aggregates []string) {
	b.Helper()
	p := time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC)
	var columns []string
	for _, n := range []int{1, 7, 30, 90} {
		for _, a := range aggregates {
			columns = append(columns, fmt.Sprintf("%s FILTER (event > %s - INTERVAL %d DAY)", a, instant(p), n))
		}
	}
	began := time.Now()
	r.run(b, "SELECT k, "+strings.Join(columns, ", ")+" FROM "+text(r.dir+"/s.parquet")+" WHERE event <= "+instant(p)+" GROUP BY k ORDER BY k")
	bare := time.Since(began).Seconds()
	began = time.Now()
	for _, err := range r.e.AsOf(context.Background(), benchWindows(source_("s.parquet"), functions...), p) {
		if err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(began).Seconds()
	b.ReportMetric(bare, "limit-s")
	b.ReportMetric(took, "as-of-s")
	b.ReportMetric(took/bare, "x_of_limit")
}

// BenchmarkGrowthOfWindows measures how the time of training and of an instant grows with the events, for a million labels.
func BenchmarkGrowthOfWindows(b *testing.B) {
	for _, millions := range []int{1, 3, 10, 30} {
		b.Run(fmt.Sprintf("events=%dM", millions), func(b *testing.B) {
			r := benchRepoOf(b, millions*1_000_000, size("FSTORE_BENCH_LABELS", 1_000_000))
			b.Run("training", func(b *testing.B) {
				for b.Loop() {
					trainWindows(b, r, benchWindows(source_("s.parquet"), sumCountMean...), bareWindows(r, "event", bareSumCountMean))
				}
				b.ReportMetric(0, "ns/op")
			})
			b.Run("as_of", func(b *testing.B) {
				for b.Loop() {
					asOfWindows(b, r, fiveFunctions, bareFiveFunctions)
				}
				b.ReportMetric(0, "ns/op")
			})
		})
	}
}
