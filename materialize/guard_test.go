package materialize_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
)

// change turns the first nulls keys to null and removes the last gone of n keys.
func (w *world) change(n, nulls, gone int) {
	for i := range nulls {
		w.table.rows = append(w.table.rows, tableRow{key: fmt.Sprintf("k%03d", i), event: day(3), null: true})
	}
	for i := n - gone; i < n; i++ {
		w.table.remove(fmt.Sprintf("k%03d", i))
	}
}

// refused runs as of p and returns what the run refused. The store and the state folder must be as they were.
func (w *world) refused(t *testing.T, o Options) *Refusal {
	t.Helper()
	before, records, files := w.pointer(t), dump(t, w.mem), fmt.Sprint(w.files(t))
	s, err := Run(t.Context(), o)
	if !errors.Is(err, fstore.ErrCheck) || s[0].Refused == nil || !s[0].Published.IsZero() || s[0].Written+s[0].Deleted != 0 {
		t.Fatalf("the run is not refused: %+v, %v", s[0], err)
	}
	if after := w.pointer(t); after != before {
		t.Errorf("the pointer was %+v and is %+v", before, after)
	}
	if after := dump(t, w.mem); fmt.Sprint(after) != fmt.Sprint(records) {
		t.Errorf("the store has changed")
	}
	if after := fmt.Sprint(w.files(t)); after != files {
		t.Errorf("the state folder had %s and has %s", files, after)
	}
	return s[0].Refused
}

