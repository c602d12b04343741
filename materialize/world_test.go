package materialize_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
)

// errCrash stands for the end of the process.
var errCrash = errors.New("crash")

// day returns an instant n days after the first.
func day(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

// table is a fake source: the rows of a history, as they are now.
type table struct {
	view *fstore.ViewVersion
	rows []tableRow
	err  error // if set, AsOf ends with it after one batch
}

type tableRow struct {
	key   string
	event time.Time
	value int64
	null  bool
}

func newTable() *table {
	return &table{view: &fstore.ViewVersion{
		Ref: fstore.ViewRef{Name: "orders", Version: 3}, Fingerprint: "f00d",
		View: fstore.View{
			Name: "orders", Keys: []fstore.Field{{Name: "id", Type: fstore.String}}, Event: "at",
			Features: []fstore.Feature{{Name: "n", Type: fstore.Int64, Column: "n"}},
		},
	}}
}

func (t *table) put(key string, event time.Time, value int64) {
	t.rows = append(t.rows, tableRow{key: key, event: event, value: value})
}

func (t *table) remove(key string) {
	t.rows = slices.DeleteFunc(t.rows, func(r tableRow) bool { return r.key == key })
}

// latest returns each key's row as of p.
func (t *table) latest(p time.Time) map[string]tableRow {
	out := map[string]tableRow{}
	for _, r := range t.rows {
		if have, ok := out[r.key]; !r.event.After(p) && (!ok || !r.event.Before(have.event)) {
			out[r.key] = r
		}
	}
	if ttl := t.view.View.TTL; ttl != nil {
		maps.DeleteFunc(out, func(_ string, r tableRow) bool { return r.event.Before(p.Add(-time.Duration(*ttl))) })
	}
	return out
}

// Stamp implements Source.
func (t *table) Stamp(context.Context, *fstore.ViewVersion) string {
	if t.err != nil {
		return ""
	}
	return fmt.Sprint(t.rows)
}

// AsOf implements Source, three rows to a batch.
func (t *table) AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		rows := t.latest(p)
		for part := range slices.Chunk(slices.Sorted(maps.Keys(rows)), 3) {
			b := &fstore.Batch{Len: len(part), Columns: []fstore.Column{
				fstore.NewColumn("id", fstore.String, 3), fstore.NewColumn("event", fstore.Timestamp, 3), fstore.NewColumn("n", fstore.Int64, 3),
			}}
			for _, k := range part {
				b.Columns[0].Append(k)
				b.Columns[1].Append(rows[k].event)
				if rows[k].null {
					b.Columns[2].AppendNull()
				} else {
					b.Columns[2].Append(rows[k].value)
				}
			}
			if !yield(b, nil) {
				return
			}
			if t.err != nil {
				yield(nil, t.err)
				return
			}
		}
	}
}

// sink is online.Store as the package wants it: what cmd does, too.
type sink struct{ *online.Store }

func (s sink) Encoder(v *fstore.ViewVersion, g fstore.Generation) (Encoder, error) {
	return s.Store.Encoder(v, g)
}

// shaky is a backend that fails when told to.
type shaky struct {
	online.Backend
	at    int // the operation that fails, counted from 1; 0: none
	how   func(ctx context.Context, apply func() error) error
	count int
}

func (b *shaky) do(ctx context.Context, apply func() error) error {
	if b.count++; b.at > 0 && b.count >= b.at {
		return b.how(ctx, apply)
	}
	return apply()
}

func (b *shaky) Get(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	err = b.do(ctx, func() (err error) { records, ptrs, err = b.Backend.Get(ctx, r); return err })
	return records, ptrs, err
}

func (b *shaky) Commit(ctx context.Context, c online.Commit) error {
	return b.do(ctx, func() error { return b.Backend.Commit(ctx, c) })
}

// clock is a fake: short sleeps pass at once, long ones (the lease's) last until the run ends.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	if d > 5*time.Second {
		<-ctx.Done()
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// world is a source, a store, a state and a registry.
type world struct {
	table  *table
	mem    *memory.Backend
	shaky  *shaky
	store  *online.Store
	name   string // of the store
	state  string
	leases *leases
	counts *publications
	clock  *clock
	now    time.Time
}

