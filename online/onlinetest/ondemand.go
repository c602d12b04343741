package onlinetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

var onDemandTests = []test{
	{"on_demand_features_are_in_the_lists_order", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "a int64, b int64=7")
		load(t, s, v, generation1, published, row{int64(1), published, int64(10), int64(2)}, row{int64(2), published, nil, nil})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v)}, Outputs: fstore.Outputs{fstore.FeatureOutput{As: "b", Feature: "b"}}}
		onDemand(l, "o", "x int64", "sum int64 : v.a + x; twice int64 : sum * 2; filled int64=-1 : v.a + v.b")
		l.Outputs = append(l.Outputs, fstore.FeatureOutput{As: "a", Feature: "a"})
		req := online.Request{Keys: []fstore.Column{column[any]("x", fstore.Int64, int64(5), int64(6), nil), ids(int64(1), int64(2), int64(3))}}
		same(t, ask(t, s, l, req), []string{
			"b: 2 | 7 NULL_VALUE | 7 NOT_FOUND",
			"sum: 15 | null NULL_VALUE | null NULL_VALUE",
			"twice: 30 | null NULL_VALUE | null NULL_VALUE",
			"filled: 12 | -1 NULL_VALUE | -1 NULL_VALUE",
			"a: 10 | null NULL_VALUE | null NOT_FOUND",
		})
	}},
	{"what_only_on_demand_features_read_is_not_in_the_answer", func(t *testing.T, b online.Backend) {
		count := &counting{Backend: b}
		s, v, w := online.New(count, "p"), view("v", "id int64", "a int64, s string, l list<float64>"), view("w", "id int64", "unread int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(10), []float64{1, 2}, "né"})
		load(t, s, w, generation2, published, row{int64(1), published, int64(1)})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v), use(w)}}
		onDemand(l, "o", "", `n int64 : length(v.s) + size(v.l) + v.a; up string : upper(v.s); l list<float64> : v.l`)
		var stats online.Stats
		s.Observe = func(st *online.Stats) { stats = *st }
		same(t, ask(t, s, l, online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}}), []string{
			"n: 14 | null NULL_VALUE", `up: "NÉ" | null NULL_VALUE`, "l: [1,2] | null NULL_VALUE",
		})
		if want := [...]int{online.Present: 3, online.NullValue: 3, online.OutsideMaxAge: 0}; stats.Statuses != want {
			t.Errorf("statuses %v, want %v: hidden features do not count", stats.Statuses, want)
		}
		if count.keys != 3 || len(stats.Versions) != 1 { // two records and a fence
			t.Errorf("%d keys of %v read; nothing reads w", count.keys, stats.Versions)
		}
	}},
	{"event_is_null_unless_a_value_is_there_and_fresh", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), ttl(view("v", "id int64", "a int64"), time.Hour)
		load(t, s, v, generation1, published, row{int64(1), published.Add(-time.Hour), nil}, row{int64(2), published.Add(-time.Hour - time.Microsecond), int64(1)})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v)}}
		onDemand(l, "o", "", "at_event timestamp : event(v); age float64 : hours(at - event(v))")
		want := []string{`at_event: "2011-12-09T11:50:00Z" | null NULL_VALUE | null NULL_VALUE`, "age: 1 | null NULL_VALUE | null NULL_VALUE"}
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2), int64(3))}}
		same(t, ask(t, s, l, req), want)
		req.EventTimes = online.WithEventTimes
		same(t, ask(t, s, l, req), []string{
			`at_event: "2011-12-09T11:50:00Z" at no time | null NULL_VALUE at no time | null NULL_VALUE at no time`,
			"age: 1 at no time | null NULL_VALUE at no time | null NULL_VALUE at no time",
		})
	}},
	{"event_of_windows_with_a_schedule_is_the_published_instant", func(t *testing.T, b online.Backend) {
		day := fstore.Duration(24 * time.Hour)
		s, v := newStore(b, "p"), view("v", "id int64", "n int64")
		v.View.Publish = &fstore.Publish{Every: day}
		v.View.Features[0].Window = &fstore.Window{Length: day}
		load(t, s, v, generation1, published, row{int64(1), nil, int64(3)})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v)}}
		onDemand(l, "o", "", "p timestamp : event(v)")
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}, Now: published.Add(time.Hour)}
		same(t, ask(t, s, l, req), []string{`p: "2011-12-09T12:50:00Z" | null NULL_VALUE`})
	}},
	{"a_request_may_leave_out_what_no_feature_of_the_list_reads", func(t *testing.T, b online.Backend) {
		s, l := newStore(b, "p"), &fstore.FeatureList{}
		onDemand(l, "o", "x int64, y int64", "a int64 : x + 1; b int64 : y + 1")
		l.Outputs = l.Outputs[:1]
		x, y := column[any]("x", fstore.Int64, int64(5)), column[any]("y", fstore.Int64, int64(5))
		same(t, ask(t, s, l, online.Request{Keys: []fstore.Column{x}, Now: published}), []string{"a: 6"})
		same(t, ask(t, s, l, online.Request{Keys: []fstore.Column{x, y}, Now: published}), []string{"a: 6"})
		if _, err := s.Lookup(context.Background(), l, online.Request{Keys: []fstore.Column{y}, Now: published}); !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("without what a feature reads: %v", err)
		}
	}},
	{"expressions_read_the_clock_of_the_request", func(t *testing.T, b online.Backend) {
		s, l := newStore(b, "p"), &fstore.FeatureList{}
		onDemand(l, "o", "zone string=\"UTC\"", "h int64 : hour(at, zone)")
		at := time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC)
		zones := column[any]("zone", fstore.String, "UTC", "Asia/Kolkata", nil)
		same(t, ask(t, s, l, online.Request{Keys: []fstore.Column{zones}, Now: at}), []string{"h: 23 | 5 | 23"})
		same(t, ask(t, s, l, online.Request{Now: at}), []string{"h: 23"})
	}},
	{"a_column_may_be_a_key_and_what_expressions_read", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "a int64")
		load(t, s, v, generation1, published, row{int64(4), published, int64(10)})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v)}, Request: map[string]string{"customer": "id"}}
		onDemand(l, "o", "customer int64", "x int64 : customer * v.a; even bool : customer % 2 == 0")
		same(t, ask(t, s, l, online.Request{Keys: []fstore.Column{ids(int64(4), int64(5), nil)}}), []string{
			"x: 40 | null NULL_VALUE | null NULL_VALUE", "even: true | false | null NULL_VALUE",
		})
	}},
	{"texts_of_expressions_count_towards_the_limit_of_an_answer", func(t *testing.T, b online.Backend) {
		s, l := newStore(b, "p"), &fstore.FeatureList{}
		s.Limits.MaxAnswerBytes = 1 << 20
		onDemand(l, "o", "x string", "hidden string : upper(x); n int64 : length(hidden)")
		l.Outputs = l.Outputs[1:] // what an answer does not have takes memory too
		text := strings.Repeat("x", 60_000)
		ask := func(rows int) error {
			c := fstore.NewColumn("x", fstore.String, rows)
			for range rows {
				c.Append(text)
			}
			_, err := s.Lookup(context.Background(), l, online.Request{Keys: []fstore.Column{c}, Now: published})
			return err
		}
		if err := ask(10); err != nil {
			t.Error(err)
		}
		isKind(t, ask(100), fstore.ErrTooLarge, "the limit is 1048576")
	}},
	onDemandProperty,
	{"wrong_request_columns_say_what_is_wrong", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "a int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(10)})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v)}}
		onDemand(l, "o", "lat float64, lon float64=0, tags list<string>=[]", "x float64 : lat + lon; n int64 : size(tags)")
		lat, id := column("lat", fstore.Float64, 1.5), ids(int64(1))
		for _, c := range []struct {
			name string
			keys []fstore.Column
			want []string
		}{
			{"missing", []fstore.Column{id}, []string{"request column lat (float64) is missing"}},
			{"all missing", nil, []string{"key column id and request column lat (float64) are missing"}},
			{"unknown", []fstore.Column{id, lat, column("lng", fstore.Float64, 1.5)}, []string{"unknown column lng", "the key columns are id", "lat (float64), lon (float64, optional), tags (list<string>, optional)"}},
			{"twice", []fstore.Column{id, lat, lat}, []string{"request column lat is given twice"}},
			{"lengths", []fstore.Column{id, column("lat", fstore.Float64, 1.5, 2.5)}, []string{"request column lat has 2 rows, not 1"}},
			{"a text", []fstore.Column{id, column("lat", fstore.String, "x")}, []string{"lat", "string", "float64"}},
			{"not whole", []fstore.Column{id, {Name: "lat", Type: fstore.Float64, Len: 1}}, []string{"lat does not hold its 1 rows"}},
			{"wrong offsets", []fstore.Column{id, lat, {Name: "tags", Type: fstore.List(fstore.String), Len: 1, Offsets: []int32{0, 1}}}, []string{"tags does not hold its 1 rows"}},
		} {
			_, err := s.Lookup(context.Background(), l, online.Request{Keys: c.keys, Now: published})
			t.Run(c.name, func(t *testing.T) { isKind(t, err, fstore.ErrInvalid, c.want...) })
		}
	}},
}

