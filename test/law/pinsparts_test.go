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
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/registry"
)

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

func (b failing) Get(ctx context.Context, r online.Read) ([][]byte, [][]byte, error) {
	if err := b.fails(); err != nil {
		return nil, nil, err
	}
	return b.Backend.Get(ctx, r)
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

func (pinEngine) PlanSQL(context.Context, string, []fstore.Relation) ([]fstore.EngineColumn, []byte, error) {
	return nil, nil, errors.New("there is no SQL")
}

func (pinEngine) HasNoValues(context.Context, *fstore.Source, string, string) (bool, error) {
	return false, nil
}

// pinValue is what a view of a variant says of a key as of hour p; a key is there in four hours of five.
func pinValue(variant int, key, p int64) (int64, bool) {
	return int64(variant)*1_000_000 + p*100 + key, (key+p)%5 != 0
}

const pinKeys = 8

func variantOf(v *fstore.ViewVersion) int { return int(v.View.TTL.Micros()/(24*3600*1e6)) - pinTTL(0) }

// AsOf implements materialize.Source.
func (pinEngine) Stamp(context.Context, *fstore.ViewVersion) string { return "" }

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

// pinClock passes short waits at once, by going forward, and ends long ones with the run.
type pinClock struct {
	began time.Time
	slept atomic.Int64 // nanoseconds
}

func (c *pinClock) Now() time.Time { return c.began.Add(time.Duration(c.slept.Load())) }

func (c *pinClock) Sleep(ctx context.Context, d time.Duration) error {
	if d > 5*time.Second {
		<-ctx.Done()
	}
	c.slept.Add(int64(d))
	return ctx.Err()
}

// pinLeases are the registry's.
type pinLeases struct{ w *pinWorld }

func (l pinLeases) Acquire(ctx context.Context, view fstore.ViewRef, ttl time.Duration, now time.Time) (string, error) {
	return l.w.db.AcquireLease(ctx, "law", view.String(), ttl, now)
}

func (l pinLeases) Renew(ctx context.Context, view fstore.ViewRef, token string, ttl time.Duration, now time.Time) error {
	return l.w.db.RenewLease(ctx, "law", view.String(), token, ttl, now)
}

func (l pinLeases) Release(ctx context.Context, view fstore.ViewRef, token string) error {
	return l.w.db.ReleaseLease(ctx, "law", view.String(), token)
}

// answersAreRight asks for every model, by version and alias, and for the service.
func (w *pinWorld) answersAreRight() {
	w.t.Helper()
	rev := w.snapshot()
	for _, version := range []string{"1", "2", "3", "champion"} {
		want, there := w.models[version]
		if version == "champion" {
			want, there = w.models[w.champ]
		}
		list, err := rev.ModelFeatures(fstore.ModelRef{Name: "m", Version: version})
		if there != (err == nil) {
			w.t.Fatalf("model %s: %v", version, err)
		}
		if there {
			w.answerIsRight("model "+version, rev, list, want)
		}
	}
	list, err := rev.ServingService("s")
	if (w.serving != variants{}) != (err == nil) {
		w.t.Fatalf("the service: %v, %v", w.serving, err)
	}
	if err == nil {
		w.answerIsRight("the service", rev, list, w.serving)
	}
}

// answerIsRight compares an answer for all keys with what the variants say at the instants that the store has, or
// behind an unfinished run at that run's.
func (w *pinWorld) answerIsRight(who string, rev *registry.Revision, list *fstore.FeatureList, want variants) {
	w.t.Helper()
	ctx, store := context.Background(), online.New(w.mem, "law")
	keys := fstore.NewColumn("k", fstore.Int64, pinKeys)
	for k := range int64(pinKeys) {
		keys.Append(k)
	}
	now := pinStart.Add(time.Duration(w.hours) * time.Hour)
	answer, err := store.Lookup(ctx, list, online.Request{Keys: []fstore.Column{keys}, Now: now})
	published := w.published()
	refs := []fstore.ViewRef{w.ref(rev, "v", want.v), w.ref(rev, "w", want.w)}
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
	rev, live := w.snapshot(), map[fstore.ViewRef]bool{}
	for _, pair := range append(slices.Collect(maps.Values(w.models)), w.head, w.serving, variants{w.servesV[0], w.servesV[1]}) {
		live[w.ref(rev, "v", pair.v)], live[w.ref(rev, "w", pair.w)] = true, true
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
		want["fence of "+ref.String()+" "+string(p.Generation)+" 0"] = true
		want["state of "+ref.String()] = true
		for k := range int64(pinKeys) {
			if _, ok := pinValue(variantOf(rev.View(ref)), k, hourOf(p.Published)); ok {
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
		} else if rest, ok := bytes.CutPrefix(key, []byte("fstore:law:f:")); ok {
			out["fence of "+strings.ReplaceAll(string(rest), ":", " ")] = true
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