func newWorld(t testing.TB) *world {
	w := &world{table: newTable(), leases: newLeases(), counts: newPublications(), clock: &clock{now: day(0)}, now: day(100), state: stateDir(t)}
	w.replace(memory.New())
	return w
}

// stateDir returns a new folder, in memory where there is such a file system: thousands of runs wait for no disk.
func stateDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "fstore-materialize-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// replace puts another backend beneath the store.
func (w *world) replace(m *memory.Backend) {
	w.mem = m
	w.shaky = &shaky{Backend: m}
	w.store = online.New(w.shaky, "p")
}

func (w *world) options(p time.Time, mode Mode) Options {
	return Options{
		Views: []*fstore.ViewVersion{w.table.view}, To: p, Now: func() time.Time { return w.now }, Mode: mode, State: w.state, Store: w.name,
		Source: w.table, Sink: sink{w.store}, Leases: w.leases, Clock: w.clock, BatchKeys: 4, StoreWait: 20 * time.Second,
		Publications: w.counts,
	}
}

// run materializes as of p.
func (w *world) run(p time.Time, mode Mode) (Summary, error) {
	s, err := Run(context.Background(), w.options(p, mode))
	if len(s) == 0 {
		return Summary{}, err
	}
	return s[0], err
}

// held is what a backend holds: records by generation and key.
type held map[fstore.Generation]map[string]string

func dump(t fataler, m online.Backend) held {
	t.Helper()
	out := held{}
	var keys [][]byte
	if err := m.Scan(context.Background(), []byte("f{"), func(k []byte) error { keys = append(keys, bytes.Clone(k)); return nil }); err != nil {
		t.Fatal(err)
	}
	values, _, err := m.Get(context.Background(), online.Read{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		g := fstore.Generation(fmt.Sprintf("%x", k[6:14]))
		if out[g] == nil {
			out[g] = map[string]string{}
		}
		out[g][string(k[14:])] = string(values[i][:len(values[i])-4]) // the checksum is the generation's own
	}
	return out
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// live returns the pointer and what its generation holds.
func (w *world) live(t fataler) (fstore.Pointer, map[string]string) {
	t.Helper()
	p, ok, err := online.New(w.mem, "p").Pointer(context.Background(), w.table.view.Ref)
	if err != nil || !ok {
		t.Fatalf("no pointer: %v", err)
	}
	return p, dump(t, w.mem)[p.Generation]
}

// fresh returns what a first run into an empty store holds as of p.
func (w *world) fresh(t fataler, p time.Time) map[string]string {
	t.Helper()
	out := map[string]string{}
	enc, err := w.store.Encoder(w.table.view, "0102030405060708")
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range (&table{view: w.table.view, rows: w.table.rows}).AsOf(context.Background(), w.table.view, p) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Len {
			k, r, err := enc.Encode(b, i, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			out[string(k)] = string(r[:len(r)-4])
		}
	}
	return out
}

// copyBackend returns a snapshot of a backend.
func copyBackend(t fataler, m *memory.Backend) *memory.Backend {
	out := memory.New()
	var c online.Commit
	if err := m.Scan(context.Background(), nil, func(k []byte) error { c.Set = append(c.Set, online.KV{Key: bytes.Clone(k)}); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range c.Set {
		v, _, err := m.Get(context.Background(), online.Read{Keys: [][]byte{c.Set[i].Key}})
		if err != nil {
			t.Fatal(err)
		}
		c.Set[i].Value = v[0]
	}
	if err := out.Commit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	return out
}

// copyDir returns a copy of a folder.
func copyDir(t fataler, dir, to string) string {
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// files lists the state of the view.
func (w *world) files(t fataler) []string {
	entries, err := os.ReadDir(filepath.Join(w.state, w.table.view.Ref.String()))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "publications.past" { // it stays as long as the folder: past_test.go
			names = append(names, e.Name())
		}
	}
	return names
}

// disorder yields its rows twice.
type disorder struct{ *table }

func (d disorder) AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		for range 2 {
			for b, err := range d.table.AsOf(ctx, v, p) {
				if !yield(b, err) {
					return
				}
			}
		}
	}
}
