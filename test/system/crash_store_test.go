package system

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

type materialized materialize.Summary

// tickKeys is enough for several batches.
const tickKeys = 11_000

// stores are the online stores that the tests below lose, turn back and replace.
func stores(t *testing.T, test func(t *testing.T, w *ticks)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newTicks(t, nil, tickKeys, instants)) })
	t.Run("redis", func(t *testing.T) { test(t, newTicks(t, redistest.New(t), tickKeys, instants)) })
}

// TestTheStoreIsEmptied empties the store between runs.
func TestTheStoreIsEmptied(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, w *ticks) {
		w.run(1)
		r := w.read()
		r.again()
		r.allow(codes.FailedPrecondition, codes.Unavailable)
		w.store.empty()
		r.refuses(codes.FailedPrecondition)
		if s := w.run(2); s.NewGeneration != "nothing is published yet" || s.Written != tickKeys || s.Left != nil {
			t.Errorf("%+v", s)
		}
		r.again()
		r.allow()
		w.check(2)
		w.change(r, 3)
	})
}

// change lets a run under a reader's eyes change every value in place.
func (w *ticks) change(r *reader, n int) {
	w.t.Helper()
	w.runToward(r, n)
	w.check(n)
}

func (w *ticks) runToward(r *reader, n int) {
	w.t.Helper()
	r.runs(n)
	if s := w.run(n); s.NewGeneration != "" || s.Written != tickKeys {
		w.t.Errorf("%+v", s)
	}
	r.runs()
	r.again()
}

// TestTheStoreIsEmptiedDuringARun empties the store while half of it is written: in place, and beside.
func TestTheStoreIsEmptiedDuringARun(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, w *ticks) {
		w.run(0)
		r := w.read()
		for n, more := range [][]string{1: nil, 2: {"--full"}} {
			if n == 0 {
				continue
			}
			r.allow(codes.FailedPrecondition, codes.Unavailable)
			r.runs(n-1, n)
			p := w.stopHalfway(n, more...)
			w.store.empty()
			r.refuses(codes.FailedPrecondition)
			p.signal(syscall.SIGCONT)
			if code := p.wait(); code != 5 || !strings.Contains(p.log.String(), "emptied or replaced") {
				t.Errorf("the run ended with %d:\n%s", code, p.log)
			}
			if s := w.run(n); s.NewGeneration == "" || s.Left != nil {
				t.Errorf("%+v", s)
			}
			r.runs()
			r.again()
			r.allow()
			w.check(n)
		}
	})
}

// stopHalfway materializes as of n and stops that, as SIGSTOP does, while it writes. Values may be as of n−1 and n.
func (w *ticks) stopHalfway(n int, more ...string) *process {
	w.t.Helper()
	return w.stopHalfwayAfter(func() {}, n, more...)
}

// stopHalfwayAfter is stopHalfway, with something to do before each try: one that is too fast publishes.
func (w *ticks) stopHalfwayAfter(before func(), n int, more ...string) *process {
	w.t.Helper()
	b := w.backend()
	defer b.Close()
	for range 10 {
		before()
		if p := w.tryToStop(b, to(n, more...)); p != nil {
			return p
		}
		if !slices.Contains(more, "--full") { // which writes again in any case
			w.run(n-1, "--rewind")
		}
	}
	w.t.Fatal("a run could not be stopped while it wrote")
	return nil
}

// tryToStop begins a command and stops it while it writes, once it has moved the watermark of some generation. From when it
// has something to write it moves only while nobody looks; it returns nil where it was too fast.
func (w *ticks) tryToStop(b online.Backend, args []string) *process {
	w.t.Helper()
	before, were := fences(w.t, b), headers(w.t, b)
	ready := inFolder(filepath.Join(w.dir, ".fstore", "state", "shop", "tick@1"), ".json", true)
	if slices.ContainsFunc(before, inFlight) {
		ready = func(time.Duration) bool { return headers(w.t, b)[0].Token != were[0].Token } // it goes on with that one
	}
	from := w.store.taken()
	p, _ := w.startLast(args...)
	for begun := time.Now(); ; {
		if ready(time.Since(begun)) && len(headers(w.t, b)) > 0 { // before that it may hold SQLite's file for itself
			p.pause()
			if w.store.halfway(b, from, before) {
				return p
			}
			p.signal(syscall.SIGCONT)
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// TestRedisIsKilledDuringARun kills redis-server while a run writes, and begins it again: with what it kept, or empty.
func TestRedisIsKilledDuringARun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		kept bool
	}{"kept": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, true}, "lost": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			w := newTicks(t, redistest.New(t, c.args...), tickKeys, instants)
			w.run(0)
			r := w.read()
			for n, more := range [][]string{1: nil, 2: {"--full"}} {
				if n == 0 {
					continue
				}
				away := []codes.Code{codes.Unavailable}
				if !c.kept {
					away = append(away, codes.FailedPrecondition)
				}
				r.allow(away...)
				if more == nil {
					r.runs(n-1, n)
				}
				p := w.stopHalfway(n, more...)
				w.store.server.Kill()
				r.refuses(codes.Unavailable)
				w.store.server.Restart()
				if c.kept {
					r.again() // the old generation, or half of it in place
				} else {
					r.refuses(codes.FailedPrecondition)
				}
				p.signal(syscall.SIGCONT)
				code := p.wait()
				if c.kept && code != 0 || !c.kept && code != 5 {
					t.Errorf("the run ended with %d:\n%s", code, p.log)
				}
				s := w.run(n)
				if c.kept && s.Written > 0 || !c.kept && s.Written != tickKeys || s.Left != nil {
					t.Errorf("%+v", s)
				}
				r.runs()
				r.again()
				r.allow()
				w.check(n)
			}
		})
	}
}

