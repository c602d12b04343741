package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

func TestReferencesToOnDemandFeatures(t *testing.T) {
	db := open(t)
	apply(t, db, trips(t))
	apply(t, db, trips(t, "> 20.0", "> 21.0"))
	s := revision(t, db)
	list, err := s.HeadFeatures([]string{"fare.scaled=fee", "customer_orders.order_lines", "trip@1.warm=cold", "trip.*"})
	if err != nil {
		t.Fatal(err)
	}
	want := `customer_orders@1 by customer_id
airport_weather@1 by origin
world@1 by
trip@2 reads customer_orders=customer_orders@1 origin_weather=airport_weather@1
fare@2 reads trip=trip@2 world=world@1
trip@1 reads customer_orders=customer_orders@1 origin_weather=airport_weather@1
sent amount float64 false
sent factor float64 true
fee = fare@2.scaled
order_lines = customer_orders@1.order_lines
cold = trip@1.warm
share = trip@2.share
warm = trip@2.warm
twice = trip@2.twice
hour = trip@2.hour
`
	if diff := cmp.Diff(want, listText(list)); diff != "" {
		t.Error(diff)
	}
}

const others = `kind: on_demand_view
name: other
request: [{name: amount, type: int64}]
features: [{name: double, type: int64, expression: amount * 2}]
---
kind: on_demand_view
name: clash
request: [{name: customer_id, type: string}]
features: [{name: same, type: string, expression: customer_id}]
---
kind: on_demand_view
name: fare
`

func TestReferencesThatAreWrong(t *testing.T) {
	db := open(t)
	apply(t, db, trips(t, "kind: on_demand_view\nname: fare\n", others))
	promoteAll(t, db)
	s := revision(t, db)
	for in, want := range map[string]string{
		"tripp.x":                 `did you mean "trip"?`,
		"trip.hours":              `did you mean "hour"?`,
		"trip@9.hour":             "there is no on_demand_view trip@9",
		"trip.hour=amount":        "feature trip@1.hour has the name of request column amount",
		"trip.hour=customer_id":   "feature trip@1.hour has the name of key column customer_id",
		"trip.hour trip.hour":     "two features are named hour",
		"trip.hour other.double":  "column amount is the float64 request column of trip@1 and the int64 request column of other@1",
		"trip.hour clash.same":    "column customer_id is the int64 key of customer_orders@1 and the string request column of clash@1",
		"order_trend.* clash.*=x": "is not a reference",
	} {
		for _, resolve := range []func([]string) (*fstore.FeatureList, error){s.HeadFeatures, s.ServingFeatures} {
			if _, err := resolve(strings.Fields(in)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", in, err, want)
			}
		}
	}
}

// A pin keeps the versions of on-demand views, the request mapping and the views behind them, whatever head does.
func TestAModelKeepsOnDemandViews(t *testing.T) {
	db, ctx := open(t), context.Background()
	apply(t, db, trips(t))
	list, err := revision(t, db).HeadService("ride")
	if err != nil {
		t.Fatal(err)
	}
	pin := func(version string, list *fstore.FeatureList) (registry.Pinned, error) {
		_, is, err := db.PinModel(ctx, "shop", registry.Pin{Model: model(version), List: list, Now: epoch})
		return is, err
	}
	if is, err := pin("1", list); err != nil || is != registry.NewPin {
		t.Fatal(is, err)
	}
	if is, err := pin("1", list); err != nil || is != registry.SamePin {
		t.Fatal(is, err)
	}
	other := *list
	other.Request = nil
	if _, err := pin("1", &other); !errors.Is(err, fstore.ErrConflict) {
		t.Error("another mapping:", err)
	}
	changed := *list.OnDemand[0]
	changed.Fingerprint = "another"
	other = *list
	other.OnDemand = []*fstore.OnDemandVersion{&changed, list.OnDemand[1]}
	if _, err := pin("2", &other); !errors.Is(err, fstore.ErrConflict) {
		t.Error("another definition:", err)
	}
	other = *list
	other.OnDemand = list.OnDemand[1:]
	other.Outputs = fstore.Outputs{fstore.OnDemandOutput{As: "scaled", OnDemand: 0, Feature: "scaled"}}
	if _, err := pin("2", &other); !errors.Is(err, fstore.ErrInvalid) {
		t.Error("without the on-demand view that another one reads:", err)
	}
	other = *list
	other.Uses = list.Uses[:1]
	if _, err := pin("2", &other); !errors.Is(err, fstore.ErrInvalid) {
		t.Error("without a view that an on-demand view reads:", err)
	}
	other = *list
	other.OnDemand = []*fstore.OnDemandVersion{&changed, list.OnDemand[1]}
	changed.Ref.Version = 9
	if _, err := pin("2", &other); !errors.Is(err, fstore.ErrNotFound) {
		t.Error("an unknown version:", err)
	}

	// Head loses the on-demand views and gets other versions of the views.
	p := plan(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	if len(p.Models) != 1 || p.Models[0].Affected || fmt.Sprint(p.Models[0].Keeps) != "[customer_orders@1 trip@1 fare@1]" {
		t.Errorf("the plan says of models %+v", p.Models)
	}
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	s := revision(t, db)
	got, err := s.ModelFeatures(model("1"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(listText(list), listText(got)); diff != "" || got.Request["amount"] != "fare_amount" {
		t.Error(diff, got.Request)
	}
	if _, err := s.HeadFeatures([]string{"trip.hour"}); !errors.Is(err, fstore.ErrNotFound) {
		t.Error("a removed on-demand view:", err)
	}
	if _, err := s.HeadFeatures([]string{"trip@1.hour"}); err != nil {
		t.Error("its version stays:", err)
	}
	if got := liveRefs(s); !strings.Contains(got, "customer_orders@1 customer_orders@2") {
		t.Error("live:", got)
	}
	for _, column := range []string{"fare_amount", "factor", "origin"} {
		if !s.SentColumns()[column] {
			t.Errorf("callers of the model may not send %s", column)
		}
	}
	apply(t, db, trips(t))
	if v := revision(t, db).OnDemandView(ref("trip", 0)); v == nil || v.Ref.Version != 1 {
		t.Errorf("it comes back as %+v", v)
	}
}
