package law

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// Random sequences of apply, materialize, pin, unpin, alias and gc, any of which the store may fail in the middle of,
// against a model that knows of each name only which variants of two views are behind it. Whatever happened: a model is
// answered from exactly what was pinned to it or is refused, the service likewise from what serves; and once
// everything was materialized and collected, every live version answers right and nothing else is stored.
func TestPinnedModelsKeepTheirFeaturesWhateverHappens(t *testing.T) {
	t.Parallel()
	root, n := tempDir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		w := newPinWorld(fatal{t, rt}, filepath.Join(root, fmt.Sprint(n)))
		defer w.close()
		for range rapid.IntRange(4, 25).Draw(rt, "steps") {
			w.failAt = 0
			if rapid.IntRange(0, 2).Draw(rt, "fails") == 0 {
				w.failAt = rapid.IntRange(1, 25).Draw(rt, "at call")
			}
			switch op := rapid.SampledFrom([]string{"apply", "apply", "materialize", "materialize", "materialize one", "pin", "pin", "pin", "unpin", "alias", "gc", "gc"}).Draw(rt, "op"); op {
			case "apply":
				w.apply(variants{rapid.IntRange(1, 4).Draw(rt, "v"), rapid.IntRange(1, 2).Draw(rt, "w")})
			case "materialize":
				w.materialize(nil)
			case "materialize one":
				w.materialize(w.someView(rt))
			case "pin":
				w.pin(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "model"))
			case "unpin":
				w.unpin(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "model"))
			case "alias":
				w.alias(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "model"))
			case "gc":
				w.gc(time.Duration(rapid.SampledFrom([]int{0, 0, 3}).Draw(rt, "grace")) * time.Hour)
			}
			w.failAt = 0
			w.answersAreRight()
		}
		w.settle()
	})
}

// variants are those of the views v and w, which differ by their ttl. 0: none.
type variants struct{ v, w int }

// pinWorld is the program without DuckDB, and the model of it.
type pinWorld struct {
	t      testing.TB
	dir    string
	db     *registry.Store
	mem    *memory.Backend
	store  *online.Store // over the backend that fails
	failAt int           // the call of the backend that fails, as do all after it; 0: none
	calls  int
	hours  int // since the beginning

	head    variants
	serving variants // of the service
	servesV [2]int   // of the views alone
	models  map[string]variants
	champ   string // the version that the alias stands for
}

const pinDefinitions = `
kind: entity
name: thing
join_keys: [{name: k, type: int64}]
---
kind: source
name: src
path: src.parquet
event_timestamp: event
---
{kind: feature_view, name: v, entities: [thing], source: src, ttl: %dd, features: [{name: a, type: int64}]}
---
{kind: feature_view, name: w, entities: [thing], source: src, ttl: %dd, features: [{name: b, type: int64}]}
---
{kind: feature_service, name: s, features: [v.*, {ref: w.b, as: other}]}
`

// pinTTL returns the ttl in days of a variant: long, so that nothing is ever too old.
func pinTTL(variant int) int { return 1000 + variant }

