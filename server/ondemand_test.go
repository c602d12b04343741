package server_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/ondemand"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// trips returns a service whose features are those of version 1 of an on-demand view, or of a later one.
func trips(version int) *fstore.FeatureList {
	orders := servertest.Orders(1)
	l := servertest.ServiceOf("trips", version, orders)
	two := fstore.NewColumn("", fstore.Float64, 1)
	two.Append(2.0)
	trip := &fstore.OnDemandVersion{
		Ref: fstore.ViewRef{Name: "trip", Version: version},
		View: fstore.OnDemandView{
			Name: "trip",
			Request: []fstore.RequestColumn{
				{Name: "price", Type: fstore.Float64, Description: "What the trip costs"},
				{Name: "factor", Type: fstore.Float64, Default: &fstore.Value{Column: two}},
				{Name: "tags", Type: fstore.List(fstore.String)},
				{Name: "note", Type: fstore.String},
				{Name: "since", Type: fstore.Timestamp},
				{Name: "raw", Type: fstore.Bytes},
			},
			Features: []fstore.Feature{
				{Name: "share", Type: fstore.Float64, Expression: fmt.Sprintf("price * factor / orders.value + %d.0", version-1)},
				{Name: "tag_count", Type: fstore.Int64, Expression: "size(tags)"},
				{Name: "shout", Type: fstore.String, Expression: "upper(note)"},
				{Name: "waited", Type: fstore.Float64, Expression: "hours(at - since)"},
				{Name: "has_raw", Type: fstore.Bool, Expression: "!is_null(raw)"},
			},
		},
		Inputs: []fstore.OnDemandInput{{Name: "orders", Ref: orders.Ref, Keys: l.Uses[0].Keys, Features: []string{"value", "lines"}}},
	}
	l.Outputs = l.Outputs[:0]
	for _, f := range trip.View.Features {
		l.Outputs = append(l.Outputs, fstore.OnDemandOutput{As: f.Name, Feature: f.Name})
	}
	l.OnDemand, l.Request = []*fstore.OnDemandVersion{trip}, map[string]string{"price": "amount"}
	return l
}

// tripWorld returns a started world with the service trips.
func tripWorld(t testing.TB) *world {
	t.Helper()
	return tripWorldAt(t, nil)
}

func tripWorldAt(t testing.TB, change func(*server.Options)) *world {
	t.Helper()
	w := newWorld(t, change)
	w.Shop(t)
	page := w.book.Page
	page.Services["trips"] = trips(1)
	w.book.Set(page)
	return w.start(t)
}

// tripColumns are the columns of a request for two customers, of whom the shop knows the first.
func tripColumns() []fstore.Column {
	tags, notes := fstore.NewColumn("tags", fstore.List(fstore.String), 2), fstore.NewColumn("note", fstore.String, 2)
	raw := fstore.NewColumn("raw", fstore.Bytes, 2)
	tags.Append([]string{"a", ""})
	notes.Append("né")
	raw.Append([]byte{0})
	for _, c := range []*fstore.Column{&tags, &notes, &raw} {
		c.AppendNull()
	}
	return []fstore.Column{
		client.Keys("customer_id", int64(1), int64(99)), client.Keys("amount", 6.0, math.NaN()), tags, notes, raw,
		client.Keys("since", now.Add(-time.Hour), now.Add(time.Hour)),
	}
}

func TestOnDemandFeaturesOverGRPC(t *testing.T) {
	w := tripWorld(t)
	c := client.New(w.conn, client.Options{})
	got, err := c.Get(t.Context(), client.Request{Selection: client.Selection{Service: "trips"}, Keys: tripColumns(), EventTimes: online.WithEventTimes})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i := range got.Features {
		f := &got.Features[i]
		line := f.Column.Name + " " + string(f.Column.AppendValuesJSON(nil))
		for row := range got.Rows {
			line += " " + f.Status(row).String()
			if _, has := f.Event(row); has {
				t.Errorf("%s has an event time", f.Column.Name)
			}
		}
		lines = append(lines, line)
	}
	want := []string{
		"share [" + tripShare(t, w) + ",null] PRESENT NULL_VALUE", "tag_count [2,null] PRESENT NULL_VALUE", `shout ["NÉ",null] PRESENT NULL_VALUE`,
		"waited [1,-1] PRESENT PRESENT", "has_raw [true,false] PRESENT PRESENT",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]fstore.ViewRef{{Name: "trip", Version: 1}}, got.OnDemand); d != "" {
		t.Error(d)
	}
	zones, unicode := ondemand.DataVersions()
	if got.Builds.Zones != zones || got.Builds.Unicode != unicode || len(got.Versions) != 1 {
		t.Errorf("builds %+v, versions %v", got.Builds, got.Versions)
	}
	plain, err := c.Get(t.Context(), client.Request{Selection: client.Selection{Service: "churn"}, Keys: tripColumns()[:1]})
	if err != nil || plain.OnDemand != nil || plain.Builds.Zones != "" {
		t.Errorf("without on-demand features: %+v, %v", plain, err)
	}
}

