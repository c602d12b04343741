package registry_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// expected returns what is expected of a version.
func expected(t *testing.T, db *registry.Store, name string, version int) string {
	t.Helper()
	v := revision(t, db).View(ref(name, version))
	out := ""
	for _, e := range v.View.Expect {
		out += e.String() + "; "
	}
	for _, s := range v.Sources {
		for _, e := range s.Expect {
			out += s.Name + " " + e.String() + "; "
		}
	}
	return out
}

// Expectations make no version, a plan shows their change, and a version keeps those that it was last applied with.
func TestAVersionKeepsWhatItWasAppliedWith(t *testing.T) {
	const ttl = "ttl: 90d"
	expects := func(min int) string { return fmt.Sprintf("%s\nexpect: [{rows: {min: %d}}]", ttl, min) }
	db := open(t)
	apply(t, db, shop(t))
	p := plan(t, db, shop(t, ttl, expects(1)))
	if d := cmp.Diff("change customer_orders 1→1 same -expect.rows\n", summary(p)); d != "" {
		t.Error(d)
	}
	apply(t, db, shop(t, ttl, expects(1)))
	if p := plan(t, db, shop(t, ttl, "\n\n"+expects(1))); !p.Empty() {
		t.Errorf("another place in the file is a change: %s", summary(p))
	}
	apply(t, db, shop(t, ttl, expects(2)))
	if got := expected(t, db, "customer_orders", 1); got != "rows at least 2; " {
		t.Errorf("customer_orders@1 expects %s", got)
	}
	apply(t, db, shop(t, ttl, "ttl: 30d\nexpect: [{rows: {min: 3}}]"))
	for version, want := range map[int]string{1: "rows at least 2; ", 2: "rows at least 3; ", 0: "rows at least 3; "} {
		if got := expected(t, db, "customer_orders", version); got != want {
			t.Errorf("customer_orders@%d expects %swant %s", version, got, want)
		}
	}
	apply(t, db, shop(t, ttl, "ttl: 30d"))
	for version, want := range map[int]string{1: "rows at least 2; ", 2: ""} {
		if got := expected(t, db, "customer_orders", version); got != want {
			t.Errorf("customer_orders@%d expects %swant %s", version, got, want)
		}
	}
	apply(t, db, shop(t))
	if got := expected(t, db, "customer_orders", 1); got != "" {
		t.Errorf("head is back at customer_orders@1 without expectations, and it expects %s", got)
	}
}

// What is expected of a source reaches the versions that read it, and goes with the source.
func TestExpectationsOfSources(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t, "name: lines\n", "name: lines\nexpect: [{rows: {min: 7}}]\n"))
	if got := expected(t, db, "customer_orders", 1); got != "lines rows at least 7; " {
		t.Errorf("customer_orders@1 expects %s", got)
	}
	var of []fstore.Expectation
	for _, s := range revision(t, db).Sources() {
		of = append(of, s.Expect...)
	}
	if len(of) != 1 || of[0].Pos.Line == 0 {
		t.Errorf("sources expect %v", of)
	}
	apply(t, db, shop(t))
	for _, s := range revision(t, db).Sources() {
		if len(s.Expect) > 0 {
			t.Errorf("%s expects %v", s.Name, s.Expect)
		}
	}
}

// driftOf returns the thresholds of drift of a version of a view, or of an on-demand view, and of one of its features.
func driftOf(t *testing.T, db *registry.Store, r fstore.ViewRef, feature string) string {
	t.Helper()
	rev := revision(t, db)
	var rules []*fstore.DriftRule
	if v := rev.View(r); v != nil {
		rules = append(rules, v.View.Drift, v.View.Feature(feature).Drift)
	} else {
		v := rev.OnDemandView(r)
		rules = append(rules, v.View.Drift, v.Feature(feature).Drift)
	}
	out := ""
	for _, rule := range rules {
		names, values := rule.Given()
		out += fmt.Sprint(names, values, " ")
	}
	return out
}

// Thresholds of drift are kept as expectations are: an edit that plan shows and that makes no version, and each version keeps its own.
func TestThresholdsOfDriftAreKept(t *testing.T) {
	const ttl, hour = "ttl: 90d", "description: Of the request}"
	db := open(t)
	apply(t, db, trips(t))
	edited := []string{ttl, ttl + "\ndrift: {all: auto, psi: 0.25}", hour, "drift: {js: 0.3}}", "owner: rides@example.com", "owner: rides@example.com\ndrift: off"}
	p := plan(t, db, trips(t, edited...))
	if d := cmp.Diff("change customer_orders 1→1 same -drift.all -drift.psi\nchange trip 1→1 same -features.hour.drift.js -drift.all -features.hour.description\n", summary(p)); d != "" {
		t.Error(d)
	}
	apply(t, db, trips(t, edited...))
	kept, onDemand := "[all psi] [auto 0.25] [] [] ", "[all] [off] [js] [0.3] "
	for _, c := range []struct {
		ref           fstore.ViewRef
		feature, want string
	}{{ref("customer_orders", 1), "order_value", kept}, {ref("trip", 1), "hour", onDemand}, {ref("trip", 1), "warm", "[all] [off] [] [] "}} {
		if got := driftOf(t, db, c.ref, c.feature); got != c.want {
			t.Errorf("%s: %s, want %s", c.ref, got, c.want)
		}
	}
	for _, v := range revision(t, db).OnDemand() {
		if v.Ref.Name == "trip" && v.View.Drift == nil {
			t.Error("head does not have what its version has")
		}
	}
	apply(t, db, trips(t, ttl, "ttl: 30d"))
	for version, want := range map[int]string{1: kept, 2: "[] [] [] [] "} {
		if got := driftOf(t, db, ref("customer_orders", version), "order_value"); got != want {
			t.Errorf("customer_orders@%d: %s, want %s", version, got, want)
		}
	}
	if got := driftOf(t, db, ref("trip", 2), "hour"); got != "[] [] [] [] " {
		t.Errorf("trip@2: %s", got)
	}
}
