package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
)

// witness looks at the store at every step of every run and holds it to the promise: from a run's first write until
// it publishes, each key of the generation that readers see holds its value as of the published or of the run's P.
type witness struct {
	w        *world
	t        fataler
	runs     map[string]map[string]string            // run → what it wants the store to hold
	complete map[fstore.Generation]map[string]string // generation → what it held when it was last complete
}

func newWitness(t fataler, w *world) *witness {
	return &witness{w: w, t: t, runs: map[string]map[string]string{}, complete: map[fstore.Generation]map[string]string{}}
}

// look is called at every step of a run that wants the store to hold wants.
func (x *witness) look(wants map[string]string) {
	x.t.Helper()
	ctx, s := context.Background(), online.New(x.w.mem, "p")
	ref := x.w.table.view.Ref
	p, ok, err := s.Pointer(ctx, ref)
	if err != nil {
		x.t.Fatal(err)
	}
	all, headers := dump(x.t, x.w.mem), map[fstore.Generation]fstore.Header{}
	prefix := fmt.Sprintf("fstore:p:h:%s:", ref)
	if err := x.w.mem.Scan(ctx, []byte(prefix), func(k []byte) error {
		g := fstore.Generation(k[len(prefix):])
		headers[g], _, err = s.Header(ctx, ref, g)
		return err
	}); err != nil {
		x.t.Fatal(err)
	}
	for _, h := range headers {
		if x.runs[h.Run] == nil {
			x.runs[h.Run] = wants
		}
	}
	for g, keys := range all {
		if _, ok := headers[g]; !ok {
			x.t.Fatalf("generation %s holds %d keys and has no header", g, len(keys))
		}
	}
	if !ok {
		return
	}
	h, found := headers[p.Generation]
	if !found {
		x.t.Fatalf("the live generation has no header")
	}
	got := all[p.Generation]
	if !p.Published.Equal(h.Published) {
		x.t.Errorf("the pointer says %s, its header %s", p.Published, h.Published)
	}
	if h.Complete {
		if fence, ok, err := s.Fence(ctx, ref, p.Generation); err != nil || !ok || !fence.Complete || fence.Run != h.Run || p.Run != h.Run {
			x.t.Fatalf("beside the pointer to run %s is the fence %+v, %v, %v", p.Run, fence, ok, err)
		}
		x.complete[p.Generation] = x.runs[h.Run]
		if d := diffMaps(x.runs[h.Run], got); d != "" {
			x.t.Fatalf("the generation is not what its header says:\n%s", d)
		}
		return
	}
	fence, ok, err := s.Fence(ctx, ref, p.Generation)
	if err != nil || !ok || !fence.Fits(&p) {
		x.t.Fatalf("the live generation's fence is %+v, %v, %v; the pointer %+v", fence, ok, err, p)
	}
	base, wants := x.complete[p.Generation], x.runs[h.Run]
	mixed := maps.Clone(base)
	if fence.Run == h.Run {
		for i, k := range differing(base, wants) {
			v, set := wants[k]
			if i >= int(fence.Watermark) {
				break
			}
			if delete(mixed, k); set {
				mixed[k] = v
			}
		}
	}
	if d := diffMaps(mixed, got); d != "" {
		x.t.Fatalf("half-way the generation is neither:\n%s", d)
	}
}

// differing returns the keys whose values are not the same, in order.
func differing(a, b map[string]string) (keys []string) {
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			keys = append(keys, k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// run materializes and crashes at step n, counted from 1; 0 does not. It returns how many steps there were.
func (x *witness) run(p time.Time, mode Mode, n int) (int, error) {
	want, steps := x.w.fresh(x.t, p), 0
	o := x.w.options(p, mode).WithStep(func(name string) error {
		x.look(want)
		if steps++; steps == n {
			return fmt.Errorf("%w at step %s", errCrash, name)
		}
		return nil
	})
	_, err := Run(context.Background(), o)
	x.look(want)
	return steps, err
}

// scenario is a run that is interrupted, on top of what is there.
type scenario struct {
	name  string
	setup func(t *testing.T, w *world)
	p     time.Time
	mode  Mode
	again Mode // of the run that follows
	twice bool // crash that one, too
}

func scenarios() []scenario {
	loaded := func(t *testing.T, w *world) {
		w.fill(11)
		w.mustRun(t, day(2), 0)
		for i := range 5 {
			w.table.put(fmt.Sprintf("k%03d", 2*i), day(3), 100)
			w.table.put(fmt.Sprintf("n%03d", i), day(3), 100)
		}
		w.table.remove("k001")
		w.table.remove("k009")
	}
	return []scenario{
		{"first_load", func(t *testing.T, w *world) { w.fill(11) }, day(4), 0, 0, true},
		{"update", loaded, day(4), 0, 0, true},
		{"full", loaded, day(4), Full, 0, false},
		{"full_and_full_again", loaded, day(4), Full, Full, false},
		{"rewind", loaded, day(1), Rewind, Rewind, false},
		{"rewind_and_then_forward", loaded, day(1), Rewind, 0, false},
		{"state_lost", func(t *testing.T, w *world) { loaded(t, w); w.state = stateDir(t) }, day(4), 0, 0, false},
	}
}

// check says whether all is as if nothing had ever happened.
func (x *witness) check(p time.Time, lost ...fstore.Generation) {
	x.t.Helper()
	x.w.check(x.t, p)
	pointer, _ := x.w.live(x.t)
	for g := range dump(x.t, x.w.mem) {
		if g != pointer.Generation && !slices.Contains(lost, g) {
			x.t.Errorf("generation %s is left over", g)
		}
	}
	if got := x.w.files(x.t); len(got) != 2 {
		x.t.Errorf("state holds %v, want one run without a spool", got)
	}
	steps, err := x.run(p, 0, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	if steps > 5 { // lease, fence, claimed, fenced, cleaned
		x.t.Errorf("a repeat took %d steps", steps)
	}
}

// TestCrashAtEveryStep crashes at every step and, in the scenarios that are marked, again at every step of the run
// that follows with other data.
func TestCrashAtEveryStep(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			for first, more := 1, true; more; first++ {
				for second := 0; ; second++ {
					w := newWorld(t)
					sc.setup(t, w)
					lost := slices.Collect(maps.Keys(dump(t, w.mem)))
					if sc.name != "state_lost" {
						lost = nil
					}
					x := newWitness(t, w)
					if len(dump(t, w.mem)) > 0 {
						x.look(w.holds(t))
					}
					_, err := x.run(sc.p, sc.mode, first)
					if more = errors.Is(err, errCrash); !more && err != nil {
						t.Fatal(err)
					}
					w.table.put("k005", day(3), 500)
					w.table.remove("k008")
					p := day(6)
					if sc.again&Rewind != 0 {
						p = day(1)
					}
					if second > 0 {
						if steps, err := x.run(p, sc.again, second); steps < second {
							if err != nil {
								t.Fatalf("crash at %d, rerun: %v", first, err)
							}
							x.check(p, lost...)
							break
						}
					}
					if _, err := x.run(p, sc.again, 0); err != nil {
						t.Fatalf("crashes at %d and %d, then: %v", first, second, err)
					}
					x.check(p, lost...)
					if t.Failed() {
						t.Fatalf("crashes at %d and %d", first, second)
					}
					if !more || !sc.twice {
						break
					}
				}
			}
		})
	}
}

