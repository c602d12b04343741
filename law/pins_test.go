package law

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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/registry"
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
	db     *registry.DB
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
	if w.db, err = registry.Open(context.Background(), "sqlite://"+filepath.Join(dir, "registry.db")); err != nil {
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

// failing is a backend that fails from the call on that its world names.
type failing struct {
	*memory.Backend
	w *pinWorld
}

func (b failing) fails() error {
	if b.w.calls++; b.w.failAt > 0 && b.w.calls >= b.w.failAt {
		return fstore.Errorf(fstore.ErrUnavailable, "the test's failure at call %d", b.w.calls)
	}
	return nil
}

func (b failing) Get(ctx context.Context, keys, pointers [][]byte) ([][]byte, [][]byte, error) {
	if err := b.fails(); err != nil {
		return nil, nil, err
	}
	return b.Backend.Get(ctx, keys, pointers)
}

// Commit that fails may have been applied.
func (b failing) Commit(ctx context.Context, c online.Commit) error {
	if err := b.fails(); err != nil {
		if b.w.calls == b.w.failAt && b.w.failAt%2 == 0 {
			_ = b.Backend.Commit(ctx, c)
		}
		return err
	}
	return b.Backend.Commit(ctx, c)
}

func (b failing) Scan(ctx context.Context, prefix []byte, fn func([]byte) error) error {
	if err := b.fails(); err != nil {
		return err
	}
	return b.Backend.Scan(ctx, prefix, fn)
}

// now passes an hour.
func (w *pinWorld) now() time.Time {
	w.hours++
	return pinStart.Add(time.Duration(w.hours) * time.Hour)
}

var pinStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// done ends an operation: it may have failed only if it was made to.
func (w *pinWorld) done(err error) bool {
	w.t.Helper()
	if err != nil && (w.failAt == 0 || w.calls < w.failAt) {
		w.t.Fatal(err)
	}
	return err == nil
}

// pinEngine knows the one source.
type pinEngine struct{}

func (pinEngine) ParseSQL(context.Context, string) ([]byte, error) {
	return nil, errors.New("there is no SQL")
}

func (pinEngine) SourceColumns(context.Context, *fstore.Source) ([]fstore.EngineColumn, error) {
	return []fstore.EngineColumn{{Name: "k", Type: "BIGINT"}, {Name: "event", Type: "TIMESTAMP"}, {Name: "a", Type: "BIGINT"}, {Name: "b", Type: "BIGINT"}}, nil
}

func (pinEngine) BindSQL(context.Context, string, []fstore.Relation) ([]fstore.EngineColumn, error) {
	return nil, errors.New("there is no SQL")
}

func (pinEngine) Converts(string, fstore.Type) bool { return true }

// pinValue is what a view of a variant says of a key as of hour p; a key is there in four hours of five.
func pinValue(variant int, key, p int64) (int64, bool) {
	return int64(variant)*1_000_000 + p*100 + key, (key+p)%5 != 0
}

const pinKeys = 8

func variantOf(v *fstore.ViewVersion) int { return int(v.View.TTL.Micros()/(24*3600*1e6)) - pinTTL(0) }

// AsOf implements materialize.Source.
func (pinEngine) AsOf(_ context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		b := &fstore.Batch{Columns: []fstore.Column{
			fstore.NewColumn("k", fstore.Int64, pinKeys), fstore.NewColumn("event", fstore.Timestamp, pinKeys), fstore.NewColumn("x", fstore.Int64, pinKeys),
		}}
		for k := range int64(pinKeys) {
			if value, ok := pinValue(variantOf(v), k, hourOf(p)); ok {
				b.Columns[0].Append(k)
				b.Columns[1].Append(p)
				b.Columns[2].Append(value)
				b.Len++
			}
		}
		yield(b, nil)
	}
}

func hourOf(p time.Time) int64 { return int64(p.Sub(pinStart) / time.Hour) }

// pinClock passes short waits at once and ends long ones with the run.
type pinClock struct{ now time.Time }

func (c pinClock) Now() time.Time { return c.now }

func (pinClock) Sleep(ctx context.Context, d time.Duration) error {
	if d > 5*time.Second {
		<-ctx.Done()
	}
	return ctx.Err()
}

