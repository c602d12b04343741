package bench

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/project"
)

// expectRepo is a view of ten features over 1M keys, with what is expected of the source and of the view.
const expectRepo = `kind: entity
name: customer
join_keys: [{name: customer_id, type: int64}]
---
kind: source
name: rows
path: %[1]s
event_timestamp: event
%[2]s
---
kind: feature_view
name: wide
entities: [customer]
source: rows
features: [{name: f0, type: float64}, {name: f1, type: float64}, {name: f2, type: float64}, {name: f3, type: float64}, {name: f4, type: float64},
  {name: n0, type: int64}, {name: n1, type: int64}, {name: few, type: string}, {name: code, type: string}, {name: many, type: string}]
%[3]s
`

const (
	expectedOfRows = `expect: [{not_null: true, column: f0}, {between: [0, 2000], column: f1}, {mean: {between: [0, 2000]}, column: f2},
  {in: [a, b, c, d], column: few}, {matches: '^[A-F0-9]+$', column: code}, {rows: {min: 1000}}, {freshness: {error: 90d}}]`
	expectedOfView = `expect: [{not_null: true, column: f0}, {between: [0, 2000], column: f1}, {mean: {between: [0, 2000]}, column: f2},
  {null_rate: {max: 1%}, column: f3}, {mean: {between: [0, 2000]}, column: f4}, {in: [0, 1, 2, 3], column: n0}, {between: [0, 1e7], column: n1},
  {in: [a, b, c, d], column: few}, {matches: '^[A-F0-9]+$', column: code}, {matches: '^[a-f0-9]{8,}$', column: many}]`
)

// BenchmarkExpectations measures what expectations add to a run of fstore materialize over 1M keys with ten features that finds nothing
// to write, the shortest run there is: ten on the view, seven on its source, or both. The limit is the same run without them.
// They take turns. The goal is at most 1.1 for those of the view, which look at rows that the run has anyway; those of a source
// read its columns once more.
func BenchmarkExpectations(b *testing.B) {
	data := filepath.Join(b.TempDir(), "rows.parquet")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	random := func(seed int) string { return fmt.Sprintf("(hash(i + %d) %% 1000003) / 997.0", seed) }
	if _, err := db.Exec(fmt.Sprintf(`COPY (
  SELECT i AS customer_id, TIMESTAMP '2026-01-01' AS event, %s AS f0, %s AS f1, %s AS f2, %s AS f3, %s AS f4,
    (hash(i + 5) %% 4)::BIGINT AS n0, (hash(i + 6) %% 1000003)::BIGINT AS n1,
    ['a', 'b', 'c', 'd'][1 + (hash(i + 7) %% 4)::BIGINT] AS few, to_hex(hash(i + 8) %% 5000) AS code, md5(i::VARCHAR) AS many
  FROM range(%d) t(i)
) TO '%s' (FORMAT parquet)`, random(0), random(1), random(2), random(3), random(4), manyKeys, data)); err != nil {
		b.Fatal(err)
	}
	names := []string{"without", "view", "source", "both"}
	runs, took := map[string]func() float64{}, map[string][]float64{}
	for name, expects := range map[string][2]string{
		"without": {"", ""}, "view": {"", expectedOfView}, "source": {expectedOfRows, ""}, "both": {expectedOfRows, expectedOfView},
	} {
		runs[name] = expectedRuns(b, fmt.Sprintf(expectRepo, data, expects[0], expects[1]))
		runs[name]()
	}
	for b.Loop() {
		for _, name := range names {
			took[name] = append(took[name], runs[name]())
		}
	}
	median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
	limit := median(took["without"])
	b.ReportMetric(limit, "limit_s")
	for _, name := range names[1:] {
		b.ReportMetric(median(took[name])/limit, name+"_x_of_limit")
	}
	b.ReportMetric(0, "ns/op")
}

// expectedRuns returns what runs a repo for the next hour, and how many seconds it took.
func expectedRuns(b *testing.B, definitions string) func() float64 {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{"fstore.yaml": "project: p\n", "d.yaml": definitions} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	p, err := project.Open(b.Context(), dir, project.Options{Clock: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	plan, err := p.Plan(b.Context())
	if err == nil {
		_, err = p.Apply(b.Context(), plan, project.ApplyOptions{})
	}
	if err != nil {
		b.Fatal(err)
	}
	return func() float64 {
		now = now.Add(time.Hour)
		began := time.Now()
		if _, err := p.Materialize(b.Context(), project.MaterializeRequest{LeakCheck: "off"}); err != nil {
			b.Fatal(err)
		}
		return time.Since(began).Seconds()
	}
}
