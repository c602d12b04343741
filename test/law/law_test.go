package law

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	featurerepo "github.com/fstore-dev/fstore/feature_repo"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
)

// The law of the product: after publishing P, until the next run's first write, over the same files: for every T
// with P(T) = P, get at T equals training at T, value for value, for every key, on every backend. For an earlier T, that
// before P and those within the delay, get at T is refused. And the store is what one fresh full run at P makes, whatever
// runs went before.
//
// A check draws a repo of source views and causal SQL views, then lets time pass: rows arrive, late ones too, are
// corrected, restated in place and vanish; after every run both halves must hold.
func TestGetEqualsTrainingAfterEveryRun(t *testing.T) {
	t.Parallel()
	url := startRedis(t)
	root, n := tempDir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := drawStory(rt)
		s.live(fatal{t, rt}, filepath.Join(root, fmt.Sprint(n)), url, fmt.Sprintf("law%d", n))
	})
}

// live plays a story in a folder and checks both halves of the law after every run.
func (s *story) live(t testing.TB, dir, url, project string) {
	writeTable(t, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}},
		[][]any{{int64(1), "one"}, {int64(2), "two"}, {int64(2), "zwei"}, {nil, "none"}})
	writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, s.chapters[0].rows)
	w := newWorld(t, dir, 2, s.repo())
	defer w.close(t)
	rev := w.apply(t)
	holders := backends(t, dir, url, project)
	defer closeAll(t, holders)
	for n, c := range s.chapters {
		half := len(c.rows) / 2
		writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, c.rows[:half])
		writeTable(t, filepath.Join(dir, "src", "2.parquet"), srcColumns, c.rows[half:])
		fresh := &holder{name: "fresh", backend: memory.New(), state: filepath.Join(dir, "fresh", fmt.Sprint(n))}
		fresh.store = online.New(fresh.backend, project)
		for _, v := range rev.Live() {
			w.publish(t, fresh, materialize.Full, c.to, v)
			w.publishAll(t, holders, s.runs[n], c.to, v)
			for _, h := range holders {
				sameStore(t, v, h, fresh)
			}
			w.holds(t, v, c.to, s.keys(v), holders)
			if v.View.Sawtooth() {
				for n, h := range holders {
					for at := c.to - 2; at < c.to+40; at += 1 + 3*int64(n) {
						w.moves(t, v, c.to, at, s.history(c.rows), s.keys(v), h)
					}
				}
			}
		}
	}
}

// keys returns all keys that a view of a story may have, one that none has, and those with a null part.
func (s *story) keys(v *fstore.ViewVersion) [][]any {
	keys := [][]any{{}}
	for _, k := range v.View.Keys {
		values := []any{int64(1), int64(2), int64(3), int64(4), int64(5), nil}
		if k.Type == fstore.String {
			values = []any{"", "a", "b}", "c", nil}
		}
		var longer [][]any
		for _, key := range keys {
			for _, value := range values {
				longer = append(longer, append(append([]any{}, key...), value))
			}
		}
		keys = longer
	}
	return keys
}

// holds compares get with training at instants T with P(T) = P, where to is the instant that was materialized.
func (w *world) holds(t testing.TB, v *fstore.ViewVersion, to int64, keys [][]any, holders []*holder) {
	t.Helper()
	p := fstore.Micros(v.View.Publish.Latest(fstore.FromMicros(to)))
	instants := []int64{p}
	if s := v.View.Publish; s != nil {
		first, next := p+s.Delay.Micros(), p+s.Delay.Micros()+s.Every.Micros()
		instants = []int64{first, (first + next) / 2, next - 1}
	}
	list := listOf(v)
	var labels []label
	for _, at := range instants {
		for _, k := range keys {
			labels = append(labels, label{key: k, at: at})
		}
	}
	trained, _ := w.training(t, list, labels)
	for _, h := range holders {
		w.withholds(t, v, h, p, instants[0], keys)
		for i, at := range instants {
			got := w.get(t, h, list, keys, at)
			for k := range keys {
				for f := range got[k] {
					if want := trained[i*len(keys)+k][f]; !same(got[k][f], want) {
						t.Fatalf("%s: %s at %d (published %d), key %v: %s: get %v, training %v\n%s", h.name, v.Ref, at, p,
							keys[k], list.Outputs[f].Name(), got[k][f], want, w.definitions())
					}
				}
			}
		}
	}
}

