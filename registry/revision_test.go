package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

func TestPromotion(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	late, later := epoch.Add(time.Hour), epoch.Add(2*time.Hour)
	published := map[fstore.ViewRef]time.Time{ref("customer_orders", 1): late, ref("airport_weather", 1): late, ref("world", 1): late}
	s := revision(t, db)
	if _, err := s.ServingService("churn"); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("a service without data:", err)
	}
	if _, err := s.ServingFeatures([]string{"customer_orders.*"}); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("a view without data:", err)
	}
	if got := promote(t, db, published); got != "airport_weather 0→1, customer_orders 0→1, world 0→1" {
		t.Error("a service waits for all its views:", got)
	}
	published[ref("order_trend", 1)] = late
	if got := promote(t, db, published); got != "order_trend 0→1, churn 0→1" {
		t.Error(got)
	}
	number := revision(t, db).Number
	if got := promote(t, db, published); got != "" || revision(t, db).Number != number {
		t.Error("nothing moves twice:", got)
	}

	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d", "column: n}\nowner", "column: n}\n  - {name: lines2, type: int64, column: n}\nowner"))
	published[ref("customer_orders", 2)], published[ref("order_trend", 2)] = epoch, late
	if got := promote(t, db, published); got != "order_trend 1→2" {
		t.Error("a version published earlier than the one it replaces waits:", got)
	}
	s = revision(t, db)
	if list, err := s.ServingService("churn"); err != nil || list.Service.Version != 1 {
		t.Errorf("meanwhile the old version serves: %v, %v", list, err)
	}
	if list, err := s.HeadService("churn"); err != nil || list.Service.Version != 2 || len(list.Outputs) != 9 {
		t.Errorf("head: %v, %v", list, err)
	}
	if _, err := s.ServingFeatures([]string{"customer_orders.lines2"}); !errors.Is(err, fstore.ErrNotReady) {
		t.Error("a feature that only head has:", err)
	}
	var live []string
	for _, v := range s.Live() {
		live = append(live, v.Ref.String())
	}
	if got := strings.Join(live, " "); got != "airport_weather@1 customer_orders@1 customer_orders@2 order_trend@1 order_trend@2 world@1" {
		t.Error("live:", got)
	}
	published[ref("customer_orders", 2)] = later
	if got := promote(t, db, published); got != "customer_orders 1→2, churn 1→2" {
		t.Error(got)
	}

	// Undone, the old version serves again once it has caught up.
	apply(t, db, shop(t))
	if got := promote(t, db, published); got != "order_trend 2→1" {
		t.Error("behind:", got)
	}
	published[ref("customer_orders", 1)] = later
	if got := promote(t, db, published); got != "customer_orders 2→1, churn 2→1" {
		t.Error("caught up:", got)
	}

	// A name that leaves head is gone at once; what still serves stays live.
	apply(t, db, shop(t, "kind: feature_service\nname: churn", "kind: feature_service\nname: leaving"))
	if _, err := revision(t, db).ServingService("churn"); !errors.Is(err, fstore.ErrNotFound) {
		t.Error("a removed name:", err)
	}
}

func TestFeatureReferences(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	s := revision(t, db)
	list, err := s.HeadFeatures([]string{"customer_orders.order_lines=n", "airport_weather.*", "customer_orders@1.order_value", "customer_orders.order_value=newer"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range list.Outputs {
		switch o := o.(type) {
		case fstore.FeatureOutput:
			got = append(got, fmt.Sprintf("%s=%s.%s", o.As, list.Uses[o.Use].Version.Ref, o.Feature))
		case fstore.OnDemandOutput: // there is none
		}
	}
	want := []string{
		"n=customer_orders@2.order_lines", "temperature=airport_weather@1.temperature", "codes=airport_weather@1.codes",
		"order_value=customer_orders@1.order_value", "newer=customer_orders@2.order_value",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for in, want := range map[string]string{
		"customer_orders":                "is not a reference",
		"customer_order.x":               `did you mean "customer_orders"?`,
		"customer_orders.order_valu":     `did you mean "order_value"?`,
		"customer_orders@9.x":            "there is no feature_view customer_orders@9",
		"customer_orders.*=x":            "is not a reference",
		"customer_orders@0.x":            "is not a reference",
		"customer_orders.order_value=A-": "is not a reference",
	} {
		if _, err := s.HeadFeatures([]string{in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	if _, err := s.HeadFeatures([]string{"customer_orders.order_value", "customer_orders@1.order_value"}); err == nil || !strings.Contains(err.Error(), "two features are named") {
		t.Error(err)
	}
}
