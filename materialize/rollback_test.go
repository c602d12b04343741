package materialize_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
)

// past is a world whose store can fail over to a replica that lacks the last commits: any earlier state of the store comes
// back, and life goes on from there. Two readers watch it: one that has looked up from the beginning, and new ones.
//
// The value of a key is a function of the key and of P alone, so that every answer can be checked against the instants that
// it may be of.
type past struct {
	*world
	commits []online.Commit // that made the store what it is
	reader  *online.Store
	back    []string // what the reader was told of stores that went back
}

func newPast(t testing.TB) *past {
	x := &past{world: newWorld(t)}
	x.begin()
	return x
}

func (x *past) begin() {
	for d := range 12 {
		for k := range 9 {
			if (k+d)%3 == 0 { // a third of the keys changes each day
				x.table.put(fmt.Sprintf("k%d", k), day(d), int64(100*d+k))
			}
		}
		x.table.put(fmt.Sprintf("new%02d", d), day(d), int64(d))
	}
	x.replace(memory.New())
	x.shaky.Backend = recorder{x}
	x.reader = online.New(recorder{x}, "p")
	x.reader.WentBack = func(_ fstore.ViewRef, was, is fstore.Pointer) {
		x.back = append(x.back, fmt.Sprint(was.Number, " to ", is.Number))
	}
}

// clone returns a past of its own that is the same so far, and whose old reader has looked up.
func (x *past) clone(t *testing.T) *past {
	y := newPast(t)
	copyDir(t, x.state, y.state)
	y.leases.count = x.leases.count // tokens are never given twice
	y.commits = slices.Clone(x.commits)
	y.failOver(len(y.commits))
	y.look(t, "at first")
	return y
}

// recorder keeps each commit to the store.
type recorder struct{ x *past }

func (r recorder) Get(ctx context.Context, read online.Read) ([][]byte, [][]byte, error) {
	return r.x.mem.Get(ctx, read)
}

func (r recorder) Commit(ctx context.Context, c online.Commit) error {
	err := r.x.mem.Commit(ctx, c)
	if err == nil {
		kept := online.Commit{Delete: slices.Clone(c.Delete)}
		for i := range kept.Delete {
			kept.Delete[i] = bytes.Clone(kept.Delete[i])
		}
		for _, kv := range c.Set {
			kept.Set = append(kept.Set, online.KV{Key: bytes.Clone(kv.Key), Value: bytes.Clone(kv.Value)})
		}
		r.x.commits = append(r.x.commits, kept)
	}
	return err
}

func (r recorder) Scan(ctx context.Context, prefix []byte, fn func([]byte) error) error {
	return r.x.mem.Scan(ctx, prefix, fn)
}
func (recorder) Check(context.Context) ([]error, error)     { return nil, nil }
func (recorder) Replicated(context.Context) (string, error) { return "", nil }
func (recorder) Close() error                               { return nil }

// failOver loses all commits after the first n.
func (x *past) failOver(n int) {
	x.commits, x.mem = x.commits[:min(n, len(x.commits))], memory.New()
	for _, c := range x.commits {
		if err := x.mem.Commit(context.Background(), c); err != nil {
			panic(err)
		}
	}
}

// look asks both readers for all keys, and checks every value.
func (x *past) look(t fataler, when string) {
	t.Helper()
	ctx, s := context.Background(), online.New(x.mem, "p")
	p, published, err := s.Pointer(ctx, x.table.view.Ref)
	if err != nil {
		t.Fatal(err)
	}
	instants := []map[string]tableRow{x.table.latest(p.Published)}
	if published {
		if f, ok, err := s.Fence(ctx, x.table.view.Ref, p.Generation); err != nil {
			t.Fatal(err)
		} else if ok && f.Base == p.Run {
			instants = append(instants, x.table.latest(f.At))
		}
	}
	keys := fstore.NewColumn("id", fstore.String, 32)
	for k := range 9 {
		keys.Append(fmt.Sprintf("k%d", k))
	}
	for d := range 12 {
		keys.Append(fmt.Sprintf("new%02d", d))
	}
	use := fstore.ViewUse{Version: x.table.view, Keys: []fstore.KeyBinding{{Key: x.table.view.View.Keys[0], Column: "id"}}}
	list := &fstore.FeatureList{Uses: []fstore.ViewUse{use}, Outputs: fstore.Outputs{fstore.FeatureOutput{As: "n", Feature: "n"}}}
	for name, r := range map[string]*online.Store{"the old reader": x.reader, "a new reader": s} {
		a, err := r.Lookup(ctx, list, online.Request{Keys: []fstore.Column{keys}, Now: day(50)})
		if !published && errors.Is(err, fstore.ErrNotReady) {
			continue
		}
		if err != nil {
			t.Fatalf("%s, %s: %v", when, name, err)
		}
		if !a.Versions[0].Published.Equal(p.Published) || a.Versions[0].Generation != p.Generation {
			t.Fatalf("%s, %s: answered as of %v, published is %v", when, name, a.Versions[0], p)
		}
		f := &a.Features[0]
		for row, k := range keys.Strings {
			if !slices.ContainsFunc(instants, func(as map[string]tableRow) bool {
				want, there := as[k]
				return there == (f.Status(row) == online.Present) && (!there || f.Column.Int64s[row] == want.value)
			}) {
				t.Fatalf("%s, %s: key %s is %v %s, which is neither of the published instant nor of a run in flight: %v", when, name, k, f.Column.Value(row), f.Status(row), instants)
			}
		}
	}
}

