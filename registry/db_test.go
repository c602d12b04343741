package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/memory"
)

// open opens a registry in memory.
func open(t testing.TB) *registry.Store {
	t.Helper()
	db := registry.New(memory.New().Open("test"))
	t.Cleanup(func() { db.Close() })
	return db
}

func promote(t testing.TB, db *registry.Store, published map[fstore.ViewRef]time.Time) string {
	t.Helper()
	ps, err := db.Promote(context.Background(), "shop", published, epoch)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range ps {
		out = append(out, fmt.Sprintf("%s %d→%d", p.Name, p.From, p.To))
	}
	return strings.Join(out, ", ")
}

func ref(name string, version int) fstore.ViewRef {
	return fstore.ViewRef{Name: name, Version: version}
}

func TestPlanApplyUndo(t *testing.T) {
	db := open(t)
	first := plan(t, db, shop(t))
	want := `add airport
add customer
add countries
add lines
add weather
add airport_weather 0→1 new
add customer_orders 0→1 new
add order_trend 0→1 new
add world 0→1 new
add churn 0→1 new
materialize [airport_weather@1 customer_orders@1 order_trend@1 world@1]
`
	if diff := cmp.Diff(want, summary(first)); diff != "" {
		t.Error(diff)
	}
	if c := apply(t, db, shop(t)); c.ID != 1 || c.Revision != 1 || len(c.Objects) != 10 {
		t.Errorf("commit %+v", c)
	}
	if p := plan(t, db, shop(t)); !p.Empty() || p.Revision != 1 {
		t.Errorf("a second plan has %s", summary(p))
	}
	all := map[fstore.ViewRef]time.Time{ref("airport_weather", 1): epoch, ref("customer_orders", 1): epoch, ref("order_trend", 1): epoch, ref("world", 1): epoch}
	if got := promote(t, db, all); got != "airport_weather 0→1, customer_orders 0→1, order_trend 0→1, world 0→1, churn 0→1" {
		t.Error(got)
	}

	changed := shop(t, "ttl: 90d", "ttl: 30d")
	want = `change customer_orders 1→2 new +ttl
change churn 1→2 new +uses.customer_orders
materialize [customer_orders@2]
kept customer_orders@1 [feature_service churn@1 serving]
`
	if diff := cmp.Diff(want, summary(plan(t, db, changed))); diff != "" {
		t.Error(diff)
	}
	apply(t, db, changed)

	want = `change customer_orders 2→1 earlier +ttl
change churn 2→1 earlier +uses.customer_orders
`
	if diff := cmp.Diff(want, summary(plan(t, db, shop(t)))); diff != "" {
		t.Error(diff)
	}
	apply(t, db, shop(t))

	// A number that was used is not used again.
	apply(t, db, shop(t, "ttl: 90d", "ttl: 31d"))
	if v := revision(t, db).View(ref("customer_orders", 0)); v.Ref.Version != 3 || v.View.TTL.String() != "31d" {
		t.Errorf("head is %s with ttl %s", v.Ref, v.View.TTL)
	}
	commits, err := db.Commits(context.Background(), "shop")
	if err != nil || len(commits) != 4 || commits[0].ID != 4 || commits[0].Author != "ann" || !commits[0].Dirty || !commits[0].Time.Equal(epoch) {
		t.Errorf("commits %+v, %v", commits, err)
	}
}

func TestTwoAppliesOfOnePlan(t *testing.T) {
	db := open(t)
	plans := []*registry.Plan{plan(t, db, shop(t)), plan(t, db, shop(t, "ttl: 90d", "ttl: 30d")), plan(t, db, shop(t, "ttl: 90d", "ttl: 31d"))}
	errs := make([]error, len(plans))
	var wg sync.WaitGroup
	for i, p := range plans {
		wg.Go(func() {
			_, errs[i] = db.Apply(context.Background(), p, registry.CommitInfo{Now: epoch})
		})
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		switch {
		case err == nil:
			done++
		case !errors.Is(err, fstore.ErrConflict):
			t.Error(err)
		}
	}
	if done != 1 || revision(t, db).Number != 1 {
		t.Errorf("%d applies, revision %d; want one", done, revision(t, db).Number)
	}
}

func TestProjectsAreApart(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	other, err := db.Revision(context.Background(), "other")
	if err != nil || other.Number != 0 || len(other.Views()) != 0 || len(other.Live()) != 0 {
		t.Errorf("%+v, %v", other, err)
	}
}
