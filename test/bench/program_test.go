package bench

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/test/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// repo is a feature repo in a folder of its own, and commands run on it as processes.
type repo struct {
	b   *testing.B
	dir string
	env []string
	bin string

	before  []string // arguments before the command, where bin runs another program
	metrics string   // the address of the metrics of what serve began
}

func newRepo(b *testing.B, onlineURL string) *repo {
	b.Helper()
	bin := program.Built(b)
	return &repo{b: b, dir: b.TempDir(), bin: bin, env: append(program.Environ(), "FSTORE_ONLINE="+onlineURL)}
}

func (r *repo) write(name, text string) {
	r.b.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
		r.b.Fatal(err)
	}
}

// copy writes the result of a query to a Parquet file of the repo.
func (r *repo) copy(name, query string) {
	r.b.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		r.b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("COPY (" + query + ") TO '" + filepath.Join(r.dir, name) + "' (FORMAT parquet)"); err != nil {
		r.b.Fatal(err)
	}
}

// ran is what a command took.
type ran struct {
	stdout string
	took   time.Duration
	peakMB float64 // resident memory
}

func (r *repo) run(args ...string) ran {
	r.b.Helper()
	cmd := exec.Command(r.bin, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	began := time.Now()
	if err := cmd.Run(); err != nil {
		r.b.Fatalf("fstore %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	took := time.Since(began)
	return ran{out.String(), took, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024}
}

// serve begins fstore serve, which ends with the benchmark, and returns its gRPC address.
func (r *repo) serve() (address string) {
	r.b.Helper()
	cmd := exec.Command(r.bin, append(slices.Clone(r.before), "serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--output", "json")...)
	cmd.Dir, cmd.Env, cmd.Stderr = r.dir, r.env, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.b.Fatal(err)
	}
	r.b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // by signal: that is how it ends
	})
	var addresses struct{ GRPC, Metrics string }
	if err := json.NewDecoder(out).Decode(&addresses); err != nil {
		r.b.Fatal(err)
	}
	r.metrics = addresses.Metrics
	return addresses.GRPC
}

// wideYAML defines views of the float64 features f00, f01, … of customers, one for each name, over rows.parquet, and a
// service "bench" of the first.
func wideYAML(names []string, features int) string {
	var s strings.Builder
	s.WriteString("kind: entity\nname: customer\njoin_keys: [{name: customer_id, type: int64}]\n" +
		"---\nkind: source\nname: rows\npath: rows.parquet\nevent_timestamp: event\n")
	for _, name := range names {
		fmt.Fprintf(&s, "---\nkind: feature_view\nname: %s\nentities: [customer]\nsource: rows\nfeatures:\n", name)
		for i := range features {
			fmt.Fprintf(&s, "  - {name: f%02d, type: float64}\n", i)
		}
	}
	fmt.Fprintf(&s, "---\nkind: feature_service\nname: bench\nfeatures: [%s.*]\n", names[0])
	return s.String()
}

// wideRows is a query for the rows of wideYAML: one a key.
func wideRows(keys, features int) string {
	columns := make([]string, features)
	for i := range columns {
		columns[i] = fmt.Sprintf("(hash(i * %d) %% 1000003) / 997.0 AS f%02d", i+7, i)
	}
	return fmt.Sprintf("SELECT i AS customer_id, TIMESTAMP '2026-01-01' AS event, %s FROM range(%d) t(i)", strings.Join(columns, ", "), keys)
}