func newPinWorld(t testing.TB, dir string) *pinWorld {
	w := &pinWorld{t: t, dir: dir, mem: memory.New(), models: map[string]variants{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.db, err = openRegistry("sqlite://" + filepath.Join(dir, "registry.db")); err != nil {
		t.Fatal(err)
	}
	w.store = online.New(failing{w.mem, w}, "law")
	w.apply(variants{1, 1})
	return w
}

func (w *pinWorld) close() {
	w.db.Close()
	os.RemoveAll(w.dir)
}

func (w *pinWorld) snapshot() *registry.Revision {
	w.t.Helper()
	rev, err := w.db.Revision(context.Background(), "law")
	if err != nil {
		w.t.Fatal(err)
	}
	return rev
}

func (w *pinWorld) apply(to variants) {
	w.t.Helper()
	ctx := context.Background()
	if err := os.WriteFile(filepath.Join(w.dir, "all.yaml"), fmt.Appendf(nil, pinDefinitions, pinTTL(to.v), pinTTL(to.w)), 0o644); err != nil {
		w.t.Fatal(err)
	}
	repo, err := definition.Load(w.dir, os.LookupEnv)
	if err != nil {
		w.t.Fatal(err)
	}
	defs, err := definition.Check(ctx, repo, pinEngine{})
	if err != nil {
		w.t.Fatal(err)
	}
	plan, err := w.db.Plan(ctx, "law", defs)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range plan.Models {
		if m.Affected {
			w.t.Fatalf("the plan affects model %s", m.Model)
		}
	}
	if !plan.Empty() {
		if _, err := w.db.Apply(ctx, plan, registry.CommitInfo{Now: w.now()}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.head = to
	w.calls = 0
	w.promote(ctx)
}

// promote does what cmd does after an apply and a run, and checks it against the rule.
func (w *pinWorld) promote(ctx context.Context) {
	w.t.Helper()
	published := w.published()
	if _, err := w.db.Promote(ctx, "law", published, w.now()); err != nil {
		w.t.Fatal(err)
	}
	rev := w.snapshot()
	ready := func(name string, next, last int) bool {
		at, ok := published[w.ref(rev, name, next)]
		before, was := published[w.ref(rev, name, last)]
		return ok && (last == 0 || !was || !at.Before(before))
	}
	if ready("v", w.head.v, w.servesV[0]) {
		w.servesV[0] = w.head.v
	}
	if ready("w", w.head.w, w.servesV[1]) {
		w.servesV[1] = w.head.w
	}
	if ready("v", w.head.v, w.serving.v) && ready("w", w.head.w, w.serving.w) {
		w.serving = w.head
	}
}

// ref returns the version that is a variant of a view.
func (w *pinWorld) ref(rev *registry.Revision, name string, variant int) fstore.ViewRef {
	for _, v := range rev.Versions(name) {
		if variantOf(v) == variant {
			return v.Ref
		}
	}
	return fstore.ViewRef{}
}

// published returns what the store says, all view versions there are asked for.
func (w *pinWorld) published() map[fstore.ViewRef]time.Time {
	w.t.Helper()
	rev, out := w.snapshot(), map[fstore.ViewRef]time.Time{}
	for _, name := range []string{"v", "w"} {
		for _, v := range rev.Versions(name) {
			if p, ok, err := online.New(w.mem, "law").Pointer(context.Background(), v.Ref); err != nil {
				w.t.Fatal(err)
			} else if ok {
				out[v.Ref] = p.Published
			}
		}
	}
	return out
}

func (w *pinWorld) someView(rt *rapid.T) *fstore.ViewVersion {
	return rapid.SampledFrom(w.snapshot().Live()).Draw(rt, "view")
}

// materialize brings one view, or all live ones, up to the hour.
func (w *pinWorld) materialize(one *fstore.ViewVersion) {
	w.t.Helper()
	now := w.now()
	views := w.snapshot().Live()
	if one != nil {
		views = []*fstore.ViewVersion{one}
	}
	w.calls = 0
	_, err := materialize.Run(context.Background(), materialize.Options{
		Views: views, Now: func() time.Time { return now }, State: filepath.Join(w.dir, "state"), Source: pinEngine{}, Sink: pinSink{w.store}, Leases: pinLeases{w},
		Clock: &pinClock{began: now}, BatchKeys: 3,
	})
	w.done(err)
	w.promote(context.Background())
}

type pinSink struct{ *online.Store }

func (s pinSink) Encoder(v *fstore.ViewVersion, g fstore.Generation) (materialize.Encoder, error) {
	return s.Store.Encoder(v, g)
}

// pin pins what head has; a version that is pinned to something else refuses.
func (w *pinWorld) pin(version string) {
	w.t.Helper()
	list, err := w.snapshot().HeadService("s")
	if err != nil {
		w.t.Fatal(err)
	}
	_, pinned, err := w.db.PinModel(context.Background(), "law", registry.Pin{Model: fstore.ModelRef{Name: "m", Version: version}, List: list, Now: w.now()})
	was, there := w.models[version]
	switch {
	case there && was != w.head:
		if !errors.Is(err, fstore.ErrConflict) {
			w.t.Fatalf("model %s was pinned again: %v", version, err)
		}
	case err != nil || (pinned == registry.SamePin) != there:
		w.t.Fatalf("pin model %s: %v, %v", version, pinned, err)
	default:
		w.models[version] = w.head
	}
}

func (w *pinWorld) unpin(version string) {
	w.t.Helper()
	_, err := w.db.UnpinModel(context.Background(), "law", fstore.ModelRef{Name: "m", Version: version}, w.now())
	_, there := w.models[version]
	switch {
	case !there && !errors.Is(err, fstore.ErrNotFound), there && version == w.champ && !errors.Is(err, fstore.ErrConflict):
		w.t.Fatalf("unpin model %s: %v", version, err)
	case there && version != w.champ:
		if err != nil {
			w.t.Fatal(err)
		}
		delete(w.models, version)
	}
}

func (w *pinWorld) alias(version string) {
	w.t.Helper()
	_, err := w.db.AliasModel(context.Background(), "law", "m", "champion", version, w.now())
	if _, there := w.models[version]; !there {
		if !errors.Is(err, fstore.ErrNotFound) {
			w.t.Fatal(err)
		}
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.champ = version
}

func (w *pinWorld) gc(grace time.Duration) {
	w.t.Helper()
	ctx, now := context.Background(), w.now()
	if err := w.db.NoteIdle(ctx, "law", now); err != nil {
		w.t.Fatal(err)
	}
	o := materialize.CollectOptions{
		Lives: func(ctx context.Context) ([]materialize.Life, error) {
			all, err := w.db.Lives(ctx, "law")
			out := make([]materialize.Life, len(all))
			for i, l := range all {
				out[i] = materialize.Life(l)
			}
			return out, err
		},
		Now: now, Grace: grace, State: filepath.Join(w.dir, "state"), Storage: w.store, Leases: pinLeases{w}, Clock: &pinClock{began: now},
	}
	before := w.published()
	w.calls = 0
	found, err := materialize.Survey(ctx, o)
	if err == nil {
		_, err = materialize.Collect(ctx, o, found)
	}
	w.done(err)
	lives, err := w.db.Lives(ctx, "law")
	if err != nil {
		w.t.Fatal(err)
	}
	for after, i := w.published(), 0; i < len(lives); i++ {
		l := lives[i]
		_, was := before[l.Ref]
		if _, is := after[l.Ref]; was && !is && (l.Live || l.Idle.Add(grace).After(now)) {
			w.t.Fatalf("gc took %s: live %v, idle since %v, now %v, grace %v", l.Ref, l.Live, l.Idle, now, grace)
		}
	}
}
