package project

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/memory"
	"github.com/fstore-dev/fstore/registry/registrytest"
)

// showing is an online store that shows some pointers, and others once it has waited for a replica.
type showing struct {
	pointers, after map[fstore.ViewRef]fstore.Pointer
	warning         string
	waited          int
}

func (s *showing) Pointers(context.Context, []fstore.ViewRef) (map[fstore.ViewRef]fstore.Pointer, error) {
	return maps.Clone(s.pointers), nil
}

func (s *showing) Replicated(context.Context) (string, error) {
	s.waited++
	if s.after != nil {
		s.pointers = s.after
	}
	return s.warning, nil
}

// Readers depend on what is promoted. So it must still be there after a replica was waited for.
func TestWhatTheStoreHasLostIsNotPromoted(t *testing.T) {
	for name, c := range map[string]struct {
		lost     bool
		warning  string
		promoted string
	}{
		"kept":           {false, "", "airport_weather customer_orders order_trend world churn"},
		"kept_by_nobody": {false, "no replica has confirmed the writes", "airport_weather customer_orders order_trend world churn"},
		"lost":           {true, "", "airport_weather customer_orders world"},
	} {
		t.Run(name, func(t *testing.T) {
			db := registry.New(memory.New().Open("test"))
			defer db.Close()
			registrytest.Apply(t, db, registrytest.Shop(t))
			rev := registrytest.Revision(t, db)
			store := &showing{pointers: map[fstore.ViewRef]fstore.Pointer{}, warning: c.warning}
			for _, v := range rev.Live() {
				store.pointers[v.Ref] = fstore.Pointer{Fingerprint: v.Fingerprint, Published: registrytest.Epoch}
			}
			if c.lost {
				store.after = maps.Clone(store.pointers)
				delete(store.after, fstore.ViewRef{Name: "order_trend", Version: 1})
			}
			var warnings []string
			p := &Project{Settings: &Settings{Project: registrytest.Project}, options: Options{
				Clock: func() time.Time { return registrytest.Epoch }, Notify: func(n Notice) { warnings = append(warnings, n.Text) },
			}}
			promoted, err := p.promoteShown(t.Context(), db, rev, store)
			var names []string
			for _, n := range promoted {
				names = append(names, n.Name)
			}
			if got := strings.Join(names, " "); got != c.promoted || store.waited != 1 {
				t.Errorf("promoted %q after waiting %d times, want %q", got, store.waited, c.promoted)
			}
			if c.lost != errors.Is(err, fstore.ErrConflict) || c.lost && !strings.Contains(err.Error(), "order_trend@1, churn@1 cannot serve yet") || !c.lost && err != nil {
				t.Errorf("got %v", err)
			}
			if got := strings.Join(warnings, ""); (c.warning == "") != (got == "") || !strings.HasPrefix(got, c.warning) {
				t.Errorf("warned %q", got)
			}
			if again, err := p.promoteShown(t.Context(), db, registrytest.Revision(t, db), store); len(again) > 0 || err != nil || store.waited != 1 {
				t.Errorf("again: %v, %v; waited %d times", again, err, store.waited)
			}
		})
	}
}
