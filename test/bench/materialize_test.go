package bench

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/test/free"
)

const manyKeys = 1_000_000

// BenchmarkMaterializeToRedis measures a first load of a million keys from Parquet into a real Redis, everything
// included, beside its limit: redis-cli --pipe of the same SETs. The goal is half of its rate. Then it changes one
// key in a hundred and runs again, beside the bare as-of query: the goal is twice its time.
func BenchmarkMaterializeToRedis(b *testing.B) {
	for _, features := range []int{10, 50} {
		b.Run(fmt.Sprintf("keys=1M/features=%d", features), func(b *testing.B) {
			for b.Loop() {
				materializeOnce(b, features)
			}
			b.ReportMetric(0, "ns/op") // a loop generates data and runs the limits, too
		})
	}
}

func materializeOnce(b *testing.B, features int) {
	dir := b.TempDir()
	v := wideView("wide", features)
	v.Sources = []fstore.Source{{Name: "rows", Path: filepath.Join(dir, "rows.parquet"), Event: "event"}}
	v.View.Source = "rows"
	v.View.Inputs = []string{"rows"}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	generate(b, db, v, 0)
	engine, err := offline.Open(offline.Options{MemoryLimit: "4GB", TempDir: filepath.Join(dir, "tmp"), Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	url := redistest.StartTCP(b)
	store := openRedis(b, url)
	run := func(hours int) (materialize.Summary, time.Duration) {
		began := time.Now()
		now := epoch.Add(time.Duration(hours) * time.Hour)
		s, err := materialize.Run(context.Background(), materialize.Options{
			Views: []*fstore.ViewVersion{v}, To: now, Now: func() time.Time { return now }, State: filepath.Join(dir, "state"),
			Source: engine, Sink: project.Sink{Store: store}, Leases: &free.Leases{}, Clock: project.Clock{Time: time.Now},
		})
		if err != nil {
			b.Fatal(err)
		}
		return s[0], time.Since(began)
	}

	first, took := run(1)
	limit := pipe(b, url)
	b.ReportMetric(float64(first.Written)/took.Seconds(), "keys/s")
	b.ReportMetric(float64(manyKeys)/limit.Seconds(), "limit_keys/s")
	b.ReportMetric(limit.Seconds()/took.Seconds(), "x_of_limit_rate")

	generate(b, db, v, 1)
	second, took := run(2)
	if second.Written != manyKeys/100 {
		b.Fatalf("%d keys written, want one in a hundred", second.Written)
	}
	bare := bareAsOf(b, db, v)
	b.ReportMetric(took.Seconds(), "rerun_s")
	b.ReportMetric(bare.Seconds(), "rerun_limit_s")
	b.ReportMetric(took.Seconds()/bare.Seconds(), "x_of_rerun_limit")
}

// generate writes the rows: one a key, and on a later day another for one key in a hundred.
func generate(b *testing.B, db *sql.DB, v *fstore.ViewVersion, day int) {
	b.Helper()
	var columns []string
	for i, f := range v.View.Features {
		columns = append(columns, fmt.Sprintf("(hash(i * %d + day) %% 1000003) / 997.0 AS %s", i+7, f.Name))
	}
	query := fmt.Sprintf(`COPY (
  SELECT i AS customer_id, TIMESTAMP '2026-01-01' + to_hours(day) AS event, %s
  FROM (SELECT i, 0 AS day FROM range(%d) t(i) UNION ALL SELECT i, %d FROM range(0, %d, 100) t(i) WHERE %d > 0)
) TO '%s' (FORMAT parquet)`, strings.Join(columns, ", "), manyKeys, day, manyKeys, day, v.Sources[0].Path)
	if _, err := db.Exec(query); err != nil {
		b.Fatal(err)
	}
}

// bareAsOf times the as-of query as one would write it by hand, without an order among ties.
func bareAsOf(b *testing.B, db *sql.DB, v *fstore.ViewVersion) time.Duration {
	b.Helper()
	var columns []string
	for _, f := range v.View.Features {
		columns = append(columns, "arg_max("+f.Name+", event)")
	}
	began := time.Now()
	_, err := db.Exec("CREATE OR REPLACE TEMP TABLE bare AS SELECT customer_id, max(event), " + strings.Join(columns, ", ") +
		" FROM read_parquet('" + v.Sources[0].Path + "') WHERE event <= TIMESTAMP '2026-01-01 02:00:00' GROUP BY customer_id ORDER BY customer_id")
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// pipe times redis-cli --pipe with SETs of everything that a Redis holds, into an empty one.
func pipe(b *testing.B, from string) time.Duration {
	b.Helper()
	dir := b.TempDir()
	file, err := os.Create(filepath.Join(dir, "sets"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	o, err := goredis.ParseURL(from)
	if err != nil {
		b.Fatal(err)
	}
	client := goredis.NewClient(o)
	defer client.Close()
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(b.Context(), cursor, "f{*", 10_000).Result()
		if err != nil {
			b.Fatal(err)
		}
		if len(keys) > 0 {
			values, err := client.MGet(b.Context(), keys...).Result()
			if err != nil {
				b.Fatal(err)
			}
			for i, k := range keys {
				value := values[i].(string)
				fmt.Fprintf(w, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(k), k, len(value), value)
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	to, err := goredis.ParseURL(redistest.StartTCP(b))
	if err != nil {
		b.Fatal(err)
	}
	host, port, _ := strings.Cut(to.Addr, ":")
	cmd := exec.Command("redis-cli", "-h", host, "-p", port, "--pipe")
	if cmd.Stdin, err = os.Open(file.Name()); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return time.Since(began)
}
