package registry_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/memory"
)

// The latest publications of each version are kept for each store, also of stores that take turns.
func TestTheLatestPublicationsOfEachStoreAreKept(t *testing.T) {
	ctx, db := t.Context(), registry.New(memory.New().Open("a"))
	apply(t, db, shop(t))
	publication := func(store string, version int, number int64) fstore.Publication {
		return fstore.Publication{
			View: fstore.ViewRef{Name: "customer_orders", Version: version}, Store: store, Number: number, Published: epoch,
			Run: store + string(rune('a'+number)), Keys: 10 * number, Nulls: map[string]int64{"order_value": number},
		}
	}
	const last = registry.MaxPublications + 3
	for number := int64(1); number <= last; number++ {
		for _, p := range []fstore.Publication{publication("one", 1, number), publication("two", 1, number), publication("one", 2, number)} {
			if err := db.RecordPublication(ctx, "shop", p); err != nil {
				t.Fatal(err)
			}
		}
	}
	for number := int64(0); number <= last+1; number++ {
		for _, want := range []fstore.Publication{publication("one", 1, number), publication("two", 1, number), publication("one", 2, number)} {
			asked := want
			asked.Keys, asked.Nulls = 0, nil
			got, known, err := db.Publication(ctx, "shop", asked)
			if kept := number > last-registry.MaxPublications && number <= last; err != nil || known != kept || kept && !cmp.Equal(got, want) {
				t.Errorf("%s, number %d: got %+v, %t, %v", want.Store, number, got, known, err)
			}
		}
	}
	moved := publication("one", 1, last)
	moved.Store = "the first, by another name"
	if got, known, err := db.Publication(ctx, "shop", moved); !known || err != nil || !cmp.Equal(got, publication("one", 1, last)) {
		t.Errorf("a store by another name: got %+v, %t, %v", got, known, err)
	}
	other := publication("one", 1, last)
	other.Run = "of another history"
	if _, known, err := db.Publication(ctx, "shop", other); known || err != nil {
		t.Errorf("another run has the number: %t, %v", known, err)
	}
}

func TestWhatAVersionReplaces(t *testing.T) {
	ctx, db := t.Context(), registry.New(memory.New().Open("a"))
	apply(t, db, shop(t))
	first, second := fstore.ViewRef{Name: "customer_orders", Version: 1}, fstore.ViewRef{Name: "customer_orders", Version: 2}
	replaces := func(v fstore.ViewRef) string {
		ref, ok := revision(t, db).Replaces(v)
		if !ok {
			return "nothing"
		}
		return ref.String()
	}
	if got := replaces(first); got != "nothing" {
		t.Errorf("the first version replaces %s", got)
	}
	if _, err := db.Promote(ctx, "shop", map[fstore.ViewRef]time.Time{first: epoch}, epoch); err != nil {
		t.Fatal(err)
	}
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	if got := replaces(second); got != first.String() {
		t.Errorf("the second version replaces %s", got)
	}
	if got := replaces(first); got != "nothing" {
		t.Errorf("the version that serves replaces %s", got)
	}
}
