package materialize_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
)

// garden is a world with a registry that says what lives.
type garden struct {
	*world
	life Life
}

func newGarden(t *testing.T) *garden {
	w := newWorld(t)
	for _, k := range []string{"a", "b", "c", "d", "e", "f"} {
		w.table.put(k, day(0), 1)
	}
	return &garden{w, Life{Ref: w.table.view.Ref, Fingerprint: w.table.view.Fingerprint, Live: true}}
}

func (g *garden) collectOptions() CollectOptions {
	return CollectOptions{
		Lives: func(context.Context) ([]Life, error) { return []Life{g.life}, nil },
		Now:   g.now, Grace: 24 * time.Hour, State: g.state, Storage: g.store, Leases: g.leases, Clock: g.clock,
	}
}

// gc collects and returns what went and what stayed, each "kind why".
func (g *garden) gc(t *testing.T) (gone, kept string) {
	t.Helper()
	found, err := Survey(context.Background(), g.collectOptions())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Collect(context.Background(), g.collectOptions(), found)
	if err != nil {
		t.Fatal(err)
	}
	return texts(got)
}

func texts(g *Garbage) (gone, kept string) {
	for _, w := range g.Items {
		gone += string(w.Kind) + ": " + w.Why + "; "
	}
	for _, k := range g.Kept {
		kept += k.Why + "; "
	}
	return gone, kept
}

func (g *garden) expect(t *testing.T, what, gone, kept string) {
	t.Helper()
	isGone, isKept := g.gc(t)
	if (gone == "") != (isGone == "") || !strings.Contains(isGone, gone) || (kept == "") != (isKept == "") || !strings.Contains(isKept, kept) {
		t.Errorf("%s: gone %q, kept %q; want %q, %q", what, isGone, isKept, gone, kept)
	}
}

func (g *garden) mustRun(t *testing.T, n int, mode Mode) {
	t.Helper()
	if _, err := g.run(day(n), mode); err != nil {
		t.Fatal(err)
	}
}

