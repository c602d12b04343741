package materialize_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
)

// A version is checked before its first write, and never again once it is published. One that fails the check is not
// written, and does not stop the others.
func TestAVersionIsCheckedBeforeItsFirstWrite(t *testing.T) {
	w := newWorld(t)
	w.fill(5)
	leaks := *w.table.view
	leaks.Ref.Name, leaks.View.Name = "leaks", "leaks"
	wrong := errors.New("sees the future")
	var asked []string
	run := func(n int) ([]Summary, error) {
		o := w.options(day(n), 0)
		o.Views = []*fstore.ViewVersion{&leaks, w.table.view}
		o.Check = func(_ context.Context, v *fstore.ViewVersion) (string, error) {
			asked = append(asked, v.Ref.Name)
			if v.Ref == leaks.Ref {
				return "failed", wrong
			}
			return "no leak at 4 of 9 instants", nil
		}
		return Run(context.Background(), o)
	}
	s, err := run(2)
	if !errors.Is(err, wrong) || s[0].Causality != "failed" || s[0].Written != 0 || !s[0].Published.IsZero() || s[0].Error == "" {
		t.Errorf("the view that leaks: %+v, %v", s[0], err)
	}
	if _, ok, _ := w.store.Pointer(t.Context(), leaks.Ref); ok {
		t.Error("it is published")
	}
	if s[1].Causality != "no leak at 4 of 9 instants" || s[1].Written != 5 || s[1].Error != "" {
		t.Errorf("the other view: %+v", s[1])
	}
	if s, _ = run(3); s[1].Causality != "" || s[1].Published.IsZero() {
		t.Errorf("a later run of it: %+v", s[1])
	}
	if got, want := len(asked), 3; got != want {
		t.Errorf("asked for %v", asked)
	}
}

// A version whose definition is not what the store has published is checked, as one that was never published is: the pointer
// has the fingerprint of another registry, or cannot be read.
func TestAVersionIsCheckedWhereTheStoreHasAnotherDefinition(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		mode   Mode
		want   int
	}{
		"the same definition":    {func(*world) {}, Full, 0},
		"another definition":     {func(w *world) { w.table.view.Fingerprint = "of another registry" }, 0, 1},
		"a pointer not readable": {func(w *world) { w.garble(t, "garbage") }, Full, 1},
	} {
		w := newWorld(t)
		w.fill(5)
		w.mustRun(t, day(2), 0)
		c.change(w)
		asked := 0
		o := w.options(day(3), c.mode)
		o.Check = func(context.Context, *fstore.ViewVersion) (string, error) {
			asked++
			return "no leak at 4 of 9 instants", nil
		}
		if _, err := Run(t.Context(), o); err != nil || asked != c.want {
			t.Errorf("%s: checked %d times, %v", name, asked, err)
		}
	}
}
