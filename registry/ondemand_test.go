package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
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

// A name is served from a version once all the views that the version reads are published. On-demand views keep those views live.
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

// Which edits make new versions, in a plan and in the apply that follows. Taken back, head moves back.
func TestEditsOfOnDemandViews(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		fresh string
	}{
		{"layout of an expression", []string{`"hour(at)"`, `"  hour( (at) )"`}, ""},
		{"a description", []string{"Of the request", "Of the day"}, ""},
		{"what of a request is logged", []string{"default: 2}", "default: 2, log: false}"}, ""},
		{"an owner", []string{"rides@", "trips@"}, ""},
		{"another name in expressions", []string{"as: origin_weather", "as: sky", "origin_weather.temperature", "sky.temperature"}, ""},
		{"a star written out", []string{"  - customer_orders.*\n  - {ref: airport_weather", "  - customer_orders.order_value\n  - {ref: airport_weather"}, ""},
		{"a use that nothing reads", []string{"uses: [trip.share,", "uses: [trip.share, trip.hour,"}, ""},
		{"a literal", []string{"> 20.0", "> 21.0"}, "fare ride trip"},
		{"a feature more", []string{"  - {name: hour,", "  - {name: day, type: int64, expression: day(at)}\n  - {name: hour,"}, "fare ride trip"},
		{"a default of a request column", []string{"default: 2}", "default: 3}"}, "fare ride trip"},
		{"a type of a request column", []string{"{name: factor, type: float64", "{name: factor, type: int64", "amount * factor", "amount * float64(factor)"}, "fare ride trip"},
		{"a key column", []string{"keys: {airport: origin}, as: origin_weather", "keys: {airport: start}, as: origin_weather"}, "fare ride trip"},
		{"a view that it reads", []string{"{every: 1d, offset: 2h, delay: 1h}", "{every: 1d, offset: 3h, delay: 1h}"}, "churn customer_orders fare ride trip"},
		{"the other view alone", []string{"trip.share * float64", "trip.share + float64"}, "fare ride"},
		{"a view that it reads through another", []string{"countries.parquet", "states.parquet"}, "churn fare ride world"},
		{"a view by another name", []string{"name: world\n", "name: globe\n", "world.", "globe."}, "fare globe"}, // names count for what reads them
		{"a mapping", []string{"request: {amount: fare_amount}", "request: {amount: price}"}, "ride"},
		{"no mapping", []string{"request: {amount: fare_amount}\n", ""}, "ride"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, trips(t))
			d := trips(t, c.edits...)
			p := plan(t, db, d)
			var fresh []string
			for _, change := range p.Changes {
				if change.Version == registry.NewVersion {
					fresh = append(fresh, change.Name)
				}
			}
			if slices.Sort(fresh); strings.Join(fresh, " ") != c.fresh {
				t.Fatalf("new versions of %v, want %s\n%s", fresh, c.fresh, summary(p))
			}
			if !p.Empty() {
				apply(t, db, d)
			}
			if again := plan(t, db, d); !again.Empty() {
				t.Errorf("a second plan is not empty:\n%s", summary(again))
			}
			if back := trips(t); !plan(t, db, back).Empty() {
				apply(t, db, back)
			}
			s := revision(t, db)
			for _, v := range s.OnDemand() {
				if v.Ref.Version != 1 {
					t.Errorf("taken back, head has %s", v.Ref)
				}
			}
			for _, v := range s.Services() {
				if v.Ref.Version != 1 {
					t.Errorf("taken back, head has %s", v.Ref)
				}
			}
		})
	}
}

