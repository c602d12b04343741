package offline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkWideTrainingSet makes whole training sets of 10,000 labels with more and more columns, features or labels or labels in CSV, beside a
// bare ASOF join that reads and writes as many. The goal is 3 times its time, and as much time a column whatever their number.
// FSTORE_BENCH_COLUMNS adds a number of columns.
func BenchmarkWideTrainingSet(b *testing.B) {
	columns := []int{500, 1000, 2000, 4000}
	if n := size("FSTORE_BENCH_COLUMNS", 0); n > 0 {
		columns = []int{n}
	}
	for _, kind := range []string{"features", "labels", "csv"} {
		for _, n := range columns {
			b.Run(fmt.Sprintf("%s=%d", kind, n), func(b *testing.B) { measureWide(b, kind, n) })
		}
	}
}

func measureWide(b *testing.B, kind string, n int) {
	r := emptyBenchRepo(b)
	var more strings.Builder
	features := []string{"f float64"}
	for i := range n {
		fmt.Fprintf(&more, ", random() AS f%d", i)
		if kind == "features" {
			features = append(features, fmt.Sprintf("f%d float64", i))
		}
	}
	rows := func(of, at string) string {
		q := "SELECT (i % 1000)::BIGINT AS k, make_timestamp(1300000000000000 + (hash(i + 99) % 31536000)::BIGINT * 1000000) AS " + at
		if of == kind {
			q += more.String()
		}
		return q + ", random() AS " + of[:1] + " FROM range(10000) t(i)"
	}
	r.write("s.parquet", rows("features", "event"))
	labels := "l.parquet"
	if kind == "csv" {
		kind, labels = "labels", "l.csv"
	}
	r.write(labels, rows("labels", "t"))
	names := make([]string, 0, len(features))
	for _, f := range features {
		names = append(names, "s."+strings.TrimSuffix(f, " float64"))
	}
	v := view(source_("s.parquet"), []string{"k int64"}, features)
	limit, ours := 0.0, 0.0
	for b.Loop() {
		began := time.Now()
		r.run(b, "COPY (SELECT l.*, "+strings.Join(names, ", ")+" FROM "+text(r.dir+"/"+labels)+" l ASOF LEFT JOIN "+text(r.dir+"/s.parquet")+
			" s ON l.k = s.k AND l.t >= s.event) TO "+text(r.dir+"/limit.parquet")+" ("+fileOptions+")")
		limit += time.Since(began).Seconds()
		req := r.request(labels, all(v))
		req.Clock = time.Now
		began = time.Now()
		s, err := r.e.TrainingSet(context.Background(), req)
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began).Seconds()
		reportStages(b, s)
	}
	reportRatio(b, ours, limit)
	b.ReportMetric(ours/float64(b.N)/float64(n)*1e6, "µs/column")
}

func reportStages(b *testing.B, s *TrainingSummary) {
	b.Helper()
	for _, stage := range s.Seconds {
		b.ReportMetric(stage.Seconds, strings.ReplaceAll(stage.Stage, " ", "-")+"-s")
	}
}

// reportRatio reports the seconds of all runs, of ours and of the limit beside it.
func reportRatio(b *testing.B, ours, limit float64) {
	b.Helper()
	b.ReportMetric(ours/float64(b.N), "whole-s")
	b.ReportMetric(limit/float64(b.N), "limit-s")
	b.ReportMetric(ours/limit, "x_of_limit")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkWholeTrainingSet makes whole training sets, with summary, digests and statistics, of 10 features for a million
// labels from 10 million rows, beside a bare ASOF join written in the order of the labels. The goal is 1.5 times its time.
func BenchmarkWholeTrainingSet(b *testing.B) {
	r := benchRepo(b)
	random, names, features := "", []string{}, []string{}
	for i := range 10 {
		random += fmt.Sprintf(", random() AS g%d", i)
		names, features = append(names, fmt.Sprintf("g%d", i)), append(features, fmt.Sprintf("g%d float64", i))
	}
	r.write("s10.parquet", "SELECT k, event"+random+" FROM "+text(r.dir+"/s.parquet"))
	v := view(source_("s10.parquet"), []string{"k int64"}, features)
	limit, ours := 0.0, 0.0
	for b.Loop() {
		began := time.Now()
		r.run(b, "COPY (SELECT l.k, l.t, l.n, "+strings.Join(names, ", ")+" FROM (SELECT *, file_row_number AS row FROM read_parquet("+text(r.dir+"/l.parquet")+
			", file_row_number = true)) l ASOF LEFT JOIN "+text(r.dir+"/s10.parquet")+" s ON l.k = s.k AND l.t >= s.event ORDER BY l.row) TO "+
			text(r.dir+"/limit.parquet")+" ("+fileOptions+")")
		limit += time.Since(began).Seconds()
		req := r.request("l.parquet", all(v))
		req.Clock = time.Now
		began = time.Now()
		s, err := r.e.TrainingSet(context.Background(), req)
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began).Seconds()
		reportStages(b, s)
	}
	reportRatio(b, ours, limit)
}