// holds returns what the live generation holds.
func (w *world) holds(t fataler) map[string]string {
	_, got := w.live(t)
	return got
}

// TestStoreFailsAtEveryOperation lets one operation of the store fail: not done, done but not acknowledged, or done
// and repeated by the client; once, or from then on.
func TestStoreFailsAtEveryOperation(t *testing.T) {
	unavailable := fstore.Errorf(fstore.ErrUnavailable, "connection reset")
	type failure func(b *shaky) func(ctx context.Context, apply func() error) error
	once := func(b *shaky, do func(apply func() error) error) func(ctx context.Context, apply func() error) error {
		return func(_ context.Context, apply func() error) error { b.at = 0; return do(apply) }
	}
	for name, c := range map[string]struct {
		failure failure
		passes  bool // the run survives it
	}{
		"lost": {func(b *shaky) func(context.Context, func() error) error {
			return once(b, func(func() error) error { return unavailable })
		}, true},
		"done_but_not_told": {func(b *shaky) func(context.Context, func() error) error {
			return once(b, func(apply func() error) error { _ = apply(); return unavailable })
		}, true},
		"client_repeats": {func(b *shaky) func(context.Context, func() error) error {
			return once(b, func(apply func() error) error { _ = apply(); return apply() })
		}, true},
		"gone": {func(b *shaky) func(context.Context, func() error) error {
			return func(context.Context, func() error) error { return unavailable }
		}, false},
		"gone_behind_the_act": {func(b *shaky) func(context.Context, func() error) error {
			n := 0
			return func(_ context.Context, apply func() error) error {
				if n++; n == 1 {
					_ = apply()
				}
				return unavailable
			}
		}, false},
		"crash": {func(b *shaky) func(context.Context, func() error) error {
			return func(context.Context, func() error) error { return errCrash }
		}, false},
		"crash_behind_it": {func(b *shaky) func(context.Context, func() error) error {
			n := 0
			return func(_ context.Context, apply func() error) error {
				if n++; n == 1 {
					_ = apply()
				}
				return errCrash
			}
		}, false},
	} {
		for _, sc := range scenarios() {
			t.Run(name+"/"+sc.name, func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					w := newWorld(t)
					sc.setup(t, w)
					lost := slices.Collect(maps.Keys(dump(t, w.mem)))
					if sc.name != "state_lost" {
						lost = nil
					}
					x := newWitness(t, w)
					if len(dump(t, w.mem)) > 0 {
						x.look(w.holds(t))
					}
					w.shaky.count, w.shaky.at, w.shaky.how = 0, n, c.failure(w.shaky)
					_, err := x.run(sc.p, sc.mode, 0)
					done := w.shaky.count < n
					w.shaky.at = 0
					if (done || c.passes) && err != nil {
						t.Fatalf("failure of operation %d: %v", n, err)
					}
					if !done && !c.passes && !errors.Is(err, errCrash) && !errors.Is(err, fstore.ErrUnavailable) {
						t.Fatalf("failure of operation %d: %v", n, err)
					}
					if err == nil {
						w.check(t, sc.p)
					}
					if _, err := x.run(sc.p, sc.mode, 0); err != nil {
						t.Fatalf("failure of operation %d, then: %v", n, err)
					}
					x.check(sc.p, lost...)
					if t.Failed() {
						t.Fatalf("failure of operation %d", n)
					}
					if done {
						break
					}
				}
			})
		}
	}
}