// A request column that is no longer logged is not logged for any version, including those of services to which models are pinned.
func TestWhatIsNotLoggedHoldsForEarlierVersions(t *testing.T) {
	db := open(t)
	const column, unlogged = "default: 2}", "default: 2, log: false}"
	newer := []string{"> 20.0", "> 21.0"} // makes a second version
	apply(t, db, trips(t))
	for _, step := range []struct {
		name          string
		edits         []string
		first, second bool // whether the versions leave it out
	}{
		{"at first", nil, false, false},
		{"kept out", []string{column, unlogged}, true, true},
		{"taken back", nil, false, false},
		{"kept out by a newer version", append([]string{column, unlogged}, newer...), true, true},
		{"logged again", newer, false, false},
	} {
		if d := trips(t, step.edits...); !plan(t, db, d).Empty() {
			apply(t, db, d)
		}
		for version, want := range map[int]bool{1: step.first, 2: step.second} {
			list, err := revision(t, db).ServiceVersion(ref("ride", version))
			if version == 2 && err != nil { // it is not there yet
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(list.RequestColumns(), func(c fstore.RequestColumn) bool { return c.Name == "factor" })
			if at < 0 || list.RequestColumns()[at].Unlogged != want {
				t.Errorf("%s, ride@%d: %+v", step.name, version, list.RequestColumns())
			}
		}
	}
}

// A name may be a view and later an on-demand view: a reference means one of them for ever.
func TestAViewBecomesAnOnDemandView(t *testing.T) {
	db := open(t)
	apply(t, db, trips(t))
	apply(t, db, trips(t, "name: world\n", "name: globe\n", "world.", "globe.", "name: fare\n", "name: world\n", "fare.scaled", "world.scaled"))
	s := revision(t, db)
	if v := s.OnDemandView(ref("world", 0)); v == nil || v.Ref.Version != 2 || s.OnDemandView(ref("world", 1)) != nil || s.View(ref("world", 1)) == nil || s.View(ref("world", 0)) != nil {
		t.Errorf("head has %+v", v)
	}
	apply(t, db, trips(t))
	s = revision(t, db)
	if v := s.View(ref("world", 0)); v == nil || v.Ref.Version != 1 || s.OnDemandView(ref("fare", 0)).Ref.Version != 1 {
		t.Errorf("taken back, head has %+v", v)
	}
}

func TestWhatAPlanOfOnDemandViewsMeansForCallers(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		want  string
	}{
		{"a value", []string{"> 20.0", "> 21.0"}, ""},
		{"another default", []string{"default: 2}", "default: 3}"}, ""},
		{
			"a request column more",
			[]string{"  - {name: factor,", "  - {name: tip, type: float64}\n  - {name: factor,", "amount * factor", "amount * factor + tip"},
			"ride: callers must also send request column tip (float64), breaking",
		},
		{
			"an optional one",
			[]string{"  - {name: factor,", "  - {name: tip, type: float64, default: 0}\n  - {name: factor,", "amount * factor", "amount * factor + tip"},
			"ride: callers may also send request column tip (float64, optional)",
		},
		{"a default that goes", []string{", default: 2}", "}"}, "ride: request column factor changes from float64, optional to float64, breaking"},
		{"a default that comes", []string{"{name: amount, type: float64,", "{name: amount, type: float64, default: 1,"}, "ride: request column fare_amount changes from float64 to float64, optional"},
		{
			"another type",
			[]string{"{name: factor, type: float64", "{name: factor, type: int64", "amount * factor", "amount * float64(factor)"},
			"ride: request column factor changes from float64, optional to int64, optional, breaking",
		},
		{
			"a column that nothing needs any longer",
			[]string{"  - {name: factor, type: float64, default: 2}\n", "", "amount * factor", "amount * 2.0"},
			"ride: request column factor (float64, optional) is no longer needed\nfactor is forgotten, breaking",
		},
		{
			"another name to send",
			[]string{"request: {amount: fare_amount}", "request: {amount: price}"},
			"ride: request column fare_amount (float64) is no longer needed\nride: callers must also send request column price (float64), breaking\nfare_amount is forgotten, breaking",
		},
		{
			"a request column that is a key column",
			[]string{"  - {name: factor,", "  - {name: origin, type: string}\n  - {name: factor,", "amount * factor", "amount * factor + float64(length(origin))"},
			"",
		},
		{"an output changes its type", []string{"{name: warm, type: bool", "{name: warm, type: int64", "origin_weather.temperature > 20.0", "int64(origin_weather.temperature)", "default: false", "default: 0"}, "ride: output warm changes from bool to int64, breaking"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			apply(t, db, trips(t))
			promoteAll(t, db)
			p := plan(t, db, trips(t, c.edits...))
			if got := told(p); got != c.want {
				t.Errorf("got\n%s\nwant\n%s\n%s", got, c.want, summary(p))
			}
			if broken := strings.Contains(c.want, "breaking"); broken != (len(p.Breaking()) > 0) {
				t.Errorf("breaking is %v, want %v", p.Breaking(), broken)
			}
		})
	}
}

func TestAPlanShowsWhatDependsAndWhatIsSent(t *testing.T) {
	db := open(t)
	p := plan(t, db, trips(t))
	ride := p.Changes[len(p.Changes)-1]
	var sent []string
	for _, c := range ride.Request {
		sent = append(sent, fmt.Sprintf("%s %s %v", c.Name, c.Type, c.Default != nil))
	}
	if got := strings.Join(sent, ", "); ride.Name != "ride" || got != "factor float64 true, fare_amount float64 false" {
		t.Errorf("callers of %s send %s", ride.Name, got)
	}
	apply(t, db, trips(t))
	dependents := map[string]string{}
	for _, edits := range [][]string{{"path: weather.parquet", "path: other.parquet", "weather.parquet:", "other.parquet:"}, {"> 20.0", "> 21.0"}, {"trip.share * float64", "trip.share + float64"}, {"ttl: 90d", "ttl: 91d"}} {
		for _, c := range plan(t, db, trips(t, edits...)).Changes {
			dependents[c.Name] = strings.Join(c.Dependents, ", ")
		}
	}
	want := map[string]string{
		"weather":         "feature_view airport_weather, on_demand_view fare, on_demand_view trip, feature_service churn, feature_service ride",
		"airport_weather": "on_demand_view fare, on_demand_view trip, feature_service churn, feature_service ride",
		"customer_orders": "feature_view order_trend, on_demand_view fare, on_demand_view trip, feature_service churn, feature_service ride",
		"trip":            "on_demand_view fare, feature_service ride",
		"fare":            "feature_service ride", "ride": "", "churn": "",
	}
	if diff := cmp.Diff(want, dependents); diff != "" {
		t.Error(diff)
	}
}
