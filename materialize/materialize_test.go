package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/google/go-cmp/cmp"
)

// fill puts n keys with one row each on day 1.
func (w *world) fill(n int) {
	for i := range n {
		w.table.put(fmt.Sprintf("k%03d", i), day(1), int64(i))
	}
}

func (w *world) mustRun(t *testing.T, p time.Time, mode Mode) Summary {
	t.Helper()
	s, err := w.run(p, mode)
	if err != nil {
		t.Fatal(err)
	}
	w.check(t, p)
	return s
}

// check says whether the store holds what a first run as of p would put there, and nothing else.
func (w *world) check(t fataler, p time.Time) {
	t.Helper()
	pointer, got := w.live(t)
	if !pointer.Published.Equal(p) {
		t.Errorf("published %s, want %s", pointer.Published, p)
	}
	if d := diffMaps(w.fresh(t, p), got); d != "" {
		t.Errorf("the store differs from a fresh run:\n%s", d)
	}
	if counts, ok, _ := w.counts.Published(context.Background(), w.table.view.Ref, pointer); !ok || counts.Keys != int64(len(got)) || !counts.Published.Equal(p) {
		t.Errorf("the counts of the publication are %+v, %v, want %d keys as of %s", counts, ok, len(got), p)
	}
}

func diffMaps(want, got map[string]string) string {
	var b strings.Builder
	for k, v := range want {
		if g, ok := got[k]; !ok {
			fmt.Fprintf(&b, "key %q is missing\n", k)
		} else if g != v {
			fmt.Fprintf(&b, "key %q: got %x, want %x\n", k, g, v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			fmt.Fprintf(&b, "key %q is left over\n", k)
		}
	}
	return b.String()
}

func TestRunWritesTheDifference(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	s := w.mustRun(t, day(2), 0)
	if s.NewGeneration != "nothing is published yet" || s.Keys != 10 || s.Written != 10 || s.Unchanged != 0 || s.Bytes == 0 {
		t.Errorf("first load: %+v", s)
	}
	first := s.Generation

	w.table.put("k003", day(3), 33)
	w.table.put("new", day(3), 1)
	w.table.remove("k007")
	s = w.mustRun(t, day(4), 0)
	want := Summary{
		View: w.table.view.Ref, Generation: first, Published: day(4), Keys: 10, Written: 2, Deleted: 1, Unchanged: 8,
		Bytes: s.Bytes, Seconds: s.Seconds, ComparedWith: "orders@3 as of 2026-01-03T00:00:00Z",
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("update (-want +got):\n%s", d)
	}
	if got := w.files(t); len(got) != 2 {
		t.Errorf("state holds %v, want one run without a spool", got)
	}
}

func TestRepeatWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(2), 0)
	header := func() fstore.Header {
		p, _ := w.live(t)
		h, _, err := w.store.Header(context.Background(), w.table.view.Ref, p.Generation)
		if err != nil {
			t.Fatal(err)
		}
		h.Token = ""
		return h
	}
	before := header()
	s := w.mustRun(t, day(2), 0)
	if s.Written != 0 || s.Deleted != 0 || s.Unchanged != 10 || !s.Published.Equal(day(2)) || s.Bytes != 0 {
		t.Errorf("a repeat: %+v", s)
	}
	if d := cmp.Diff(before, header()); d != "" {
		t.Errorf("a repeat changed the header: %s", d)
	}
	if s = w.mustRun(t, day(3), 0); s.Written != 0 || !s.Published.Equal(day(3)) {
		t.Errorf("a later run without changes: %+v", s)
	}
}

func TestFullFillsAGenerationBesideAndDropsTheOld(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	first := w.mustRun(t, day(2), 0)
	s := w.mustRun(t, day(2), Full)
	if s.Generation == first.Generation || s.NewGeneration != "asked for" || s.Written != 10 {
		t.Errorf("full: %+v", s)
	}
	if got := len(dump(t, w.mem)); got != 1 {
		t.Errorf("the store holds %d generations, want 1", got)
	}
	if _, ok, _ := w.store.Header(context.Background(), w.table.view.Ref, first.Generation); ok {
		t.Error("the old generation's header is still there")
	}
}

func TestInstants(t *testing.T) {
	w := newWorld(t)
	w.fill(3)
	w.table.put("k001", day(3), 7)
	w.mustRun(t, day(4), 0)
	for _, c := range []struct {
		name string
		to   time.Time
		mode Mode
		want string // in the error; empty: none
	}{
		{"after_now_is_refused", w.now.Add(time.Microsecond), 0, "after now"},
		{"before_published_is_refused", day(4).Add(-time.Microsecond), 0, "--rewind"},
		{"before_published_is_refused_with_full_too", day(3), Full, "--rewind"},
		{"published_again_is_allowed", day(4), 0, ""},
		{"rewind_goes_back", day(2), Rewind, ""},
		{"now_is_allowed", w.now, 0, ""},
		{"full_rewind", day(2), Full | Rewind, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.run(c.to, c.mode)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				w.check(t, c.to)
			} else if !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want one that says %s", err, c.want)
			}
		})
	}
}

func TestScheduleRoundsTheInstantDown(t *testing.T) {
	w := newWorld(t)
	w.fill(3)
	w.table.view.View.Publish = &fstore.Publish{Every: fstore.Duration(24 * time.Hour), Offset: fstore.Duration(2 * time.Hour)}
	s, err := w.run(day(5).Add(90*time.Minute), 0)
	if want := day(4).Add(2 * time.Hour); err != nil || !s.Published.Equal(want) {
		t.Errorf("published %s (%v), want %s", s.Published, err, want)
	}
}

func TestNewGenerationWhereTheStoreIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(w *world)
		want string
	}{
		"state_lost":     {func(w *world) { w.state = stateDir(t) }, "does not have run"},
		"store_emptied":  {func(w *world) { w.replace(memory.New()) }, "nothing is published yet"},
		"another_source": {func(w *world) { w.table.view.Fingerprint = "beef" }, "another definition"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(10)
			w.mustRun(t, day(2), 0)
			c.lose(w)
			if s := w.mustRun(t, day(3), 0); !strings.Contains(s.NewGeneration, c.want) {
				t.Errorf("new generation because %q, want %q", s.NewGeneration, c.want)
			}
			if s := w.mustRun(t, day(3), 0); s.NewGeneration != "" || s.Written != 0 {
				t.Errorf("and then again: %+v", s)
			}
		})
	}
}

func TestEdgesOfViews(t *testing.T) {
	t.Run("no_rows", func(t *testing.T) {
		w := newWorld(t)
		if s := w.mustRun(t, day(1), 0); s.Keys != 0 || s.Written != 0 || !s.Published.Equal(day(1)) {
			t.Errorf("got %+v", s)
		}
		w.mustRun(t, day(1), 0)
	})
	t.Run("an_empty_key", func(t *testing.T) {
		w := newWorld(t)
		w.table.put("", day(1), 1)
		w.mustRun(t, day(1), 0)
		w.table.put("", day(2), 2)
		w.mustRun(t, day(2), 0)
		w.table.remove("")
		w.mustRun(t, day(2), 0)
	})
	t.Run("all_keys_go", func(t *testing.T) {
		w := newWorld(t)
		w.fill(11)
		w.mustRun(t, day(1), 0)
		w.table.rows = nil
		if s := w.mustRun(t, day(1), 0); s.Deleted != 11 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("kept_offline", func(t *testing.T) {
		w := newWorld(t)
		w.table.view.View.Offline = true
		if _, err := w.run(day(1), 0); !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestKeysOutOfOrderAreAnError(t *testing.T) {
	w := newWorld(t)
	w.fill(5)
	w.table.view.View.Keys[0].Type = fstore.String
	o := w.options(day(2), 0)
	o.Source = disorder{w.table}
	s, err := Run(context.Background(), o)
	if !errors.Is(err, fstore.ErrCorrupt) || !strings.Contains(err.Error(), "orders@3: the view's keys are out of order") {
		t.Errorf("got %v", err)
	}
	if len(s) != 1 || s[0].Error == "" || len(dump(t, w.mem)) != 0 {
		t.Errorf("summary %+v", s)
	}
}

func TestOneViewsFailureDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	w.fill(5)
	bad := *w.table.view
	bad.Ref.Name, bad.View.Offline = "bad", true
	o := w.options(day(2), 0)
	o.Views = []*fstore.ViewVersion{&bad, w.table.view}
	s, err := Run(context.Background(), o)
	if err == nil || !strings.HasPrefix(err.Error(), "materialize bad@3: ") {
		t.Errorf("error %v", err)
	}
	if len(s) != 2 || s[0].Error == "" || s[1].Error != "" || s[1].Written != 5 {
		t.Errorf("summaries %+v", s)
	}
	w.check(t, day(2))
}

func TestSourceErrorLeavesEverythingAsItWas(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(2), 0)
	before := dump(t, w.mem)
	w.table.err = fstore.Errorf(fstore.ErrInvalid, "file 7: a value does not fit")
	for _, mode := range []Mode{0, Full} {
		if _, err := w.run(day(3), mode); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "file 7") {
			t.Errorf("got %v", err)
		}
	}
	if d := cmp.Diff(before, dump(t, w.mem)); d != "" {
		t.Errorf("the store changed: %s", d)
	}
	if got := w.files(t); len(got) != 2 {
		t.Errorf("state holds %v", got)
	}
	w.table.err = nil
	if s := w.mustRun(t, day(3), 0); s.NewGeneration != "" {
		t.Errorf("then: %+v", s)
	}
}

// The pointer has the greatest event time of the rows that are there as of P, also after a run that was stopped in between. Of a
// windowed view and of a static table it has none.
func TestThePointerHasTheGreatestEventTime(t *testing.T) {
	w := newWorld(t)
	w.table.put("b", day(3), 1)
	for i := range 20 {
		w.table.put(fmt.Sprint("a", i), day(1), 1)
	}
	w.table.put("c", day(9), 1)
	w.crash(t, 5, 0, "batch", 2)
	if _, err := w.run(day(5), 0); err != nil {
		t.Fatal(err)
	}
	if p, _ := w.live(t); !p.MaxEvent.Equal(day(3)) {
		t.Errorf("got %s, want %s", p.MaxEvent, day(3))
	}
	w.table.remove("b")
	if _, err := w.run(day(6), 0); err != nil {
		t.Fatal(err)
	}
	if p, _ := w.live(t); !p.MaxEvent.Equal(day(1)) {
		t.Errorf("got %s, want %s: the row is gone", p.MaxEvent, day(1))
	}
	for i := range 20 {
		w.table.remove(fmt.Sprint("a", i))
	}
	for i, at := range []int64{-math.MaxInt64, fstore.Micros(time.Date(-44, 3, 15, 0, 0, 0, 0, time.UTC))} { // rows that always held, and old ones
		w.table.put(fmt.Sprint("d", i), fstore.FromMicros(at), 1)
	}
	if _, err := w.run(day(7), 0); err != nil {
		t.Fatal(err)
	}
	if p, _ := w.live(t); !p.MaxEvent.IsZero() || !p.Published.Equal(day(7)) {
		t.Errorf("got %s: no year of these events can be written", p.MaxEvent)
	}
}