// tripShare returns what the expression gives for the first customer, as JSON.
func tripShare(t *testing.T, w *world) string {
	t.Helper()
	answer, err := w.client.GetOnlineFeatures(t.Context(), byService("churn", int64s("customer_id", 1)))
	if err != nil {
		t.Fatal(err)
	}
	c := client.Keys("", 6.0*2/answer.GetFeatures()[0].GetFloat64Values()[0])
	return string(c.AppendJSON(nil, 0))
}

func TestOnDemandFeaturesOverHTTP(t *testing.T) {
	w := tripWorld(t)
	code, got := w.post(t, `{"service":"trips","entities":{"customer_id":[1,99],"amount":[6,"NaN"],"factor":[null,2],"tags":[["a",""],null],"note":["né",null],
		"raw":["AA==",null],"since":["2026-03-01T11:00:00Z","2026-03-01T13:00:00Z"]}}`)
	for _, want := range []string{
		`"amount":[6,"NaN"]`, `"factor":[null,2]`, `{"name":"share","type":"float64","values":[` + tripShare(t, w) + `,null],"statuses":["PRESENT","NULL_VALUE"]}`,
		`"values":["NÉ",null]`, `{"name":"waited","type":"float64","values":[1,-1]}`, `"on_demand":[{"view":"trip","version":1}],"builds":{"zones":"`,
	} {
		if code != 200 || !containsText(got, want) {
			t.Errorf("got %d %s, want %s", code, got, want)
		}
	}
}