// onDemand adds an on-demand view to a list that reads every view of the list, by its name, and outputs all its features.
// Request columns are text such as "name type, name type=default", and features "name type : expression; name type=default : expression".
func onDemand(l *fstore.FeatureList, name, request, features string) *fstore.OnDemandVersion {
	o := &fstore.OnDemandVersion{Ref: fstore.ViewRef{Name: name, Version: 1}, View: fstore.OnDemandView{Name: name}}
	for _, f := range fields(request) {
		o.View.Request = append(o.View.Request, fstore.RequestColumn{Name: f.Name, Type: f.Type, Default: f.value()})
	}
	for _, u := range l.Uses {
		in := fstore.OnDemandInput{Name: u.Version.Ref.Name, Ref: u.Version.Ref, Keys: u.Keys}
		for _, f := range u.Version.View.Features {
			in.Features = append(in.Features, f.Name)
		}
		o.Inputs = append(o.Inputs, in)
	}
	for _, text := range strings.Split(features, "; ") {
		spec, expression, _ := strings.Cut(text, " : ")
		f := fields(spec)[0]
		o.View.Features = append(o.View.Features, fstore.Feature{Name: f.Name, Type: f.Type, Default: f.value(), Expression: expression})
		l.Outputs = append(l.Outputs, fstore.OnDemandOutput{As: f.Name, OnDemand: len(l.OnDemand), Feature: f.Name})
	}
	l.OnDemand = append(l.OnDemand, o)
	return o
}
