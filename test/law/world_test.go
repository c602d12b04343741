package law

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	"github.com/fstore-dev/fstore/online/sqlite"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	registrysqlite "github.com/fstore-dev/fstore/registry/sqlite"
)

// far is the clock of the tests: later than every instant they ask for.
var far = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a feature repo with everything that works on it, wired as cmd does.
type world struct {
	dir    string
	engine *offline.Engine
	db     *registry.Store
}

// newWorld writes files into a new repo and opens it. A repo of a test that ends is removed; rapid's checks run in
// folders below one.
func newWorld(t testing.TB, dir string, threads int, files map[string]string) *world {
	t.Helper()
	w := &world{dir: dir}
	w.write(t, files)
	var err error
	w.engine, err = offline.Open(offline.Options{Threads: threads, MemoryLimit: "1GB", TempDir: filepath.Join(dir, ".tmp"), Dir: dir, Lookup: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	w.db, err = openRegistry("sqlite://" + filepath.Join(dir, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// openRegistry opens a registry in an SQLite file.
func openRegistry(url string) (*registry.Store, error) {
	b, err := registrysqlite.Open(context.Background(), url)
	if err != nil {
		return nil, err
	}
	return registry.New(b), nil
}

func (w *world) close(t testing.TB) {
	t.Helper()
	if err := w.engine.Close(); err != nil {
		t.Error(err)
	}
	if err := w.db.Close(); err != nil {
		t.Error(err)
	}
}

func (w *world) write(t testing.TB, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(w.dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// apply registers the repo as it is and returns what head is then.
func (w *world) apply(t testing.TB) *registry.Revision {
	t.Helper()
	ctx := context.Background()
	repo, err := definition.Load(w.dir, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := definition.Check(ctx, repo, w.engine)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.definitions())
	}
	plan, err := w.db.Plan(ctx, "law", definitions)
	if err != nil {
		t.Fatal(err)
	}
	if !plan.Empty() {
		if _, err := w.db.Apply(ctx, plan, registry.CommitInfo{Now: far}); err != nil {
			t.Fatal(err)
		}
	}
	rev, err := w.db.Revision(ctx, "law")
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// definitions returns the repo's YAML and SQL, for messages.
func (w *world) definitions() string {
	var b strings.Builder
	for _, pattern := range []string{"*.yaml", "*.sql"} {
		files, _ := filepath.Glob(filepath.Join(w.dir, pattern))
		for _, f := range files {
			text, _ := os.ReadFile(f)
			b.Write(text)
		}
	}
	return b.String()
}

// service returns the list that a service of head comes down to.
func (w *world) service(t testing.TB, rev *registry.Revision, name string) *fstore.FeatureList {
	t.Helper()
	list, err := rev.HeadService(name)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// training makes a training set of labels and returns the features of each, in the order of the labels. It fails
// where the labels do not come back in their order and unchanged.
func (w *world) training(t testing.TB, list *fstore.FeatureList, labels []label) ([][]any, *offline.TrainingSummary) {
	t.Helper()
	columns := append([]fstore.Field{{Name: "number", Type: fstore.Int64}}, list.Columns()...)
	columns = append(columns, fstore.Field{Name: "event_timestamp", Type: fstore.Timestamp})
	var rows [][]any
	for i, l := range labels {
		rows = append(rows, append(append([]any{int64(i)}, l.key...), l.at))
	}
	in, out := filepath.Join(w.dir, "labels.parquet"), filepath.Join(w.dir, "out.parquet")
	writeTable(t, in, columns, rows)
	summary, err := w.engine.TrainingSet(context.Background(), offline.TrainingRequest{
		Name: "t", List: list, Labels: offline.Labels{Path: in}, Out: out, Now: far, AsOf: &far,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, w.definitions())
	}
	_, got := readTable(t, "SELECT * FROM read_parquet('"+out+"')")
	if len(got) != len(labels) {
		t.Fatalf("%d labels, %d rows", len(labels), len(got))
	}
	for i := range got {
		for c, want := range rows[i] {
			if !same(got[i][c], want) {
				t.Fatalf("row %d: label column %s = %v, want %v", i, columns[c].Name, got[i][c], want)
			}
		}
		got[i] = got[i][len(columns):]
	}
	return got, summary
}

// get looks keys up at an instant and returns the features of each.
func (w *world) get(t testing.TB, h *holder, list *fstore.FeatureList, keys [][]any, at int64) [][]any {
	t.Helper()
	answer, err := w.lookUp(h, list, keys, at)
	if err != nil {
		t.Fatalf("%s: get at %d: %v\n%s", h.name, at, err, w.definitions())
	}
	out := make([][]any, len(keys))
	for i := range keys {
		row := min(i, answer.Rows-1)
		for f := range answer.Features {
			out[i] = append(out[i], plain(answer.Features[f].Column.Value(row)))
		}
	}
	return out
}

// lookUp asks for keys at a chosen instant.
func (w *world) lookUp(h *holder, list *fstore.FeatureList, keys [][]any, at int64) (*online.Answer, error) {
	return w.ask(h, list, keys, at, online.ChosenClock)
}

// ask asks for keys at an instant.
func (w *world) ask(h *holder, list *fstore.FeatureList, keys [][]any, at int64, clock online.Clock) (*online.Answer, error) {
	req := online.Request{Rows: len(keys), Now: fstore.FromMicros(at), Clock: clock}
	columns := list.Columns()
	if len(columns) == 0 {
		req.Rows = 1
	}
	for i, f := range columns {
		c := fstore.NewColumn(f.Name, f.Type, len(keys))
		for _, k := range keys {
			if us, ok := k[i].(int64); ok && f.Type == fstore.Timestamp {
				c.Append(fstore.FromMicros(us))
			} else {
				c.Append(k[i])
			}
		}
		req.Keys = append(req.Keys, c)
	}
	return h.store.Lookup(context.Background(), list, req)
}

// backends returns a fresh store of every kind in a folder, real Redis included, as projects of their own.
func backends(t testing.TB, dir, redisURL, project string) []*holder {
	t.Helper()
	sq, err := sqlite.Open(filepath.Join(dir, "online.db"))
	if err != nil {
		t.Fatal(err)
	}
	rd, err := redis.Open(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	var out []*holder
	for _, b := range []struct {
		name    string
		backend online.Backend
	}{{"memory", memory.New()}, {"sqlite", sq}, {"redis", rd}} {
		out = append(out, &holder{
			name: b.name, backend: b.backend, store: online.New(b.backend, project),
			state: filepath.Join(dir, "state", b.name),
		})
	}
	return out
}

func closeAll(t testing.TB, holders []*holder) {
	t.Helper()
	for _, h := range holders {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func startRedis(t *testing.T) string {
	t.Helper()
	return redistest.Start(t)
}

// tempDir is a folder of the test's own, in memory where the system has such a place: thousands of small runs, each
// with its fsyncs, would otherwise wait for the disk most of the time.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fstore-law")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