// goOn materializes as of p. Before step number at the store fails over to state to; 0 never does. The readers look after every step. It returns
// the number of steps.
func (x *past) goOn(t fataler, p int, mode Mode, at, to int, crash bool) (steps int, err error) {
	t.Helper()
	o := x.options(day(p), mode).WithStep(func(name string) error {
		if steps++; steps == at {
			x.failOver(to)
			if crash {
				return errCrash
			}
		}
		x.look(t, fmt.Sprintf("at step %d, %s", steps, name))
		return nil
	})
	o.Sink = sink{x.store}
	_, err = Run(context.Background(), o)
	x.look(t, "after the run")
	return steps, err
}

// repaired runs once more and says whether all is as if nothing had happened. What a run cannot name is left to gc.
func (x *past) repaired(t *testing.T, p int, mode Mode) Summary {
	t.Helper()
	known := x.known(t)
	s, err := x.run(day(p), mode)
	if err != nil {
		t.Fatalf("the next run: %v", err)
	}
	x.check(t, day(p))
	x.look(t, "after the next run")
	pointer, _ := x.live(t)
	for g := range dump(t, x.mem) {
		if g != pointer.Generation && slices.Contains(known, g) && !slices.Contains(s.Left, g) {
			t.Errorf("generation %s is left over: %+v", g, s)
		}
	}
	if got := x.files(t); len(got) != 2 {
		t.Errorf("state holds %v", got)
	}
	if s, err := x.run(day(p), mode); err != nil || s.Written+s.Deleted != 0 || s.NewGeneration != "" || s.Warning != "" {
		t.Errorf("a repeat: %+v, %v", s, err)
	}
	g := &garden{x.world, Life{Ref: x.table.view.Ref, Fingerprint: x.table.view.Fingerprint, Live: true}}
	g.gc(t)
	if all := dump(t, x.mem); len(all) != 1 {
		t.Errorf("%d generations are left after gc", len(all))
	}
	if d := g.keys(t) - len(all(dump(t, x.mem))); d != 3 {
		t.Errorf("beside the records are %d keys, want a pointer, a header and a fence", d)
	}
	return s
}

// known returns the generations that the pointer or the state folder names.
func (x *past) known(t *testing.T) (all []fstore.Generation) {
	t.Helper()
	if p, ok, err := online.New(x.mem, "p").Pointer(context.Background(), x.table.view.Ref); err != nil {
		t.Fatal(err)
	} else if ok {
		all = append(all, p.Generation)
	}
	for _, name := range x.files(t) {
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		var r struct{ Generation fstore.Generation }
		b, err := os.ReadFile(filepath.Join(x.state, x.table.view.Ref.String(), name))
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Generation)
	}
	return all
}

func all(h held) (keys []string) {
	for g := range h {
		for k := range h[g] {
			keys = append(keys, k)
		}
	}
	return keys
}

