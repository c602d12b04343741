package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
)

// crash runs until the n-th step of a name.
func (w *world) crash(t *testing.T, p int, mode Mode, step string, n int) {
	t.Helper()
	seen := 0
	_, err := Run(context.Background(), w.options(day(p), mode).WithStep(func(name string) error {
		if name == step {
			seen++
		}
		if seen == n {
			return errCrash
		}
		return nil
	}))
	if !errors.Is(err, errCrash) {
		t.Fatalf("no crash at %s %d: %v", step, n, err)
	}
}

func TestALargeFirstLoadResumes(t *testing.T) {
	w := newWorld(t)
	w.fill(40)
	w.crash(t, 2, 0, "batch", 8)
	var g fstore.Generation
	for g = range dump(t, w.mem) {
	}
	commits := 0
	o := w.options(day(2), 0).WithStep(func(name string) error {
		if name == "batch" {
			commits++
		}
		return nil
	})
	s, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.check(t, day(2))
	if s[0].Generation != g || s[0].Written != 8 || commits != 2 || !s[0].Finished.Equal(day(2)) || s[0].NewGeneration != "" {
		t.Errorf("wrote %d batches: %+v", commits, s[0])
	}
}

func TestAnInterruptedRunIsPublishedBeforeTheNextOneBegins(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(2), 0)
	for i := range 10 {
		w.table.put(fmt.Sprintf("k%03d", i), day(3), 100)
		w.table.put(fmt.Sprintf("k%03d", i), day(5), 200)
	}
	w.crash(t, 3, 0, "batch", 1)
	var published []fstore.Pointer
	o := w.options(day(5), 0).WithStep(func(name string) error {
		if name == "publish" {
			p, _ := w.live(t)
			published = append(published, p)
		}
		return nil
	})
	s, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.check(t, day(5))
	if len(published) != 2 || !published[0].Published.Equal(day(3)) || !s[0].Finished.Equal(day(3)) || s[0].Written != 6+10 {
		t.Errorf("published %v: %+v", published, s[0])
	}
}

func TestWhatAnInterruptedRunBeganToPublishIsNotUndone(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(2), 0)
	for i := range 10 {
		w.table.put(fmt.Sprintf("k%03d", i), day(5), 100)
	}
	w.crash(t, 5, 0, "batch", 1)
	if _, err := w.run(day(4), 0); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "interrupted run has begun to publish 2026-01-06") {
		t.Errorf("got %v", err)
	}
	// A load of an earlier instant, which nobody has seen either, is not finished on the way forward.
	w.crash(t, 3, Full|Rewind, "batch", 1)
	o := w.options(day(6), 0).WithStep(func(name string) error {
		if p, _ := w.live(t); p.Published.Equal(day(3)) {
			t.Error("readers were taken back")
		}
		return nil
	})
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	w.check(t, day(6))
	if n := len(dump(t, w.mem)); n != 1 {
		t.Errorf("%d generations are left", n)
	}
}

// TestAnAbandonedLoadIsNotResumed: its records may be half deleted by then.
func TestAnAbandonedLoadIsNotResumed(t *testing.T) {
	for n := 1; n <= 6; n++ {
		w := newWorld(t)
		w.fill(20)
		w.mustRun(t, day(2), 0)
		w.crash(t, 2, Full, "batch", 3)
		w.crash(t, 2, Full, "drop", n)
		w.mustRun(t, day(2), 0)
		if got := len(dump(t, w.mem)); got != 1 {
			t.Errorf("%d generations are left", got)
		}
	}
}