// TestRedisStaysAwayDuringARun kills redis-server while a run writes; the run gives up, and the next one goes on once the
// server is back.
func TestRedisStaysAwayDuringARun(t *testing.T) {
	t.Parallel()
	w := newTicks(t, redistest.New(t, "--appendonly", "yes", "--appendfsync", "always"), tickKeys, instants)
	w.run(0)
	r := w.read()
	r.allow(codes.Unavailable)
	r.runs(0, 1, 2)
	p := w.stopHalfway(1, "--store-wait", "0s")
	w.store.server.Kill()
	p.signal(syscall.SIGCONT)
	if code := p.wait(); code != 6 {
		t.Errorf("the run ended with %d:\n%s", code, p.log)
	}
	if strings.Contains(p.log.String(), "waiting for the online store") {
		t.Errorf("the run waited:\n%s", p.log)
	}
	if got := w.repo.run(to(1)...); got.status != 6 {
		t.Errorf("a run without the store ended with %d:\n%s", got.status, got.stderr)
	}
	w.store.server.Restart()
	r.again()
	s := w.run(2) // what was on its way when the run was stopped still arrived: that may have been the rest
	if !s.Finished.Equal(tick(1)) || s.NewGeneration != "" || s.Written < tickKeys || s.Written >= 2*tickKeys {
		t.Errorf("%+v", s)
	}
	r.runs()
	r.again()
	w.check(2)
}

// TestTheStoreGoesBackInTime puts an old copy of the store in its place: between runs, and during one.
func TestTheStoreGoesBackInTime(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, w *ticks, save func() (restore func()), away ...codes.Code) {
		w.run(1)
		restore := save()
		w.run(2)
		r := w.read()
		r.again()
		r.allow(away...)
		restore()
		r.again() // as of 1 again, which the answers say
		r.allow()
		s := w.run(3)
		if !strings.Contains(s.NewGeneration, "does not have run") || len(s.Left) != 1 {
			t.Errorf("%+v", s)
		}
		r.again()
		w.check(3, s.Left...)

		w.runToward(r, 4)
		r.runs(4, 5)
		p := w.stopHalfwayAfter(func() { restore = save() }, 5)
		r.allow(away...)
		restore()
		r.again()
		p.signal(syscall.SIGCONT)
		if code := p.wait(); code != 5 {
			t.Errorf("the run ended with %d:\n%s", code, p.log)
		}
		again := w.run(5)
		if again.NewGeneration != "" {
			t.Errorf("%+v", again)
		}
		r.runs()
		r.again()
		r.allow()
		w.check(5, s.Left...)
	}
	t.Run("sqlite", func(t *testing.T) {
		w := newTicks(t, nil, tickKeys, instants)
		path := filepath.Join(w.dir, ".fstore", "online.db")
		test(t, w, func() func() {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			backup := filepath.Join(t.TempDir(), "backup.db")
			if _, err := db.Exec("vacuum into ?", backup); err != nil {
				t.Fatal(err)
			}
			return func() {
				removeStore(t, w.dir)
				if err := os.Rename(backup, path); err != nil {
					t.Fatal(err)
				}
			}
		}, codes.Unavailable, codes.FailedPrecondition) // for a moment there is no file, in which nothing is published
	})
	t.Run("redis", func(t *testing.T) {
		w := newTicks(t, redistest.New(t, "--dbfilename", "dump.rdb"), tickKeys, instants)
		test(t, w, func() func() {
			if err := w.store.redis.Save(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
			return func() {
				w.store.server.Kill()
				w.store.server.Restart()
			}
		}, codes.Unavailable)
	})
}