// TestTheStoreFailsOverAtEveryStep lets the store go back to every earlier state at every step of a run, two runs back as
// well. The process goes on, or ends; then another run follows.
func TestTheStoreFailsOverAtEveryStep(t *testing.T) {
	for name, c := range map[string]struct {
		before []Mode // of runs as of days 1, 3, …
		p      int
		mode   Mode
		next   int
		again  Mode
	}{
		"first_load": {nil, 1, 0, 2, 0},
		"second":     {[]Mode{0}, 3, 0, 3, 0},
		"third":      {[]Mode{0, 0}, 5, 0, 6, 0},
		"full":       {[]Mode{0, 0}, 5, Full, 6, 0},
		"after_full": {[]Mode{0, Full}, 5, 0, 6, 0},
		"rewind":     {[]Mode{0, 0}, 2, Rewind, 1, Rewind},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/crash=%v", name, crash), func(t *testing.T) {
				t.Parallel()
				base := newPast(t)
				for i, mode := range c.before {
					if _, err := base.goOn(t, 1+2*i, mode, 0, 0, false); err != nil {
						t.Fatal(err)
					}
				}
				for at, more := 1, true; more; at++ {
					for to := 0; ; to++ {
						x := base.clone(t)
						steps, err := x.goOn(t, c.p, c.mode, at, to, crash)
						if err != nil && !errors.Is(err, fstore.ErrConflict) && !errors.Is(err, errCrash) {
							t.Fatalf("back to %d at step %d: %v", to, at, err)
						}
						more = steps >= at
						if !more { // it was too late: the store fails over after the run
							x.failOver(to)
							x.look(t, "after it went back")
						}
						reached := len(x.commits)
						x.repaired(t, c.next, c.again)
						if t.Failed() {
							t.Fatalf("the store went back to %d at step %d", to, at)
						}
						if reached < to { // there was no such state
							break
						}
					}
				}
			})
		}
	}
}

// TestAFailoverCostsLittle: the next run repairs in place what a failover usually loses, the last commits. It says what was
// lost, and readers tell.
func TestAFailoverCostsLittle(t *testing.T) {
	published := func() *past {
		x := newPast(t)
		x.mustRun(t, day(1), 0)
		x.mustRun(t, day(3), 0)
		x.look(t, "before")
		return x
	}
	const lost = "the store went back in time: it shows publication 1, of 2026-01-02T00:00:00Z, and has lost number 2, of 2026-01-04T00:00:00Z"

	x := published()
	x.failOver(len(x.commits) - 1) // the publication
	x.look(t, "after")
	if s := x.repaired(t, 4, 0); s.NewGeneration != "" || !s.Finished.Equal(day(3)) || s.Warning != lost {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(x.back, []string{"2 to 1"}) {
		t.Errorf("the reader was told %q", x.back)
	}

	x = published()
	x.failOver(len(x.commits) - 2) // a batch, whose spool is gone
	if s := x.repaired(t, 4, 0); !strings.HasPrefix(s.NewGeneration, "the store went back in time: ") || s.Warning != lost {
		t.Errorf("%+v", s)
	}

	x = published()
	x.crash(t, 5, 0, "batch", 2)
	x.failOver(len(x.commits) - 1)
	if s := x.repaired(t, 5, 0); s.NewGeneration != "" || !s.Finished.Equal(day(5)) || s.Warning != "" {
		t.Errorf("%+v", s)
	}
}

// TestAnyFailovers is the same for any sequence of runs, crashes and failovers.
func TestAnyFailovers(t *testing.T) {
	root := stateDir(t)
	rapid.Check(t, func(rt *rapid.T) {
		x := &past{world: &world{table: newTable(), leases: newLeases(), counts: newPublications(), clock: &clock{now: day(0)}, now: day(100)}}
		x.state = filepath.Join(root, fmt.Sprint(newCount()))
		x.begin()
		rt.Repeat(map[string]func(*rapid.T){
			"run": func(t *rapid.T) {
				p, mode := rapid.IntRange(0, 11).Draw(t, "p"), rapid.SampledFrom([]Mode{Rewind, Rewind, Full | Rewind}).Draw(t, "mode")
				at := 0
				if rapid.Bool().Draw(t, "fails over") {
					at = rapid.IntRange(1, 25).Draw(t, "step")
				}
				steps, err := x.goOn(t, p, mode, at, rapid.IntRange(0, len(x.commits)+10).Draw(t, "to"), rapid.Bool().Draw(t, "crash"))
				if undisturbed := at == 0 || steps < at; undisturbed && err != nil || err != nil && !errors.Is(err, fstore.ErrConflict) && !errors.Is(err, errCrash) {
					t.Fatal(err)
				} else if undisturbed {
					x.check(t, day(p))
				}
			},
			"fail over": func(t *rapid.T) {
				x.failOver(rapid.IntRange(0, len(x.commits)).Draw(t, "to"))
				x.look(t, "after a failover")
			},
		})
	})
}

var counted int

func newCount() int { counted++; return counted }