func TestDamagedStateIsNotBelieved(t *testing.T) {
	for _, c := range []struct {
		file string
		left int // generations whose records stay
	}{{".spool", 0}, {".manifest.parquet", 1}, {".json", 1}} {
		t.Run(c.file[1:], func(t *testing.T) {
			w := newWorld(t)
			w.fill(10)
			w.mustRun(t, day(2), 0)
			before := w.files(t)
			for i := range 10 {
				w.table.put(fmt.Sprintf("k%03d", i), day(3), 100)
			}
			w.crash(t, 3, 0, "batch", 1)
			for _, name := range w.files(t) {
				if strings.HasSuffix(name, c.file) && !slices.Contains(before, name) {
					path := filepath.Join(w.state, w.table.view.Ref.String(), name)
					b, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					b[len(b)/2] ^= 0x55
					if err := os.WriteFile(path, b, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			s := w.mustRun(t, day(3), 0)
			if s.NewGeneration == "" || len(s.Left) != c.left {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestAGenerationWhoseListIsLostKeepsItsHeader(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	first := w.mustRun(t, day(2), 0)
	old := copyDir(t, w.state, filepath.Join(stateDir(t), "copy"))
	w.table.put("new", day(3), 1)
	w.mustRun(t, day(3), 0)
	w.state = old
	s := w.mustRun(t, day(3), 0)
	if !slices.Equal(s.Left, []fstore.Generation{first.Generation}) || !strings.Contains(s.NewGeneration, "does not have run") {
		t.Errorf("got %+v", s)
	}
	left := dump(t, w.mem)[first.Generation]
	if keys := slices.Collect(maps.Keys(left)); !slices.Equal(keys, []string{"new"}) {
		t.Errorf("left are %q", keys)
	}
	if _, ok, err := w.store.Header(context.Background(), w.table.view.Ref, first.Generation); !ok || err != nil {
		t.Errorf("its header is gone: %v", err)
	}
}

func TestALostStateFolderIsToldOf(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	first := w.mustRun(t, day(2), 0)
	w.state = stateDir(t)
	if s := w.mustRun(t, day(3), 0); !slices.Equal(s.Left, []fstore.Generation{first.Generation}) {
		t.Errorf("got %+v", s)
	}
	if s := w.mustRun(t, day(4), 0); s.Left != nil || s.NewGeneration != "" {
		t.Errorf("the next run: %+v", s)
	}
}

func TestTwoStoresWithOneState(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.name, other.name = "one", "other"
	w.fill(10)
	other.table, other.state = w.table, w.state
	w.mustRun(t, day(2), 0)
	if s := other.mustRun(t, day(3), 0); s.NewGeneration != "nothing is published yet" || len(s.Left) != 0 {
		t.Errorf("the other store: %+v", s)
	}
	w.crash(t, 4, Full, "durable", 1)
	other.crash(t, 4, Full, "publish", 1)
	for n, x := range []*world{w, other, w, other} {
		w.table.put("new", day(4), int64(n))
		if s := x.mustRun(t, day(5+n), 0); s.NewGeneration != "" || len(s.Left) != 0 || s.Written != 1 {
			t.Errorf("%s: %+v", x.name, s)
		}
		if x.check(t, day(5+n)); len(dump(t, x.mem)) != 1 {
			t.Errorf("%s: a generation is left over", x.name)
		}
	}
	if got := w.files(t); len(got) != 4 {
		t.Errorf("state holds %v, want a run for each store", got)
	}

	// A store that was emptied has the name it had: what it lost is forgotten. Under another name it may not be known.
	w.replace(memory.New())
	w.mustRun(t, day(9), 0)
	if got := w.files(t); len(got) != 4 {
		t.Errorf("state holds %v, want a run for each store", got)
	}
	w.name = "renamed"
	if s := w.mustRun(t, day(10), 0); s.NewGeneration != "" {
		t.Errorf("renamed: %+v", s)
	}
}

// garble puts something else in the pointer's place.
func (w *world) garble(t *testing.T, garbage string) {
	t.Helper()
	key := []byte("fstore:p:p:" + w.table.view.Ref.String())
	if err := w.mem.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: key, Value: []byte(garbage)}}}); err != nil {
		t.Fatal(err)
	}
}

func TestAPointerThatCannotBeReadIsReplacedByAFullRun(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(3), 0)
	w.garble(t, "garbage")
	if _, err := w.run(day(4), Rewind); !errors.Is(err, fstore.ErrCorrupt) || !strings.Contains(err.Error(), `"garbage"`) || !strings.Contains(err.Error(), "--full") {
		t.Errorf("got %v", err)
	}
	if _, err := w.run(day(2), Full); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "was published at 2026-01-04") {
		t.Errorf("an instant before what readers saw: %v", err)
	}
	// A run that did not see the garbage does not replace it, nor does one that saw other garbage.
	for _, other := range []string{"other", ""} {
		o := w.options(day(4), Full).WithStep(func(name string) error {
			if name == "durable" {
				w.garble(t, "other"+other)
			}
			return nil
		})
		if _, err := Run(context.Background(), o); !errors.Is(err, fstore.ErrConflict) {
			t.Errorf("got %v", err)
		}
	}
	for n := 1; n <= 4; n++ {
		w.crash(t, 4, Full, "batch", min(n, 3))
	}
	if s := w.mustRun(t, day(4), Full); !strings.Contains(s.NewGeneration, "could not be read") || len(s.Left) > 0 {
		t.Errorf("got %+v", s)
	}
	w.check(t, day(4))
	if got := dump(t, w.mem); len(got) != 1 || len(w.files(t)) != 2 {
		t.Errorf("%d generations, state %v", len(got), w.files(t))
	}
}

func TestAStoreThatGoesBackInTimeDuringARunIsToldOf(t *testing.T) {
	w := newWorld(t)
	w.fill(20)
	var old *memory.Backend
	batches := 0
	o := w.options(day(2), 0).WithStep(func(name string) error {
		if name == "batch" {
			switch batches++; batches {
			case 1:
				old = copyBackend(t, w.mem)
			case 3:
				w.shaky.Backend = old
			}
		}
		return nil
	})
	if _, err := Run(context.Background(), o); !errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), "went back in time") {
		t.Errorf("got %v", err)
	}
	w.replace(old)
	if s := w.mustRun(t, day(2), 0); s.Written != 16 || s.Finished.IsZero() {
		t.Errorf("got %+v", s)
	}
	w.check(t, day(2))
}