// pointer returns the pointer, or the zero pointer if there is none.
func (w *world) pointer(t *testing.T) fstore.Pointer {
	t.Helper()
	p, _, err := w.store.Pointer(t.Context(), w.table.view.Ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatARunAsksAbout(t *testing.T) {
	for name, c := range map[string]struct {
		keys, nulls         int // published
		moreNulls, goneKeys int
		want                string // part of the reason; empty: nothing is asked
	}{
		"half of the keys go":                    {100, 0, 0, 50, ""},
		"more than half of the keys go":          {100, 0, 0, 51, "51 of 100 published keys would be deleted"},
		"all keys go":                            {100, 0, 0, 100, "100 of 100 published keys"},
		"all of too few keys go":                 {99, 0, 0, 99, ""},
		"half turns null":                        {100, 0, 50, 0, ""},
		"more than half turns null":              {100, 0, 51, 0, "n would be null for 51% of the keys, up from 0%"},
		"more than half turns null, of few keys": {10, 0, 6, 0, "n would be null for 60% of"},
		"one percent was null":                   {100, 1, 51, 0, ""},
		"less than one percent was null":         {101, 1, 51, 0, "up from 0.99%"},
		"both":                                   {100, 0, 30, 60, "60 of 100 published keys would be deleted; n would be null for 75% of"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(c.keys)
			w.change(c.keys, c.nulls, 0)
			w.mustRun(t, day(4), 0)
			w.change(c.keys, c.moreNulls, c.goneKeys)
			if c.want == "" {
				w.mustRun(t, day(5), 0)
				return
			}
			refusal := w.refused(t, w.options(day(5), 0))
			if got := strings.Join(refusal.Reasons, "; "); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			o := w.options(day(5), 0)
			o.Accept = []string{refusal.Accept}
			if s, err := Run(t.Context(), o); err != nil || s[0].Accepted != refusal.Accept {
				t.Errorf("accepted: %+v, %v", s, err)
			}
			w.check(t, day(5))
		})
	}
}

// What is accepted is one result: the same rows over the same publication, whichever generation and instant the run has.
func TestAcceptNamesOneResult(t *testing.T) {
	for _, mode := range []Mode{0, Full} {
		w := newWorld(t)
		w.fill(200)
		w.mustRun(t, day(4), 0)
		w.change(200, 0, 150)
		digest := w.refused(t, w.options(day(5), mode)).Accept
		if again := w.refused(t, w.options(day(6), mode)).Accept; again != digest {
			t.Errorf("mode %d: the same rows as of another instant are %s and %s", mode, digest, again)
		}
		w.table.put("k000", day(5), 77)
		o := w.options(day(6), mode)
		o.Accept = []string{digest}
		other := w.refused(t, o)
		if other.Accept == digest {
			t.Errorf("mode %d: another value has the same digest", mode)
		}
		if _, err := Run(t.Context(), o); !strings.Contains(fmt.Sprint(err), "--accept names another result") {
			t.Errorf("mode %d: got %v", mode, err)
		}
		want := fmt.Sprintf("fstore materialize orders@3 --to 2026-01-07T00:00:00Z%s --accept %s", map[Mode]string{Full: " --full"}[mode], other.Accept)
		if other.Command != want {
			t.Errorf("mode %d: got %q, want %q", mode, other.Command, want)
		}
		o.Accept = append(o.Accept, other.Accept)
		if s, err := Run(t.Context(), o); err != nil || s[0].Accepted != other.Accept {
			t.Fatalf("mode %d: %+v, %v", mode, s, err)
		}
		w.check(t, day(6))

		// Restored and broken again in the same way, it is another change.
		for i := range 200 {
			w.table.put(fmt.Sprintf("k%03d", i), day(2), int64(i))
		}
		w.mustRun(t, day(7), mode)
		for i := 50; i < 200; i++ {
			w.table.remove(fmt.Sprintf("k%03d", i))
		}
		o.To = day(8)
		w.refused(t, o)
	}
}

// A view that is refused does not stop the others.
func TestARefusedViewDoesNotStopOthers(t *testing.T) {
	w := newWorld(t)
	w.fill(100)
	w.mustRun(t, day(4), 0)
	w.change(100, 0, 100)
	other := *w.table.view
	other.Ref.Name, other.View.Name = "others", "others"
	o := w.options(day(5), 0)
	o.Views = append(o.Views, &other)
	w.table.put("k000", day(1), 1)
	s, err := Run(t.Context(), o)
	if !errors.Is(err, fstore.ErrCheck) || s[0].Refused == nil || s[1].Error != "" || !s[1].Published.Equal(day(5)) {
		t.Errorf("got %+v, %v", s, err)
	}
}

// Keys that go with time alone do not count: neither those whose rows outlived the ttl, nor those that a run that goes back is
// before. Keys that the source has lost do, beside them too.
func TestKeysThatGoWithTimeDoNotCount(t *testing.T) {
	ttl := fstore.Duration(36 * time.Hour)
	for name, c := range map[string]struct {
		ttl        *fstore.Duration
		late, lost int // of 200 keys, those that have a newer row, and those that the source loses
		to         int // day
		mode       Mode
		want       string
	}{
		"most outlive the ttl":                        {&ttl, 60, 0, 4, 0, ""},
		"most outlive the ttl, in a new generation":   {&ttl, 60, 0, 4, Full, ""},
		"most are lost":                               {&ttl, 200, 120, 4, 0, "120 of 200 published keys would be deleted"},
		"most are lost, in a new generation":          {&ttl, 200, 120, 4, Full, "120 of 200 published keys would be deleted"},
		"half outlives the ttl, and some are lost":    {&ttl, 100, 90, 4, 0, ""},
		"few outlive the ttl, and most are lost":      {&ttl, 190, 120, 4, 0, "120 of 200 published keys would be deleted"},
		"before the first rows of most":               {nil, 0, 0, 1, Rewind, ""},
		"before the first rows of most, without most": {nil, 0, 150, 1, Rewind, "150 of 200 published keys would be deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.table.view.View.TTL = c.ttl
			for i := range 200 {
				first := day(1)
				if c.mode == Rewind && i >= 20 {
					first = day(2)
				}
				w.table.put(fmt.Sprintf("k%03d", i), first, 1)
			}
			w.mustRun(t, day(2), 0)
			for i := range c.late {
				w.table.put(fmt.Sprintf("k%03d", i), day(3), 2)
			}
			for i := range c.lost {
				w.table.remove(fmt.Sprintf("k%03d", i))
			}
			for i := range 200 { // new keys hide nothing
				w.table.put(fmt.Sprintf("new%03d", i), day(3), 1)
			}
			if c.want == "" {
				w.mustRun(t, day(c.to), c.mode)
			} else if got := w.refused(t, w.options(day(c.to), c.mode)).Reasons; fmt.Sprint(got) != "["+c.want+"]" {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
}

// A run that goes back to before a feature had values is not asked about its nulls, unless the source has lost them.
func TestNullsOfARunThatGoesBack(t *testing.T) {
	for _, broken := range []bool{false, true} {
		w := newWorld(t)
		w.fill(100)
		w.change(100, 80, 0)
		for i := range 100 {
			w.table.put(fmt.Sprintf("k%03d", i), day(5), 7)
		}
		w.mustRun(t, day(6), 0)
		if !broken {
			w.mustRun(t, day(4), Rewind)
			continue
		}
		for i := range w.table.rows {
			w.table.rows[i].null = true
		}
		w.refused(t, w.options(day(4), Rewind))
	}
}

// Without its state folder, a run knows how many keys were published, and not which.
func TestANewGenerationThatDoesNotKnowTheFormerKeys(t *testing.T) {
	w := newWorld(t)
	w.fill(200)
	w.mustRun(t, day(4), 0)
	w.change(200, 0, 150)
	w.state = stateDir(t)
	refusal := w.refused(t, w.options(day(5), 0))
	if got := fmt.Sprint(refusal.Reasons); got != "[at least 150 of 200 published keys would be deleted]" {
		t.Errorf("got %s", got)
	}
}

// A registry that has no counts, as after an upgrade or a restore, does not let keys go: the state folder knows them. Nulls are
// not asked about.
func TestKeysAreComparedWithoutTheCountsOfTheRegistry(t *testing.T) {
	for _, mode := range []Mode{0, Full} {
		w := newWorld(t)
		w.fill(200)
		w.mustRun(t, day(4), 0)
		w.counts.kept = map[string]fstore.Publication{}
		w.change(200, 50, 150)
		o := w.options(day(5), mode)
		refusal := w.refused(t, o)
		if got := fmt.Sprint(refusal.Reasons); got != "[150 of 200 published keys would be deleted]" {
			t.Errorf("mode %d: got %s", mode, got)
		}
		const why = "only keys are compared, with those in the state folder: the registry has no counts of orders@3 as of 2026-01-05T00:00:00Z"
		o.Accept = []string{refusal.Accept}
		if s, err := Run(t.Context(), o); err != nil || s[0].ComparedWith != "orders@3 as of 2026-01-05T00:00:00Z; "+why || s[0].Warning != why {
			t.Errorf("mode %d: %+v, %v", mode, s, err)
		}
		w.check(t, day(5))
	}
}

// Without the registry's counts and without the state folder, nothing is known.
func TestNothingIsComparedWithoutCountsAndState(t *testing.T) {
	w := newWorld(t)
	w.fill(200)
	w.mustRun(t, day(4), 0)
	w.counts.kept = map[string]fstore.Publication{}
	w.state = stateDir(t)
	w.change(200, 0, 150)
	const why = "nothing to compare with: the registry has no counts of orders@3 as of 2026-01-05T00:00:00Z"
	if s := w.mustRun(t, day(5), 0); s.ComparedWith != why || s.Warning != why {
		t.Errorf("got %+v", s)
	}
}

// A new version is compared with the one that it is to replace.
func TestANewVersionIsComparedWithTheOneThatServes(t *testing.T) {
	for name, c := range map[string]struct {
		keys int
		want string
	}{"half of the keys": {100, ""}, "fewer than half": {99, "[at least 101 of 200 published keys would be deleted]"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(200)
			w.mustRun(t, day(4), 0)
			serving, next := *w.table.view, *w.table.view
			next.Ref.Version, next.Fingerprint = 4, "beef"
			w.table.view, w.counts.replaces[next.Ref] = &next, serving.Ref
			w.change(200, 0, 200-c.keys)
			if c.want == "" {
				if s := w.mustRun(t, day(5), 0); s.ComparedWith != "orders@3 as of 2026-01-05T00:00:00Z" {
					t.Errorf("got %+v", s)
				}
				return
			}
			if got := fmt.Sprint(w.refused(t, w.options(day(5), 0)).Reasons); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// A run that was accepted and then stopped is finished without asking again if it had begun to write. Before that, nothing of
// it counts, and the next run asks again.
func TestAnAcceptedRunThatIsStoppedAnywhere(t *testing.T) {
	for _, mode := range []Mode{0, Full} {
		for n, stopped := 1, true; stopped; n++ {
			w := newWorld(t)
			w.fill(120)
			w.mustRun(t, day(4), 0)
			w.change(120, 0, 100)
			before, served := w.pointer(t), w.holds(t)
			o := w.options(day(5), mode)
			o.Accept = []string{w.refused(t, o).Accept}
			steps, last := 0, ""
			_, err := Run(t.Context(), o.WithStep(func(name string) error {
				if steps++; steps == n {
					last = name
					return errCrash
				}
				return nil
			}))
			if stopped = errors.Is(err, errCrash); !stopped && err != nil {
				t.Fatal(err)
			}
			s, err := Run(t.Context(), w.options(day(5), 0))
			switch {
			case err == nil:
				w.check(t, day(5))
			case !errors.Is(err, fstore.ErrCheck) || s[0].Refused.Accept == "":
				t.Fatalf("stopped at step %d, %s: %v", n, last, err)
			default:
				if after := w.pointer(t); after != before || diffMaps(served, w.holds(t)) != "" {
					t.Fatalf("stopped at step %d, %s: refused, and yet the store has changed", n, last)
				}
				o.Accept, o.Mode = []string{s[0].Refused.Accept}, 0
				if _, err := Run(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				w.check(t, day(5))
			}
			if asked := err != nil; stopped && asked != slices.Contains([]string{
				"lease", "fence", "claimed", "fenced", "computed", "manifest", "spool", "judged", "durable",
			}, last) {
				t.Errorf("mode %d: stopped at step %d, %s: asked again: %t", mode, n, last, asked)
			}
		}
	}
}

// A run whose counts cannot be kept writes nothing: the next one would have nothing to compare with.
func TestARunWhoseCountsCannotBeKeptWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(2), 0)
	before, files := w.holds(t), fmt.Sprint(w.files(t))
	w.change(10, 5, 0)
	w.counts.fail = fstore.Errorf(fstore.ErrUnavailable, "the registry is away")
	if s, err := w.run(day(4), 0); !errors.Is(err, fstore.ErrUnavailable) || s.Refused != nil {
		t.Errorf("got %+v, %v", s, err)
	}
	if d := diffMaps(before, w.holds(t)); d != "" || fmt.Sprint(w.files(t)) != files {
		t.Errorf("the store or the state has changed: %s", d)
	}
	w.counts.fail = nil
	w.mustRun(t, day(4), 0)
}
