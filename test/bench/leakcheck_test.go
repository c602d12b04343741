package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// BenchmarkLeakCheck measures fstore training-set create with its check for leaks beside the same command without: of a
// service of source views, and of one whose time goes into SQL, where the check runs the first time and is remembered the
// second time. Every figure is the median of three runs.
func BenchmarkLeakCheck(b *testing.B) {
	r := newRepo(b, "")
	r.write("fstore.yaml", "project: bench\n")
	r.write("running.sql", `select id, ts, sum(x) over past as total, max(y) over past as top, count(*) over past as n, median(x) over recent as middle
from events
window past as (partition by id order by ts), recent as (partition by id order by ts rows between 50 preceding and current row)
`)
	r.write("bench.yaml", `
kind: entity
name: customer
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: events.parquet
event_timestamp: ts
---
kind: feature_view
name: plain
entities: [customer]
source: events
features: [{name: x, type: int64}, {name: y, type: float64}]
---
kind: feature_view
name: running
entities: [customer]
sql: running.sql
event_timestamp: ts
features: [{name: total, type: int64}, {name: top, type: float64}, {name: n, type: int64}, {name: middle, type: float64}]
`)
	r.copy("events.parquet", "SELECT (hash(i) % 100000)::BIGINT AS id, TIMESTAMP '2026-01-01' + to_microseconds(i * 10000000 + (hash(i * 3) % 1000000)::BIGINT) AS ts, "+
		"(hash(i * 7) % 1000)::BIGINT AS x, (hash(i * 11) % 1000003) / 997.0 AS y FROM range(2000000) t(i)")
	r.copy("labels.parquet", "SELECT (hash(i * 13) % 100000)::BIGINT AS id, TIMESTAMP '2026-01-01' + to_seconds((hash(i * 17) % 20000000)::BIGINT) AS event_timestamp FROM range(200000) t(i)")
	r.run("apply", "--yes")
	create := func(features string, more ...string) (seconds, check, views float64) {
		took := r.run(append([]string{"training-set", "create", "t", "--replace", "--features", features, "--labels", "labels.parquet", "--out", "t.parquet", "--output", "json"}, more...)...)
		var out struct {
			Seconds []struct {
				Stage   string
				Seconds float64
			}
		}
		if err := json.Unmarshal([]byte(took.stdout), &out); err != nil {
			b.Fatal(err)
		}
		for _, s := range out.Seconds {
			switch s.Stage {
			case "check for leaks":
				check = s.Seconds
			case "read views":
				views = s.Seconds
			}
		}
		return took.took.Seconds(), check, views
	}
	forget := func() {
		kept := filepath.Join(r.dir, ".fstore", "state", "causality.json")
		if err := os.Remove(kept); err != nil && !os.IsNotExist(err) {
			b.Fatal(err)
		}
	}
	median := func(all []float64) float64 { return slices.Sorted(slices.Values(all))[len(all)/2] }
	create("plain.*,running.*", "--leak-check", "off") // digests the files
	for b.Loop() {
		var sources, first, second, evaluations, without []float64
		for range 3 {
			off, _, _ := create("plain.*", "--leak-check", "off")
			on, _, _ := create("plain.*")
			sources = append(sources, on/off)
			off, _, views := create("running.*", "--leak-check", "off")
			forget()
			on, check, _ := create("running.*")
			again, _, _ := create("running.*")
			first, second, evaluations, without = append(first, on/off), append(second, again/off), append(evaluations, check/views), append(without, off)
		}
		b.ReportMetric(median(sources), "x_sources")
		b.ReportMetric(median(first), "x_sql_first")
		b.ReportMetric(median(second), "x_sql_second")
		b.ReportMetric(median(evaluations), "check_in_evaluations")
		b.ReportMetric(median(without), "sql_without_s")
	}
	b.ReportMetric(0, "ns/op")
}