func TestRequestColumnsAreDescribed(t *testing.T) {
	w := tripWorld(t)
	d, err := client.New(w.conn, client.Options{}).Describe(t.Context(), client.Selection{Service: "trips"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trips(1).Describe(), &d.Description); diff != "" {
		t.Errorf("over gRPC (-want +got):\n%s", diff)
	}
	code, body := w.call(t, "POST", "/v1/describe", `{"service":"trips"}`)
	for _, want := range []string{`{"name":"amount","type":"float64","description":"What the trip costs"}`, `{"name":"factor","type":"float64","default":{"type":"float64","value":2}}`} {
		if code != 200 || !containsText(body, want) {
			t.Errorf("got %d %s, want %s", code, body, want)
		}
	}
}

func TestWrongRequestColumns(t *testing.T) {
	w := tripWorld(t)
	columns := func(change func([]fstore.Column) []fstore.Column) (out []*fstorev1.Column) {
		for _, c := range change(tripColumns()) {
			out = append(out, fstorev1.NewColumn(&c))
		}
		return out
	}
	with := func(c fstore.Column) []*fstorev1.Column {
		return columns(func(all []fstore.Column) []fstore.Column {
			for i := range all {
				if all[i].Name == c.Name {
					all[i] = c
					return all
				}
			}
			return append(all, c)
		})
	}
	texts := func(s string) fstore.Column { return client.Keys("note", s, "") }
	long := fstore.NewColumn("tags", fstore.List(fstore.String), 2)
	long.Append(make([]string, 5000))
	long.AppendNull()
	for name, c := range map[string]struct {
		columns []*fstorev1.Column
		want    string
	}{
		"missing":      {columns(func(c []fstore.Column) []fstore.Column { return c[:1] }), "request column amount (float64), note (string), raw (bytes), since (timestamp), tags (list<string>)"},
		"unknown":      {with(client.Keys("price", 1.0, 2.0)), "unknown column price"},
		"a text":       {with(client.Keys("amount", "x", "y")), "request column amount is string, not float64"},
		"a list":       {with(client.Keys("tags", "x", "y")), "request column tags is string, not list<string>"},
		"inexact":      {with(client.Keys("amount", int64(1)<<53+1, int64(0))), "amount"},
		"too long":     {with(texts(strings.Repeat("x", 1<<16+1))), "note"},
		"long list":    {with(long), "tags"},
		"no instant":   {with(fstore.Column{Name: "since", Type: fstore.Timestamp, Len: 2, Int64s: []int64{math.MaxInt64, 0}}), "since"},
		"other length": {with(client.Keys("amount", 1.0)), "request column amount has 1 rows, not 2"},
	} {
		_, err := w.client.GetOnlineFeatures(t.Context(), byService("trips", c.columns...))
		t.Run(name, func(t *testing.T) { servertest.WantStatus(t, err, codes.InvalidArgument, c.want) })
	}
	for body, want := range map[string]string{
		`{"customer_id":[1]}`:                 "request column amount (float64), note (string)",
		`{"amount":["x"]}`:                    `request column amount, row 1: \"x\" is not a float64`,
		`{"amount":[[1]]}`:                    "request column amount, row 1: [1] is not a float64",
		`{"tags":[["a",null]]}`:               "request column tags, row 1: null is not a string",
		`{"since":["10000-01-01T00:00:00Z"]}`: "request column since, row 1",
		`{"raw":["%"]}`:                       "request column raw, row 1",
		`{"note":["\ud800"]}`:                 "surrogate pair",
		`{"amount":[1e999]}`:                  "request column amount, row 1",
		`{"note":"x"}`:                        "request column note: not a list of values",
		`{"note":["` + strings.Repeat("x", 1<<17) + `"],"customer_id":[1],"amount":[1],"tags":[null],"raw":[null],"since":[null]}`: "note",
	} {
		code, got := w.post(t, `{"service":"trips","entities":`+body+`}`)
		if code != 400 || !containsText(got, `"INVALID_ARGUMENT"`) || !containsText(got, want) {
			t.Errorf("%.80s: got %d %s, want 400 and %q", body, code, got, want)
		}
	}
}

// The server follows the registry to a new version of an on-demand view.
func TestTheServerFollowsAnOnDemandView(t *testing.T) {
	w := tripWorld(t)
	c := client.New(w.conn, client.Options{})
	ask := func() *client.Answer {
		a, err := c.Get(t.Context(), client.Request{Selection: client.Selection{Service: "trips"}, Keys: tripColumns()})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	was := ask()
	page := w.book.Page
	page.Services["trips"] = trips(2)
	w.book.Set(page)
	w.refresh()
	is := ask()
	if was.OnDemand[0].Version != 1 || is.OnDemand[0].Version != 2 || is.Features[0].Column.Float64s[0] != was.Features[0].Column.Float64s[0]+1 {
		t.Errorf("was %v of %v, is %v of %v", was.Features[0].Column.Float64s, was.OnDemand, is.Features[0].Column.Float64s, is.OnDemand)
	}
}

// A model keeps the on-demand view that is pinned to it while head moves on.
func TestAModelIsServedThePinnedOnDemandView(t *testing.T) {
	w := tripWorld(t)
	pinned := trips(1)
	pinned.Service, pinned.Model = fstore.ViewRef{}, fstore.ModelRef{Name: "fares", Version: "1"}
	page := w.book.Page
	page.Services["trips"] = trips(2)
	page.Models = map[fstore.ModelRef]*fstore.FeatureList{pinned.Model: pinned, {Name: "fares", Version: "champion"}: pinned}
	w.book.Set(page)
	w.refresh()
	c := client.New(w.conn, client.Options{})
	share := func(s client.Selection) (float64, int) {
		t.Helper()
		a, err := c.Get(t.Context(), client.Request{Selection: s, Keys: tripColumns()})
		if err != nil {
			t.Fatal(err)
		}
		return a.Features[0].Column.Float64s[0], a.OnDemand[0].Version
	}
	head, version := share(client.Selection{Service: "trips"})
	if version != 2 {
		t.Errorf("head is of trip@%d", version)
	}
	for _, named := range []string{"1", "champion"} {
		if got, version := share(client.Selection{Model: fstore.ModelRef{Name: "fares", Version: named}}); got != head-1 || version != 1 {
			t.Errorf("%s: got %v of trip@%d, head is %v", named, got, version, head)
		}
	}
}

// at is the replayed instant, whatever the clock says.
func TestOnDemandFeaturesOfAReplay(t *testing.T) {
	w := tripWorldAt(t, func(o *server.Options) { o.Replay, o.Clock = now.Add(5*time.Hour), nil })
	a, err := client.New(w.conn, client.Options{}).Get(t.Context(), client.Request{Selection: client.Selection{Service: "trips"}, Keys: tripColumns()})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Features[3].Column.Float64s; !a.Replayed.Equal(now.Add(5*time.Hour)) || got[0] != 6 || got[1] != 4 {
		t.Errorf("replayed at %v: waited %v", a.Replayed, got)
	}
}
