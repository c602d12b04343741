package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
)

// inspector is an Inspector that notes what it is shown and has the verdict of a test.
type inspector struct {
	rules   string
	verdict Verdict
	keys    []string
	change  *Change
}

func (i *inspector) Rules(*fstore.ViewVersion) string { return i.rules }

func (i *inspector) Inspect(*fstore.ViewVersion, time.Time) (Inspection, error) {
	i.keys, i.change = nil, nil
	return i, nil
}

func (i *inspector) Rows(b *fstore.Batch) error {
	i.keys = append(i.keys, b.Columns[0].Strings[:b.Len]...)
	return nil
}

func (i *inspector) Judge(_ context.Context, c Change) (Verdict, error) {
	i.change = &c
	return i.verdict, nil
}

// An inspector sees every row in order, then what is about to change, before anything is written.
func TestAnInspectorSeesTheRowsAndThenTheChange(t *testing.T) {
	w := newWorld(t)
	w.fill(10)
	w.mustRun(t, day(2), 0)
	w.change(10, 3, 2)
	i := &inspector{rules: "mine"}
	o := w.options(day(4), 0)
	o.Inspectors = []Inspector{i}
	i.verdict = Verdict{Refused: fstore.Errorf(fstore.ErrCheck, "n is null in 3 rows"), Asks: []Ask{{"it", "is that so"}}}
	refusal := w.refused(t, o)
	if got := strings.Join(refusal.Reasons, "; "); got != "n is null in 3 rows; is that so" || refusal.Accept != "" || refusal.Command != "" {
		t.Errorf("got %+v", refusal)
	}
	if got, want := strings.Join(i.keys, " "), "k000 k001 k002 k003 k004 k005 k006 k007"; got != want {
		t.Errorf("shown %s, want %s", got, want)
	}
	c := i.change
	if c == nil || c.NewGeneration || c.Written != 3 || c.Deleted != 2 || c.Unchanged != 5 || c.Publishes.Keys != 8 || c.Publishes.Nulls["n"] != 3 ||
		c.Previous == nil || c.Previous.Keys != 10 || c.Previous.Nulls["n"] != 0 || !c.Previous.Published.Equal(day(2)) {
		t.Errorf("got %+v", c)
	}
	i.verdict = Verdict{Warnings: []string{"mind the gap"}}
	if s, err := Run(t.Context(), o); err != nil || s[0].Warning != "mind the gap" {
		t.Errorf("got %+v, %v", s, err)
	}
	w.check(t, day(4))
}

// An interrupted run is finished only under the rules that let it begin. Otherwise what it computed is judged anew, in a new
// generation.
func TestAnInterruptedRunIsCheckedAgainIfTheRulesHaveChanged(t *testing.T) {
	for _, first := range []bool{true, false} { // the first load, or an update
		for _, step := range []string{"begin", "batch"} {
			w := newWorld(t)
			w.fill(10)
			if !first {
				w.mustRun(t, day(2), 0)
				w.change(10, 4, 0)
			}
			w.crash(t, 4, 0, step, 1)
			i := &inspector{rules: "new ones", verdict: Verdict{Refused: fstore.Errorf(fstore.ErrCheck, "not like this")}}
			o := w.options(day(4), 0)
			o.Inspectors = []Inspector{i}
			if s, err := Run(t.Context(), o); !errors.Is(err, fstore.ErrCheck) || len(i.keys) != 10 || !s[0].Finished.IsZero() {
				t.Errorf("first %t, after %s: %+v, %v", first, step, s, err)
			}
			if served := i.change.Served(); !first && !strings.Contains(served, "an interrupted run as of 2026-01-05T00:00:00Z may have left some of its values beside those as of 2026-01-03T00:00:00Z") {
				t.Errorf("after %s: %s", step, served)
			}
			if i.verdict = (Verdict{}); first {
				if _, ok, _ := w.store.Pointer(t.Context(), w.table.view.Ref); ok {
					t.Errorf("after %s: it is published", step)
				}
			}
			if s, err := Run(t.Context(), o); err != nil || !s[0].Finished.IsZero() || s[0].NewGeneration == "" {
				t.Errorf("first %t, after %s, then: %+v, %v", first, step, s, err)
			}
			w.check(t, day(4))
			if all := dump(t, w.mem); len(all) != 1 {
				t.Errorf("first %t, after %s: %d generations", first, step, len(all))
			}
		}
	}
}

