package bench

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/test/free"
)

// BenchmarkMaterializeWindows measures a first load of four windows of five functions over ten million events into a real
// Redis, and then a run after one new file of 1 % of the events, for the publication of the next day.
func BenchmarkMaterializeWindows(b *testing.B) {
	for _, keys := range []int{10_000, 200_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			for b.Loop() {
				materializeWindows(b, keys)
			}
			b.ReportMetric(0, "ns/op") // a loop generates data, too
		})
	}
}

func materializeWindows(b *testing.B, keys int) {
	dir := b.TempDir()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for day := range 100 {
		generateEvents(b, db, dir, keys, day)
	}
	engine, err := offline.Open(offline.Options{TempDir: filepath.Join(dir, "tmp"), Dir: dir, Digests: filepath.Join(dir, "digests")})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	store := openRedis(b, redistest.StartTCP(b))
	v := windowedView(filepath.Join(dir, "events-*.parquet"))
	run := func(day int) (materialize.Seconds, float64) {
		now := epoch.AddDate(0, 0, day)
		began := time.Now()
		s, err := materialize.Run(context.Background(), materialize.Options{
			Views: []*fstore.ViewVersion{v}, To: now, Now: func() time.Time { return now }, State: filepath.Join(dir, "state"),
			Source: engine, Sink: project.Sink{Store: store}, Leases: &free.Leases{}, Clock: project.Clock{Time: time.Now},
		})
		if err != nil {
			b.Fatal(err)
		}
		return s[0].Seconds, time.Since(began).Seconds()
	}
	first, took := run(100)
	b.ReportMetric(took, "first-s")
	b.ReportMetric(first.Compute, "first-compute-s")
	generateEvents(b, db, dir, keys, 100)
	again, tookAgain := run(101)
	b.ReportMetric(tookAgain, "again-s")
	b.ReportMetric(again.Compute, "again-compute-s")
	b.ReportMetric(tookAgain/took, "x_of_first")
	b.ReportMetric(again.Compute/first.Compute, "x_of_first_compute")
}

// generateEvents writes the file of a day's events: one in a hundred of ten million.
func generateEvents(b *testing.B, db *sql.DB, dir string, keys, day int) {
	b.Helper()
	_, err := db.Exec(fmt.Sprintf(`COPY (
  SELECT (hash(i) %% %d)::BIGINT AS customer_id, TIMESTAMP '2026-01-01' + to_days(%d) + to_seconds((hash(i + 7) %% 86400)::BIGINT) AS event, random() AS x
  FROM range(%d, %d) t(i)
) TO '%s' (FORMAT parquet)`, keys, day, day*100_000, (day+1)*100_000, filepath.Join(dir, fmt.Sprintf("events-%03d.parquet", day))))
	if err != nil {
		b.Fatal(err)
	}
}

// windowedView returns a view of windows of 1, 7, 30 and 90 days of five functions.
func windowedView(path string) *fstore.ViewVersion {
	const day = 24 * time.Hour
	v := wideView("activity", 0)
	v.Sources = []fstore.Source{{Name: "events", Path: path, Event: "event", Available: fstore.Available{Stated: true}}}
	v.View.Source, v.View.Inputs, v.View.Available = "events", []string{"events"}, v.Sources[0].Available
	v.View.Publish = &fstore.Publish{Every: fstore.Duration(day)}
	for _, days := range []int{1, 7, 30, 90} {
		for _, f := range []fstore.Function{fstore.Sum, fstore.Count, fstore.Mean, fstore.Min, fstore.Max} {
			v.View.Features = append(v.View.Features, fstore.Feature{
				Name: fmt.Sprintf("%s_%dd", f, days), Type: map[bool]fstore.Type{true: fstore.Int64, false: fstore.Float64}[f == fstore.Count],
				Window: &fstore.Window{Function: f, Expression: "x", Length: fstore.Duration(time.Duration(days) * day), Hop: fstore.Duration(time.Microsecond)},
			})
		}
	}
	return v
}