// TestTheStateIsNotTheStores loses the state folder, restores an old copy of it, or takes one of another store. Readers
// notice nothing at all.
func TestTheStateIsNotTheStores(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, w *ticks) {
		w.run(0)
		r := w.read()
		var left []fstore.Generation
		beside := func(n int, why string) {
			t.Helper()
			s := w.run(n)
			if !strings.Contains(s.NewGeneration, why) || len(s.Left) != 1 {
				t.Errorf("%+v", s)
			}
			left = append(left, s.Left...)
			r.again()
			w.check(n, left...)
		}
		state := filepath.Join(w.dir, ".fstore", "state")
		removeState(t, w.dir)
		beside(1, "does not have run")

		old := filepath.Join(t.TempDir(), "state")
		if err := os.CopyFS(old, os.DirFS(state)); err != nil {
			t.Fatal(err)
		}
		w.runToward(r, 2)
		if err := os.RemoveAll(state); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(state, os.DirFS(old)); err != nil {
			t.Fatal(err)
		}
		beside(3, "does not have run")

		// The state of another store is of no use here, and is left alone: it may be of use there.
		w.cleanRun(4)
		foreign := w.twin.files(".fstore/state")
		if err := os.CopyFS(filepath.Join(w.dir, ".fstore", "foreign"), os.DirFS(filepath.Join(w.twin.dir, ".fstore", "state"))); err != nil {
			t.Fatal(err)
		}
		removeState(t, w.dir)
		if err := os.Rename(filepath.Join(w.dir, ".fstore", "foreign"), state); err != nil {
			t.Fatal(err)
		}
		s := w.run(4)
		if !strings.Contains(s.NewGeneration, "does not have run") || len(s.Left) != 1 {
			t.Errorf("%+v", s)
		}
		r.again()
		for _, name := range foreign {
			if err := os.Remove(filepath.Join(w.dir, ".fstore", name)); err != nil {
				t.Errorf("of the other store: %v", err)
			}
		}
		w.check(4, append(left, s.Left...)...)
	})
}

// TestTwoStoresTakeTurnsWithOneState materializes into two stores by turns, from one repo.
func TestTwoStoresTakeTurnsWithOneState(t *testing.T) {
	t.Parallel()
	w := newTicks(t, nil, tickKeys, instants)
	other := *w.repo
	other.env = append(append([]string{}, w.env...), "FSTORE_ONLINE="+redistest.New(t).URL)
	runs := 0
	for n := range 3 {
		for _, r := range []*repo{w.repo, &other} {
			s := summaries(t, r.must(to(n)...))["tick@1"]
			if s.Left != nil || s.Written != tickKeys || (s.NewGeneration != "") != (n == 0) {
				t.Errorf("%+v", s)
			}
			runs++
			b := r.backend()
			got := contents(t, b)
			b.Close()
			if problems := got.differs(w.cleanRun(n)); len(problems) > 0 {
				t.Errorf("as of %d:\n%s", n, strings.Join(problems, "\n"))
			}
		}
	}
	files := slices.DeleteFunc(w.files(".fstore/state"), func(f string) bool { // not there while the source is too young to be told apart
		return filepath.Base(f) == "publications.past"
	})
	if len(files) != 4 {
		t.Errorf("state holds %v, want a run for each store", files)
	}
}

// TestThePointerIsGarbage puts bytes in the place of a pointer that are none.
func TestThePointerIsGarbage(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, w *ticks) {
		w.run(1)
		r := w.read()
		r.again()
		b := w.backend()
		r.allow(codes.DataLoss)
		if err := b.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: []byte("fstore:shop:p:tick@1"), Value: bytes.Repeat([]byte("garbage "), 100)}}}); err != nil {
			t.Fatal(err)
		}
		r.refuses(codes.DataLoss)
		got := w.repo.run(to(2)...)
		if got.status != 1 || !strings.Contains(got.stderr, "cannot be read") || !strings.Contains(got.stderr, "hint: run fstore materialize tick@1 --full") {
			t.Errorf("ended with %d: %s", got.status, got.stderr)
		}
		if got := w.repo.run("doctor"); got.status != 4 || !strings.Contains(got.stdout, "run fstore materialize tick@1 --full") {
			t.Errorf("doctor ended with %d: %s", got.status, got.stdout)
		}
		w.must("apply", "--yes")
		if s := w.run(2, "--full"); !strings.Contains(s.NewGeneration, "could not be read") || s.Left != nil {
			t.Errorf("%+v", s)
		}
		r.again()
		r.allow()
		r.again()
		w.check(2)
	})
}