// A run that finishes an interrupted one first and is then refused does not say that nothing was written.
func TestARefusedRunSaysThatAnInterruptedOneWasFinished(t *testing.T) {
	w := newWorld(t)
	w.fill(200)
	w.mustRun(t, day(2), 0)
	w.change(200, 4, 0)
	w.crash(t, 4, 0, "batch", 1)
	w.change(200, 0, 150)
	s, err := w.run(day(5), 0)
	if !errors.Is(err, fstore.ErrCheck) || !s.Finished.Equal(day(4)) ||
		!strings.Contains(err.Error(), "150 of 200 published keys would be deleted; an interrupted run as of 2026-01-05T00:00:00Z was finished first, and its values serve") {
		t.Errorf("got %+v, %v", s, err)
	}
}

// moving is an inspector whose inputs have changed for the first few verdicts.
type moving struct {
	inspector
	left, judged int
}

func (m *moving) Judge(context.Context, Change) (Verdict, error) {
	if m.judged++; m.judged > m.left {
		return Verdict{Warnings: []string{"once"}}, nil
	}
	return Verdict{Moved: fstore.Errorf(fstore.ErrConflict, "rows.parquet has changed"), Warnings: []string{"of a verdict about other rows"}}, nil
}

func (m *moving) Inspect(*fstore.ViewVersion, time.Time) (Inspection, error) { return m, nil }

// A verdict about inputs that have changed counts for nothing: the view is computed and judged again, three times in all.
func TestARunWhoseInputsMoveIsComputedAgain(t *testing.T) {
	for left := range 5 {
		w := newWorld(t)
		w.fill(10)
		w.mustRun(t, day(2), 0)
		before, files := w.holds(t), len(w.files(t))
		w.change(10, 3, 2)
		m := &moving{left: left}
		o := w.options(day(4), 0)
		o.Inspectors = []Inspector{m}
		s, err := Run(t.Context(), o)
		if left < 3 {
			if err != nil || m.judged != left+1 || s[0].Warning != "once" {
				t.Errorf("moved %d times: judged %d times, %+v, %v", left, m.judged, s[0], err)
			}
			w.check(t, day(4))
			continue
		}
		if !errors.Is(err, fstore.ErrConflict) || m.judged != 3 || s[0].Refused != nil || !s[0].Published.IsZero() {
			t.Errorf("moved %d times: judged %d times, %+v, %v", left, m.judged, s[0], err)
		}
		if d := diffMaps(before, w.holds(t)); d != "" || len(w.files(t)) != files {
			t.Errorf("moved %d times: the store or the state has changed: %s", left, d)
		}
	}
}

// counting counts how often a view is computed.
type counting struct {
	*table
	computed int
}

func (c *counting) AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	c.computed++
	return c.table.AsOf(ctx, v, p)
}

// asking is an inspector that asks for the lost keys.
type asking struct {
	inspector
	over, lost []int64
}

func (a *asking) Inspect(*fstore.ViewVersion, time.Time) (Inspection, error) { return a, nil }

func (a *asking) Judge(ctx context.Context, c Change) (Verdict, error) {
	for _, over := range a.over {
		lost, _, err := c.Lost(ctx, over)
		if err != nil {
			return Verdict{}, err
		}
		a.lost = append(a.lost, lost)
	}
	return Verdict{}, nil
}

// Which keys have gone with time is found out once for all inspectors, and not before somebody must know.
func TestLostKeysAreCountedOnce(t *testing.T) {
	ttl := fstore.Duration(36 * time.Hour)
	w := newWorld(t)
	w.table.view.View.TTL = &ttl
	for i := range 200 {
		w.table.put(fmt.Sprintf("k%03d", i), day(1), 1)
	}
	w.mustRun(t, day(2), 0)
	for i := range 60 {
		w.table.put(fmt.Sprintf("k%03d", i), day(3), 2)
	}
	for i := range 10 {
		w.table.remove(fmt.Sprintf("k%03d", i))
	}
	source, a := &counting{table: w.table}, &asking{over: []int64{150, 20, 5, 0, 500}}
	o := w.options(day(4), 0)
	o.Source, o.Inspectors = source, []Inspector{a, a}
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(a.lost), "[10 10 10 10 10 10 10 10 10 10]"; got != want || source.computed != 2 {
		t.Errorf("lost %s, want %s; computed %d times", got, want, source.computed)
	}
}