// withholds checks that a chosen clock gets nothing of what was published at p before the instant from which training
// uses it: P(T) is an earlier instant there, which the store no longer holds.
func (w *world) withholds(t testing.TB, v *fstore.ViewVersion, h *holder, p, servable int64, keys [][]any) {
	t.Helper()
	for _, at := range []int64{p - 1, p, (p + servable) / 2, servable - 1} {
		if at >= servable {
			continue
		}
		if before := fstore.Micros(v.View.Publish.Servable(fstore.FromMicros(at))); before >= p {
			t.Fatalf("%s: at %d training uses %d, published %d", v.Ref, at, before, p)
		}
		if _, err := w.lookUp(h, listOf(v), keys, at); !errors.Is(err, fstore.ErrInvalid) {
			t.Fatalf("%s: %s at %d, published %d and servable from %d: got %v, want ErrInvalid", h.name, v.Ref, at, p, servable, err)
		}
	}
}

// The law holds for the example repo, with its late loads, for every key that any of its views ever has.
func TestTheFeatureRepoKeepsTheLaw(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	files := map[string]string{}
	entries, err := featurerepo.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := featurerepo.Files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	size := featurerepo.Small
	size.Lines, size.Customers = 4000, 60
	if err := featurerepo.Generate(size).Write(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dir, 2, files)
	defer w.close(t)
	rev := w.apply(t)
	holders := backends(t, dir, startRedis(t), "shop")
	defer closeAll(t, holders)
	for _, v := range rev.Live() {
		seen := map[string]bool{}
		var keys [][]any
		for month := range 12 { // a ttl forgets keys, so they are gathered all along
			for b, err := range w.engine.AsOf(context.Background(), v, featurerepo.Start.AddDate(0, 1+month, 0)) {
				if err != nil {
					t.Fatal(err)
				}
				for i := range b.Len {
					var key []any
					for k := range v.View.Keys {
						key = append(key, plain(b.Columns[k].Value(i)))
					}
					if id := fmt.Sprint(key); !seen[id] {
						seen[id], keys = true, append(keys, key)
					}
				}
			}
		}
		if len(keys) == 0 {
			t.Fatalf("%s has no keys", v.Ref)
		}
		for day := range 12 {
			to := time.Date(2025, time.Month(1+day), 3+day, 7*day%24, 13, 0, 0, time.UTC)
			w.publishAll(t, holders, 0, fstore.Micros(to), v)
			w.holds(t, v, fstore.Micros(to), keys, holders)
		}
	}
}

// listOf is the list of all features of one view.
func listOf(v *fstore.ViewVersion) *fstore.FeatureList {
	use := fstore.ViewUse{Version: v}
	for _, k := range v.View.Keys {
		use.Keys = append(use.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
	}
	list := &fstore.FeatureList{Uses: []fstore.ViewUse{use}}
	for _, f := range v.View.Features {
		list.Outputs = append(list.Outputs, fstore.FeatureOutput{As: "v_" + f.Name, Feature: f.Name})
	}
	return list
}

// sameStore fails unless both stores hold the same records for a view, and nothing of its earlier generations.
func sameStore(t testing.TB, v *fstore.ViewVersion, got, want *holder) {
	t.Helper()
	have, wanted := records(t, got, v), records(t, want, v)
	for k, r := range wanted {
		if !bytes.Equal(have[k], r) {
			t.Fatalf("%s: %s: key %x: record %x, a fresh run's is %x", got.name, v.Ref, k, have[k], r)
		}
	}
	for k := range have {
		if wanted[k] == nil {
			t.Fatalf("%s: %s: key %x is left over", got.name, v.Ref, k)
		}
	}
}

// records returns what the live generation of a view holds, by key, without checksums.
func records(t testing.TB, h *holder, v *fstore.ViewVersion) map[string][]byte {
	t.Helper()
	ctx := context.Background()
	p, ok, err := h.store.Pointer(ctx, v.Ref)
	if err != nil || !ok {
		t.Fatalf("%s: pointer of %s: %v %v", h.name, v.Ref, ok, err)
	}
	generation, err := hex.DecodeString(string(p.Generation))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	const tag = len("f{abc}")
	err = h.backend.Scan(ctx, []byte("f{"), func(key []byte) error {
		if bytes.HasPrefix(key[tag:], generation) {
			values, _, err := h.backend.Get(ctx, online.Read{Keys: [][]byte{key}})
			if err != nil {
				return err
			}
			out[string(key[tag+len(generation):])] = values[0][:len(values[0])-4] // the checksum is the generation's own
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
