package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online/memory"
)

func TestARunOverUnchangedInputsComputesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, w *world, o *Options)
		skips  bool
	}{
		{"nothing", func(*testing.T, *world, *Options) {}, true},
		{"a row", func(_ *testing.T, w *world, _ *Options) { w.table.put("k001", day(1), 7) }, false},
		{"a row that makes no difference", func(_ *testing.T, w *world, _ *Options) { w.table.put("k001", day(50), 7) }, false},
		{"another instant", func(_ *testing.T, _ *world, o *Options) { o.To = day(3) }, false},
		{"the build", func(_ *testing.T, _ *world, o *Options) { o.Build = "another" }, false},
		{"full", func(_ *testing.T, _ *world, o *Options) { o.Mode = Full }, false},
		{"the definition", func(_ *testing.T, w *world, o *Options) {
			v := *w.table.view
			v.Fingerprint = "beef"
			o.Views = []*fstore.ViewVersion{&v}
		}, false},
		{"the store was emptied", func(_ *testing.T, w *world, o *Options) {
			w.replace(memory.New())
			o.Sink = sink{w.store}
		}, false},
		{"the state was lost", func(t *testing.T, w *world, _ *Options) {
			if err := os.RemoveAll(w.state); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"inputs that cannot be told", func(_ *testing.T, w *world, o *Options) { o.Source = untold{w.table} }, false},
		{"a spool is left over", func(t *testing.T, w *world, _ *Options) {
			dir := filepath.Join(w.state, w.table.view.Ref.String())
			for _, name := range w.files(t) {
				if id, ok := strings.CutSuffix(name, ".json"); ok {
					if err := os.WriteFile(filepath.Join(dir, id+".spool"), nil, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(10)
			w.mustRun(t, day(2), 0)
			o := w.options(day(2), 0)
			c.change(t, w, &o)
			s, err := Run(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			if skipped := s[0].Skipped == Unchanged; skipped != c.skips {
				t.Errorf("skipped %q", s[0].Skipped)
			}
			if c.skips && (s[0].Keys != 10 || s[0].Unchanged != 10 || !s[0].Published.Equal(day(2)) || s[0].Written+s[0].Deleted != 0) {
				t.Errorf("got %+v", s[0])
			}
		})
	}
}

// untold is a source whose inputs cannot be told.
type untold struct{ *table }

func (untold) Stamp(context.Context, *fstore.ViewVersion) string { return "" }

// What a run computed nothing over stays known, and so does what changed without making a difference.
func TestWhatMakesNoDifferenceIsSkippedTheNextTime(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(2), 0)
	w.table.put("k001", day(50), 7) // not yet visible
	for i, want := range []Skip{"", Unchanged, Unchanged} {
		if s := w.mustRun(t, day(2), 0); s.Skipped != want || s.Written+s.Deleted != 0 {
			t.Errorf("run %d: %+v, want skipped %q", i+1, s, want)
		}
	}
}

// A run that is interrupted anywhere is never taken for one that need not be repeated: sooner or later the store holds
// what a fresh run makes.
func TestAnInterruptedRunIsNotSkipped(t *testing.T) {
	for _, step := range []string{"fence", "computed", "manifest", "spool", "durable", "begin", "batch", "publish"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			w.fill(10)
			w.mustRun(t, day(2), 0)
			for i := range 5 {
				w.table.put(fmt.Sprintf("k%03d", i), day(1), 100)
			}
			w.crash(t, 2, 0, step, 1)
			if s := w.mustRun(t, day(2), 0); s.Skipped != "" {
				t.Errorf("skipped %q", s.Skipped)
			}
			if s := w.mustRun(t, day(2), 0); s.Skipped != Unchanged {
				t.Errorf("the run after it: %+v", s)
			}
			_, got := w.live(t)
			for k, r := range w.fresh(t, day(2)) {
				if got[k] != r {
					t.Errorf("key %x is not what a fresh run makes", k)
				}
			}
		})
	}
}

// Now is asked for under the lease: of runs that overlap and wait for each other, none finds a later instant published
// than its own.
func TestOverlappingRunsThatWaitAllSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill(10)
		results := make(chan error, 4)
		for range cap(results) {
			o := w.options(time.Time{}, 0)
			o.Now, o.Clock, o.Wait = time.Now, wall{}, time.Hour
			o.Source = slow{w.table, time.Minute}
			go func() {
				s, err := Run(context.Background(), o)
				if err == nil && s[0].Skipped == PublishedLater {
					err = errors.New("it found a later instant published")
				}
				results <- err
			}()
		}
		for range cap(results) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// Two machines' clocks differ. The one that is behind has nothing to do unless somebody asked for its instant.
func TestAMachineWhoseClockIsBehindHasNothingToDo(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	latest := func(mode Mode) Summary {
		t.Helper()
		s, err := w.run(time.Time{}, mode)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w.now = day(5)
	latest(0)
	w.now = day(4)
	if s := latest(0); s.Skipped != PublishedLater || !s.Published.Equal(day(5)) {
		t.Errorf("got %+v", s)
	}
	if _, err := w.run(day(4), 0); !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("asked for by --to: got %v, want ErrInvalid", err)
	}
	if _, err := w.run(time.Time{}, Full); !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("in full: got %v, want ErrInvalid", err)
	}
	if s := latest(Rewind); s.Skipped != "" || !s.Published.Equal(day(4)) {
		t.Errorf("rewound: %+v", s)
	}

	w.table.put("k001", day(1), 9)
	w.now = day(6)
	w.crash(t, 6, 0, "batch", 1)
	w.now = day(5)
	if s := latest(0); !s.Published.Equal(day(6)) || !s.Finished.Equal(day(6)) {
		t.Errorf("an interrupted run of the machine that is ahead: %+v", s)
	}
}
