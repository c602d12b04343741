package bench

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkUnchangedRun measures the whole command fstore materialize where nothing has changed since the last publication,
// over a source of 10M rows. Its limits: the same command the first time, which computes, and fstore version, which
// is what starting a process takes.
func BenchmarkUnchangedRun(b *testing.B) {
	r := newRepo(b, "")
	r.env = append(r.env, "FSTORE_ONLINE=sqlite://"+filepath.Join(r.dir, "online.db"))
	r.write("fstore.yaml", "project: bench\n")
	r.write("bench.yaml", wideYAML([]string{"orders"}, 10))
	columns := make([]string, 10)
	for i := range columns {
		columns[i] = "(i * 7 % 1000003) / 997.0 AS f0" + string(rune('0'+i))
	}
	r.copy("rows.parquet", "SELECT i % 10000 AS customer_id, TIMESTAMP '2026-01-01' + to_milliseconds(i) AS event, "+
		strings.Join(columns, ", ")+" FROM range(10000000) t(i)")
	r.run("apply", "--yes")
	args := []string{"materialize", "--to", "2026-03-01", "--output", "json"}
	first := r.run(args...)
	for deadline := time.Now().Add(time.Minute); ; { // until the file is old enough for its times to tell
		if strings.Contains(r.run(args...).stdout, `"skipped":"unchanged"`) {
			break
		}
		if time.Now().After(deadline) {
			b.Fatal("the run is never skipped")
		}
	}
	n, bare := 0, time.Duration(0)
	for b.Loop() {
		if out := r.run(args...).stdout; !strings.Contains(out, `"skipped":"unchanged"`) {
			b.Fatal(out)
		}
		b.StopTimer()
		bare += r.run("version").took
		n++
		b.StartTimer()
	}
	b.ReportMetric(float64(bare.Microseconds())/float64(n)/1000, "process_ms")
	b.ReportMetric(float64(first.took.Milliseconds()), "computing_ms")
}
