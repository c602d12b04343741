package registry_test

import (
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/memory"
)

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
