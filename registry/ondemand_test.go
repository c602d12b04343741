package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/registrytest"
)

var trips = registrytest.Trips

// listText is a list in short: its look-ups, on-demand views, request columns and outputs.
func listText(l *fstore.FeatureList) string {
	var b strings.Builder
	for _, u := range l.Uses {
		fmt.Fprintf(&b, "%s by", u.Version.Ref)
		for _, k := range u.Keys {
			fmt.Fprintf(&b, " %s", k.Column)
		}
		b.WriteString("\n")
	}
	for _, v := range l.OnDemand {
		fmt.Fprintf(&b, "%s reads", v.Ref)
		for _, in := range v.Inputs {
			fmt.Fprintf(&b, " %s=%s", in.Name, in.Ref)
		}
		b.WriteString("\n")
	}
	for _, c := range l.RequestColumns() {
		fmt.Fprintf(&b, "sent %s %s %v\n", c.Name, c.Type, c.Default != nil)
	}
	for _, o := range l.Outputs {
		switch o := o.(type) {
		case fstore.FeatureOutput:
			fmt.Fprintf(&b, "%s = %s.%s\n", o.As, l.Uses[o.Use].Version.Ref, o.Feature)
		case fstore.OnDemandOutput:
			fmt.Fprintf(&b, "%s = %s.%s\n", o.As, l.OnDemand[o.OnDemand].Ref, o.Feature)
		}
	}
	return b.String()
}

func TestOnDemandViewsHaveVersions(t *testing.T) {
	db := open(t)
	want := `add airport
add customer
add countries
add lines
add weather
add airport_weather 0→1 new
add customer_orders 0→1 new
add order_trend 0→1 new
add world 0→1 new
add fare 0→1 new
add trip 0→1 new
add churn 0→1 new
add ride 0→1 new
materialize [airport_weather@1 customer_orders@1 order_trend@1 world@1]
`
	if diff := cmp.Diff(want, summary(plan(t, db, trips(t)))); diff != "" {
		t.Error(diff)
	}
	apply(t, db, trips(t))
	if p := plan(t, db, trips(t)); !p.Empty() {
		t.Errorf("a second plan has %s", summary(p))
	}
	list, err := revision(t, db).HeadService("ride")
	if err != nil {
		t.Fatal(err)
	}
	want = `customer_orders@1 by customer_id
airport_weather@1 by origin
world@1 by
trip@1 reads customer_orders=customer_orders@1 origin_weather=airport_weather@1
fare@1 reads trip=trip@1 world=world@1
sent factor float64 true
sent fare_amount float64 false
scaled = fare@1.scaled
warm = trip@1.warm
lines = customer_orders@1.order_lines
`
	if diff := cmp.Diff(want, listText(list)); diff != "" {
		t.Error(diff)
	}
}

// Names answer from a version once all views behind it are published, and on-demand views keep those views live.
func TestPromotionOfOnDemandViews(t *testing.T) {
	db := open(t)
	apply(t, db, trips(t))
	published := map[fstore.ViewRef]time.Time{ref("customer_orders", 1): epoch, ref("airport_weather", 1): epoch}
	if got := promote(t, db, published); got != "airport_weather 0→1, customer_orders 0→1, trip 0→1" {
		t.Error("fare waits for world:", got)
	}
	if _, err := revision(t, db).ServingFeatures([]string{"fare.scaled"}); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("an on-demand view whose views have no data:", err)
	}
	if _, err := revision(t, db).ServingFeatures([]string{"trip.hour"}); err != nil {
		t.Error(err)
	}
	published[ref("world", 1)], published[ref("order_trend", 1)] = epoch, epoch
	if got := promote(t, db, published); got != "order_trend 0→1, world 0→1, fare 0→1, churn 0→1, ride 0→1" {
		t.Error(got)
	}
	apply(t, db, trips(t, "ttl: 90d", "ttl: 30d", "kind: feature_service\nname: ride", "kind: feature_service\nname: other",
		"kind: feature_service\nname: churn", "kind: feature_service\nname: leave", `expression: "hour(at)"`, `expression: "hour(at) + 1"`,
		"features:\n  - {name: share", "features:\n  - {name: day, type: int64, expression: day(at)}\n  - {name: share"))
	s := revision(t, db)
	var live []string
	for _, v := range s.Live() {
		live = append(live, v.Ref.String())
	}
	if got := strings.Join(live, " "); got != "airport_weather@1 customer_orders@1 customer_orders@2 order_trend@1 world@1" {
		t.Error("trip@1 serves from customer_orders@1:", got)
	}
	list, err := s.ServingFeatures([]string{"trip.hour"})
	if err != nil {
		t.Fatal(err)
	}
	if got := list.OnDemand[0].Ref; got != ref("trip", 1) {
		t.Errorf("%s serves", got)
	}
	if _, err := s.ServingFeatures([]string{"trip.day"}); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("a feature that only head has:", err)
	}
	published[ref("customer_orders", 2)] = epoch
	if got := promote(t, db, published); got != "customer_orders 1→2, fare 1→2, trip 1→2, leave 0→1, other 0→1" {
		t.Error(got)
	}
	if _, err := revision(t, db).ServingFeatures([]string{"trip.day"}); err != nil {
		t.Error(err)
	}
}