func TestAnInterruptedRunIsDroppedWithWhatItWasBuiltOn(t *testing.T) {
	for name, lose := range map[string]bool{"known": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(10)
			first := w.mustRun(t, day(2), 0)
			base := w.files(t)
			w.table.rows = w.table.rows[:1]
			w.table.put("z", day(3), 1)
			w.crash(t, 3, 0, "batch", 1)
			if lose {
				for _, f := range base {
					if err := os.Remove(filepath.Join(w.state, w.table.view.Ref.String(), f)); err != nil {
						t.Fatal(err)
					}
				}
			}
			s := w.mustRun(t, day(3), Full)
			if got := len(dump(t, w.mem)[first.Generation]); lose != (got > 0) || lose != slices.Contains(s.Left, first.Generation) {
				t.Errorf("%d records of the old generation are left: %+v", got, s)
			}
		})
	}
}

func TestAnUnreadableHeaderIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	first := w.mustRun(t, day(2), 0)
	key := []byte(fmt.Sprintf("fstore:p:h:%s:%s", w.table.view.Ref, first.Generation))
	if err := w.mem.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: key, Value: []byte("garbage")}}}); err != nil {
		t.Fatal(err)
	}
	s := w.mustRun(t, day(3), 0)
	if !strings.Contains(s.NewGeneration, "no readable header") || !slices.Equal(s.Left, []fstore.Generation{first.Generation}) {
		t.Errorf("got %+v", s)
	}
}

// What a newer fstore has written it can still read after an older one has run: nothing of it is taken for rubbish, and
// neither are files that no fstore writes.
func TestTheStateOfANewerFstoreStays(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	first := w.mustRun(t, day(2), 0)
	dir := filepath.Join(w.state, w.table.view.Ref.String())
	theirs := w.files(t)
	for _, name := range theirs {
		if strings.HasSuffix(name, ".json") {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			newer := strings.Replace(string(b), `"format": 1`, `"format": 2, "run": ["not what it was"]`, 1)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(newer), 0o644); err != nil || newer == string(b) {
				t.Fatal(err, newer)
			}
			theirs = append(theirs, strings.TrimSuffix(name, ".json")+".spool.tmp", "README")
		}
	}
	for _, name := range theirs[len(theirs)-2:] {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := w.mustRun(t, day(3), 0)
	if !strings.HasSuffix(s.NewGeneration, "has format 2 of a newer fstore") || !slices.Equal(s.Left, []fstore.Generation{first.Generation}) {
		t.Errorf("got %+v", s)
	}
	w.check(t, day(3))
	if s := w.mustRun(t, day(4), 0); s.NewGeneration != "" || len(s.Left) != 0 {
		t.Errorf("the next run: %+v", s)
	}
	for _, name := range theirs {
		if !slices.Contains(w.files(t), name) {
			t.Errorf("%s is gone; there are %q", name, w.files(t))
		}
	}
}