// pinLeases are the registry's.
type pinLeases struct{ w *pinWorld }

func (l pinLeases) Acquire(ctx context.Context, view fstore.ViewRef, ttl time.Duration, now time.Time) (string, error) {
	self, err := registry.Self()
	if err != nil {
		return "", err
	}
	return l.w.db.AcquireLease(ctx, "law", view.String(), self, ttl, now)
}

func (l pinLeases) Renew(ctx context.Context, view fstore.ViewRef, token string, ttl time.Duration, now time.Time) error {
	return l.w.db.RenewLease(ctx, "law", view.String(), token, ttl, now)
}

func (l pinLeases) Release(ctx context.Context, view fstore.ViewRef, token string) error {
	return l.w.db.ReleaseLease(ctx, "law", view.String(), token)
}

func (w *pinWorld) snapshot() *registry.Snapshot {
	w.t.Helper()
	snap, err := w.db.Snapshot(context.Background(), "law")
	if err != nil {
		w.t.Fatal(err)
	}
	return snap
}

func (w *pinWorld) apply(to variants) {
	w.t.Helper()
	ctx := context.Background()
	if err := os.WriteFile(filepath.Join(w.dir, "all.yaml"), fmt.Appendf(nil, pinDefinitions, pinTTL(to.v), pinTTL(to.w)), 0o644); err != nil {
		w.t.Fatal(err)
	}
	repo, err := registry.Load(w.dir, os.LookupEnv)
	if err != nil {
		w.t.Fatal(err)
	}
	defs, err := registry.Check(ctx, repo, pinEngine{})
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
	snap := w.snapshot()
	ready := func(name string, next, last int) bool {
		at, ok := published[w.ref(snap, name, next)]
		before, was := published[w.ref(snap, name, last)]
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
func (w *pinWorld) ref(snap *registry.Snapshot, name string, variant int) fstore.ViewRef {
	for _, v := range snap.Versions(name) {
		if variantOf(v) == variant {
			return v.Ref
		}
	}
	return fstore.ViewRef{}
}

// published returns what the store says, all view versions there are asked for.
func (w *pinWorld) published() map[fstore.ViewRef]time.Time {
	w.t.Helper()
	snap, out := w.snapshot(), map[fstore.ViewRef]time.Time{}
	for _, name := range []string{"v", "w"} {
		for _, v := range snap.Versions(name) {
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
		Views: views, Now: now, State: filepath.Join(w.dir, "state"), Source: pinEngine{}, Sink: pinSink{w.store}, Leases: pinLeases{w},
		Clock: pinClock{now}, BatchKeys: 3,
	})
	w.done(err)
	w.promote(context.Background())
}

type pinSink struct{ *online.Store }

func (s pinSink) Encoder(v *fstore.ViewVersion) materialize.Encoder { return s.Store.Encoder(v) }

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
		Now: now, Grace: grace, State: filepath.Join(w.dir, "state"), Storage: w.store, Leases: pinLeases{w}, Clock: pinClock{now},
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

// answersAreRight asks for every model, by version and alias, and for the service.
func (w *pinWorld) answersAreRight() {
	w.t.Helper()
	snap := w.snapshot()
	for _, version := range []string{"1", "2", "3", "champion"} {
		want, there := w.models[version]
		if version == "champion" {
			want, there = w.models[w.champ]
		}
		list, err := snap.ModelFeatures(fstore.ModelRef{Name: "m", Version: version})
		if there != (err == nil) {
			w.t.Fatalf("model %s: %v", version, err)
		}
		if there {
			w.answerIsRight("model "+version, snap, list, want)
		}
	}
	list, err := snap.ServingService("s")
	if (w.serving != variants{}) != (err == nil) {
		w.t.Fatalf("the service: %v, %v", w.serving, err)
	}
	if err == nil {
		w.answerIsRight("the service", snap, list, w.serving)
	}
}

// answerIsRight compares an answer for all keys with what the variants say at the instants that the store has, or
// behind an unfinished run at that run's.
func (w *pinWorld) answerIsRight(who string, snap *registry.Snapshot, list *fstore.FeatureList, want variants) {
	w.t.Helper()
	ctx, store := context.Background(), online.New(w.mem, "law")
	keys := fstore.NewColumn("k", fstore.Int64, pinKeys)
	for k := range int64(pinKeys) {
		keys.Append(k)
	}
	now := pinStart.Add(time.Duration(w.hours) * time.Hour)
	answer, err := store.Lookup(ctx, list, online.Request{Keys: []fstore.Column{keys}, Now: now})
	published := w.published()
	refs := []fstore.ViewRef{w.ref(snap, "v", want.v), w.ref(snap, "w", want.w)}
	for _, ref := range refs {
		if _, ok := published[ref]; !ok {
			if !errors.Is(err, fstore.ErrNotReady) || !strings.Contains(err.Error(), "fstore materialize") || !strings.Contains(err.Error(), ref.String()) {
				w.t.Fatalf("%s, without %s: %v", who, ref, err)
			}
			return
		}
	}
	if err != nil {
		w.t.Fatalf("%s: %v", who, err)
	}
	for i, variant := range []int{want.v, want.w} {
		f := answer.Features[i]
		if name := []string{"a", "other"}[i]; f.Column.Name != name || answer.Versions[i].Ref != refs[i] {
			w.t.Fatalf("%s: feature %d is %s of %s", who, i, f.Column.Name, answer.Versions[i].Ref)
		}
		instants := []time.Time{published[refs[i]]}
		if h, ok, err := store.Header(ctx, refs[i], answer.Versions[i].Generation); err == nil && ok && !h.Complete {
			instants = append(instants, h.RunAt)
		}
		for k := range int64(pinKeys) {
			if !slices.ContainsFunc(instants, func(p time.Time) bool {
				value, there := pinValue(variant, k, hourOf(p))
				return there == (f.Status(int(k)) == online.Present) && (!there || f.Column.Int64s[k] == value)
			}) {
				w.t.Fatalf("%s: key %d of %s is %v %s as of %v", who, k, refs[i], f.Column.Value(int(k)), f.Status(int(k)), instants)
			}
		}
	}
}

// settle materializes and collects, after which the store holds the live versions and nothing else.
func (w *pinWorld) settle() {
	w.t.Helper()
	w.materialize(nil)
	w.materialize(nil) // what serves has moved, so that others are live
	w.gc(0)
	w.answersAreRight()
	snap, live := w.snapshot(), map[fstore.ViewRef]bool{}
	for _, pair := range append(slices.Collect(maps.Values(w.models)), w.head, w.serving, variants{w.servesV[0], w.servesV[1]}) {
		live[w.ref(snap, "v", pair.v)], live[w.ref(snap, "w", pair.w)] = true, true
	}
	want := map[string]bool{}
	store := online.New(w.mem, "law")
	for ref := range live {
		p, ok, err := store.Pointer(context.Background(), ref)
		if err != nil || !ok {
			w.t.Fatalf("%s is live and not published: %v", ref, err)
		}
		want["pointer of "+ref.String()] = true
		want["header of "+ref.String()+" "+string(p.Generation)] = true
		want["state of "+ref.String()] = true
		for k := range int64(pinKeys) {
			if _, ok := pinValue(variantOf(snap.View(ref)), k, hourOf(p.Published)); ok {
				c := fstore.NewColumn("k", fstore.Int64, 1)
				c.Append(k)
				want[fmt.Sprintf("record of %s %x", p.Generation, fstore.AppendKey(nil, []*fstore.Column{&c}, 0))] = true
			}
		}
	}
	if d := cmp.Diff(want, w.stored()); d != "" {
		w.t.Fatalf("the live versions are not what is stored (-live +stored):\n%s", d)
	}
}

// stored lists everything in the store and in state.
func (w *pinWorld) stored() map[string]bool {
	w.t.Helper()
	out := map[string]bool{}
	if err := w.mem.Scan(context.Background(), nil, func(key []byte) error {
		if rest, ok := bytes.CutPrefix(key, []byte("fstore:law:p:")); ok {
			out["pointer of "+string(rest)] = true
		} else if rest, ok := bytes.CutPrefix(key, []byte("fstore:law:h:")); ok {
			out["header of "+strings.Replace(string(rest), ":", " ", 1)] = true
		} else {
			out[fmt.Sprintf("record of %x %x", key[6:14], key[14:])] = true
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, "state"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		out["state of "+e.Name()] = true
	}
	return out
}
