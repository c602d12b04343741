package offline

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// BenchmarkDrift counts the rows of a file of 50 numbers in the bins of a reference, beside DuckDB's own histograms of the same
// columns with the same bounds. The limit is twice their time. FSTORE_BENCH_ROWS sets the rows.
func BenchmarkDrift(b *testing.B) {
	const columns = 50
	r := emptyBenchRepo(b)
	selected := make([]string, columns)
	for i := range selected {
		selected[i] = fmt.Sprintf("sqrt(-2 * ln(1 - random())) * cos(6.283185307 * random()) * %d AS f%d", i+1, i)
	}
	sql := "SELECT " + strings.Join(selected, ", ") + " FROM range(%d) t(i)"
	r.write("statistics.parquet", fmt.Sprintf(sql, 100_000))
	r.write("current.parquet", fmt.Sprintf(sql, size("FSTORE_BENCH_ROWS", 2_000_000)))
	t := &repo{b, r.e, r.dir}
	var of []drift.Column
	var histograms []string
	for name, s := range t.statisticsOfFile() {
		of = append(of, drift.Column{Name: name, Role: drift.RoleFeature, Type: fstore.Float64, Statistics: &s})
		var bounds []string
		for _, bin := range s.Histogram {
			bounds = append(bounds, string(bin.UpTo))
		}
		histograms = append(histograms, "histogram("+name+", ["+strings.Join(bounds, ", ")+"])")
	}
	current := filepath.Join(r.dir, "current.parquet")
	bare := "SELECT " + strings.Join(histograms, ", ") + " FROM " + text(current)
	best := func(do func()) float64 { // of three
		least := math.Inf(1)
		for range 3 {
			began := time.Now()
			do()
			least = min(least, time.Since(began).Seconds())
		}
		return least
	}
	b.ResetTimer()
	for range b.N {
		limit := best(func() {
			s, err := r.e.session(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			defer s.close()
			if err := s.exec(context.Background(), "CREATE OR REPLACE TEMP TABLE h AS "+bare); err != nil {
				b.Fatal(err)
			}
		})
		heap := uint64(0)
		took := best(func() {
			counter, err := drift.NewCounter(of, "", drift.Whole)
			if err != nil {
				b.Fatal(err)
			}
			req := ColumnsRequest{Path: current}
			req.Columns, req.Nulls = counter.Wanted()
			reader, err := r.e.Columns(context.Background(), req)
			if err != nil {
				b.Fatal(err)
			}
			defer reader.Close()
			batches := 0
			if err := reader.Each(context.Background(), func(batch *fstore.Batch) error {
				if batches++; batches%200 == 0 {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					heap = max(heap, m.HeapInuse)
				}
				return counter.Add(batch)
			}); err != nil {
				b.Fatal(err)
			}
			counter.Compare(drift.Options{MinRows: 200, ShareLimit: 0.5})
		})
		b.ReportMetric(took, "s")
		b.ReportMetric(limit, "duckdb-s")
		b.ReportMetric(took/limit, "x-duckdb(limit-2)")
		b.ReportMetric(float64(heap)/(1<<20), "MB-heap")
	}
}