func (g *garden) keys(t *testing.T) (n int) {
	t.Helper()
	if err := g.mem.Scan(context.Background(), nil, func([]byte) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestADeadVersionGoesAfterItsGracePeriod(t *testing.T) {
	g := newGarden(t)
	g.expect(t, "an empty store", "", "")
	g.mustRun(t, 1, 0)
	g.expect(t, "a live version", "", "")
	g.life.Live = false
	g.expect(t, "dead since nobody knows when", "", "since an unknown time")
	g.life.Idle = g.now.Add(-23 * time.Hour)
	g.expect(t, "dead for less than the grace period", "", "within the grace period")
	if g.keys(t) != 9 {
		t.Errorf("%d keys", g.keys(t))
	}
	g.life.Idle = g.now.Add(-24 * time.Hour)
	found, err := Survey(context.Background(), g.collectOptions())
	if err != nil || len(found.Items) != 1 || found.Items[0].Records != 6 || g.keys(t) != 9 {
		t.Errorf("a survey: %+v, %v, then %d keys", found, err, g.keys(t))
	}
	g.expect(t, "dead", "version: not live since", "")
	if g.keys(t) != 0 || len(g.files(t)) != 0 {
		t.Errorf("%d keys, files %v", g.keys(t), g.files(t))
	}
	g.expect(t, "again", "", "")

	// It may be live again.
	g.life.Live, g.life.Idle = true, time.Time{}
	g.mustRun(t, 2, 0)
	if p, held := g.live(t); !p.Published.Equal(day(2)) || len(held) != 6 {
		t.Error(p, held)
	}
}

func TestAFolderOfADeadVersionGoes(t *testing.T) {
	g := newGarden(t)
	g.mustRun(t, 1, 0)
	g.mustRun(t, 2, 0) // which leaves a file of past publications, too
	g.life.Live, g.life.Idle = false, day(1)
	g.store = online.New(g.mem, "another project") // which has nothing of it
	g.expect(t, "a folder alone", "state: not live since", "")
	if _, err := os.Stat(filepath.Join(g.state, g.table.view.Ref.String())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
}

// What no state explains is deleted; what the next run goes on with is not.
func TestLeftOverGenerations(t *testing.T) {
	g := newGarden(t)
	g.mustRun(t, 1, 0)
	if err := os.RemoveAll(filepath.Join(g.state, g.table.view.Ref.String())); err != nil {
		t.Fatal(err)
	}
	g.mustRun(t, 2, 0)           // into a new generation; where the old one's keys are, nobody knows
	if n := g.keys(t); n != 16 { // the old one keeps its header, not its fence
		t.Fatalf("%d keys", n)
	}
	g.expect(t, "a generation whose list is lost", "generation: no pointer names it", "")
	if p, held := g.live(t); g.keys(t) != 9 || len(held) != 6 || !p.Published.Equal(day(2)) {
		t.Errorf("%d keys; %v, %v", g.keys(t), p, held)
	}

	o := g.options(day(3), Full).WithStep(func(name string) error {
		if name == "batch" {
			return errCrash
		}
		return nil
	})
	if _, err := Run(context.Background(), o); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	before := g.keys(t)
	g.expect(t, "an interrupted load", "", "the next run continues it")
	if g.keys(t) != before {
		t.Error("something of it went")
	}
	g.mustRun(t, 3, 0)
	if p, held := g.live(t); !p.Published.Equal(day(3)) || len(held) != 6 {
		t.Error(p, held)
	}
	g.expect(t, "after it", "", "")
	if g.keys(t) != 9 {
		t.Error(g.keys(t))
	}
}

func TestRecordsThatNobodyKnows(t *testing.T) {
	g := newGarden(t)
	g.mustRun(t, 1, 0)
	p, _ := g.live(t)
	other := newGarden(t)
	other.mustRun(t, 1, 0)
	// Records of another store's generation, as a restore of some of the keys leaves them.
	var c online.Commit
	for k, v := range dump(t, other.mem) {
		if k == p.Generation {
			t.Fatal("two generations have one number")
		}
		for key := range v {
			c.Set = append(c.Set, online.KV{Key: []byte("f{abc}" + unhex(t, k) + key), Value: []byte{1}})
		}
	}
	if err := g.mem.Commit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	g.expect(t, "orphans", "records: no header and no pointer names them", "")
	if g.keys(t) != 9 {
		t.Error(g.keys(t))
	}
}

func unhex(t *testing.T, g fstore.Generation) string {
	t.Helper()
	out := make([]byte, 8)
	for i := range out {
		for _, c := range []byte(g)[2*i : 2*i+2] {
			out[i] = out[i]<<4 + byte(strings.IndexByte("0123456789abcdef", c))
		}
	}
	return string(out)
}

// What is not this registry's is not this registry's to delete.
func TestWhatIsNotOursStays(t *testing.T) {
	g := newGarden(t)
	g.mustRun(t, 1, 0)
	g.life.Live, g.life.Idle, g.life.Fingerprint = false, day(1), "ours"
	g.expect(t, "another registry's", "", "it belongs to another registry")
	g.life.Ref.Name = "unknown"
	g.expect(t, "a version that the registry never had", "", "no such version")
	if g.keys(t) != 9 {
		t.Error(g.keys(t))
	}
}

// A version that a registry or store names by a path leads to no folder outside the state.
func TestANameThatIsAPathIsLeftAlone(t *testing.T) {
	g := newGarden(t)
	g.life = Life{Ref: fstore.ViewRef{Name: "../precious", Version: 1}, Idle: g.now.AddDate(-1, 0, 0)}
	precious := filepath.Join(g.state, "../precious@1")
	if err := os.MkdirAll(precious, 0o755); err != nil {
		t.Fatal(err)
	}
	g.expect(t, "a path", "", `fstore gives no such name: "../precious"`)
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	if _, _, _, err := Holds(g.state, fstore.Header{View: g.life.Ref}, 1); !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("Holds: %v", err)
	}
}

// A run that holds the lease keeps its version; a collection that finds it alive again leaves it.
func TestCollectingWhileARunIsUnderWay(t *testing.T) {
	g := newGarden(t)
	g.mustRun(t, 1, 0)
	g.life.Live, g.life.Idle = false, day(1)
	o := g.options(day(2), 0).WithStep(func(name string) error {
		if name == "durable" {
			g.expect(t, "under way", "", "a run is under way")
		}
		return nil
	})
	g.table.put("g", day(2), 2)
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if p, held := g.live(t); !p.Published.Equal(day(2)) || len(held) != 7 {
		t.Error(p, held)
	}

	found, err := Survey(context.Background(), g.collectOptions())
	if err != nil || len(found.Items) != 1 {
		t.Fatal(found, err)
	}
	g.life.Live = true // it was pinned in between
	got, err := Collect(context.Background(), g.collectOptions(), found)
	if err != nil {
		t.Fatal(err)
	}
	if gone, kept := texts(got); gone != "" || !strings.Contains(kept, "live again") {
		t.Error(gone, kept)
	}
	if _, held := g.live(t); len(held) != 7 {
		t.Error(held)
	}
}

// A collection that slept past its lease takes nothing from the run that came after.
func TestACollectionThatLostItsLease(t *testing.T) {
	g := newGarden(t)
	g.mustRun(t, 1, 0)
	g.life.Live, g.life.Idle = false, day(1)
	found, err := Survey(context.Background(), g.collectOptions())
	if err != nil {
		t.Fatal(err)
	}
	o := g.collectOptions()
	calls := 0
	o.Lives = func(context.Context) ([]Life, error) {
		if calls++; calls == 2 { // under the lease, everything else was read
			g.life.Live = true
			g.clock.mu.Lock()
			g.clock.now = g.clock.now.Add(time.Hour)
			g.clock.mu.Unlock()
			g.table.put("g", day(2), 2)
			g.mustRun(t, 2, 0)
			return []Life{{Ref: g.life.Ref, Fingerprint: g.life.Fingerprint, Idle: day(1)}}, nil // as it was
		}
		return []Life{g.life}, nil
	}
	if _, err := Collect(context.Background(), o, found); !errors.Is(err, fstore.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if p, held := g.live(t); !p.Published.Equal(day(2)) || len(held) != 7 || len(g.files(t)) == 0 {
		t.Error(p, held, g.files(t))
	}
	g.expect(t, "after it", "", "")
}

// Stopped at any of its calls, a collection never leaves a half-deleted generation to be read, and the next one ends
// what it began.
func TestACollectionThatIsStopped(t *testing.T) {
	for at := 1; ; at++ {
		g := newGarden(t)
		g.mustRun(t, 1, 0)
		g.life.Live, g.life.Idle = false, day(1)
		g.shaky.count, g.shaky.at = 0, at
		g.shaky.how = func(ctx context.Context, apply func() error) error {
			if g.shaky.count == at && at%2 == 0 {
				_ = apply()
			}
			return fstore.Errorf(fstore.ErrUnavailable, "the test's failure")
		}
		o := g.collectOptions()
		found, err := Survey(context.Background(), o)
		if err == nil {
			_, err = Collect(context.Background(), o, found)
		}
		g.shaky.at = 0
		if p, ok, pointerErr := g.store.Pointer(context.Background(), g.life.Ref); pointerErr != nil {
			t.Fatal(pointerErr)
		} else if ok {
			if held := dump(t, g.mem)[p.Generation]; len(held) != 6 {
				t.Errorf("stopped at call %d: the pointer names a generation of %d records", at, len(held))
			}
		}
		g.expectEmpty(t, at)
		if err == nil {
			return
		}
	}
}

func (g *garden) expectEmpty(t *testing.T, at int) {
	t.Helper()
	g.gc(t)
	if n := g.keys(t); n != 0 || len(g.files(t)) != 0 {
		t.Errorf("stopped at call %d, then collected again: %d keys, files %v", at, n, g.files(t))
	}
}

func TestTheStateOfANewerFstoreIsNotCollected(t *testing.T) {
	g := newGarden(t)
	g.mustRun(t, 1, 0)
	newer := filepath.Join(g.state, g.life.Ref.String(), "x.json")
	if err := os.WriteFile(newer, []byte(`{"format": 2}`), 0o644); err != nil {
		t.Fatal(err)
	}
	g.life.Live, g.life.Idle = false, day(1)
	before := g.files(t)
	g.expect(t, "dead", "", "has format 2 of a newer fstore")
	if g.keys(t) != 9 || !slices.Equal(g.files(t), before) {
		t.Errorf("%d keys, files %v", g.keys(t), g.files(t))
	}
}
