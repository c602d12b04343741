package onlinetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

var requestTests = []test{
	{"wrong_requests_say_what_is_wrong", func(t *testing.T, b online.Backend) {
		s, v, n := newStore(b, "p"), view("v", "a int32, b string", "x int64"), view("n", "", "y int64")
		load(t, s, v, generation1, published, row{int32(1), "b", published, int64(1)})
		load(t, s, n, generation2, published, row{published, int64(1)})
		a, text := column("a", fstore.Int32, int32(1)), column("b", fstore.String, "b")
		short := fstore.Column{Name: "b", Type: fstore.String, Len: 1}
		for _, c := range []struct {
			name string
			list *fstore.FeatureList
			req  online.Request
			want []string
		}{
			{"missing", list(use(v)), online.Request{}, []string{"a, b", "missing"}},
			{"one missing", list(use(v)), online.Request{Keys: []fstore.Column{a}}, []string{"key column b is missing"}},
			{"unknown", list(use(v)), online.Request{Keys: []fstore.Column{a, text, ids(int64(1))}}, []string{"unknown key column id", "a, b"}},
			{"unknown where there are none", list(use(n)), online.Request{Keys: []fstore.Column{ids(int64(1))}}, []string{"unknown key column id", "no keys"}},
			{"twice", list(use(v)), online.Request{Keys: []fstore.Column{a, a, text}}, []string{"a is given twice"}},
			{"lengths", list(use(v)), online.Request{Keys: []fstore.Column{a, column("b", fstore.String, "b", "c")}}, []string{"b has 2 rows, not 1"}},
			{"rows", list(use(v)), online.Request{Keys: []fstore.Column{a, text}, Rows: 2}, []string{"a has 1 rows, not 2"}},
			{"rows without keys", list(use(n)), online.Request{Rows: 2}, []string{"2 rows of a list without keys"}},
			{"a string is no number", list(use(v)), online.Request{Keys: []fstore.Column{column("a", fstore.String, "1"), text}}, []string{"a is string, not int32"}},
			{"a number is no string", list(use(v)), online.Request{Keys: []fstore.Column{a, column("b", fstore.Int64, int64(1))}}, []string{"b is int64, not string"}},
			{"bytes are no string", list(use(v)), online.Request{Keys: []fstore.Column{a, column("b", fstore.Bytes, []byte("b"))}}, []string{"b is bytes, not string"}},
			{
				"does not fit", list(use(v)),
				online.Request{Keys: []fstore.Column{column[any]("a", fstore.Int64, nil, int64(1<<31)), column("b", fstore.String, "", "")}},
				[]string{"a: 2147483648 in row 2 does not fit int32"},
			},
			{"not whole", list(use(v)), online.Request{Keys: []fstore.Column{a, short}}, []string{"b does not hold its 1 rows"}},
			{
				"before the published instant", list(use(n)),
				online.Request{Clock: online.ChosenClock, Now: published.Add(-time.Microsecond)},
				[]string{"2011-12-09T12:49:59.999999Z lies before 2011-12-09T12:50:00Z", "n@1"},
			},
		} {
			if c.req.Now.IsZero() {
				c.req.Now = published
			}
			_, err := s.Lookup(context.Background(), c.list, c.req)
			t.Run(c.name, func(t *testing.T) { isKind(t, err, fstore.ErrInvalid, c.want...) })
		}
	}},
	{"a_chosen_clock_at_the_published_instant_is_right", func(t *testing.T, b online.Backend) {
		s, n := newStore(b, "p"), view("n", "", "y int64")
		load(t, s, n, generation2, published, row{published, int64(1)})
		same(t, ask(t, s, list(use(n)), online.Request{Clock: online.ChosenClock, Now: published}), []string{"y: 1"})
		same(t, ask(t, s, list(use(n)), online.Request{Clock: online.MachineClock, Now: published.Add(-time.Minute)}), []string{"y: 1"})
	}},
	{"wrong_lists_say_what_is_wrong", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64")
		noFeature := list(use(v))
		noFeature.Outputs[0] = fstore.FeatureOutput{As: "x", Feature: "nope"}
		noUse := list(use(v))
		noUse.Outputs[0] = fstore.FeatureOutput{As: "x", Use: 1, Feature: "x"}
		unbound := list(use(v))
		unbound.Uses[0].Keys = nil
		clash := list(use(v), use(view("w", "id string", "y int64")))
		badDefault := list(use(view("v", "id int64", "x int64=1")))
		badDefault.Uses[0].Version.View.Features[0].Type = fstore.Int32
		for name, l := range map[string]*fstore.FeatureList{
			"v@1 has no feature nope": noFeature, "no use 1": noUse, "v@1 has 1 join keys, but 0 are bound": unbound,
			"column id is a key of type": clash, "the default of x is not a single int32": badDefault,
		} {
			_, err := s.Prepare(l)
			isKind(t, err, fstore.ErrInvalid, name)
		}
	}},
	{"limits_name_themselves", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "s string, x int64")
		load(t, s, v, generation1, published, row{int64(1), published, strings.Repeat("s", 100), int64(1)})
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(1), int64(1))}, Now: published}
		for _, c := range []struct {
			limits online.Limits
			want   []string
		}{
			{online.Limits{MaxRows: 2}, []string{"3 rows", "the limit is 2", "fewer rows at a time"}},
			{online.Limits{MaxFeatures: 1}, []string{"2 features", "the limit is 1"}},
			{online.Limits{MaxAnswerBytes: 77}, []string{"78 bytes", "the limit is 77"}},
			{online.Limits{MaxAnswerBytes: 377}, []string{"378 bytes", "the limit is 377"}},
		} {
			s.Limits = c.limits
			_, err := s.Lookup(context.Background(), list(use(v)), req)
			isKind(t, err, fstore.ErrTooLarge, c.want...)
		}
		for _, s.Limits = range []online.Limits{{}, {MaxRows: 3, MaxFeatures: 2, MaxAnswerBytes: 378}} {
			if _, err := s.Lookup(context.Background(), list(use(v)), req); err != nil {
				t.Errorf("%+v: %v", s.Limits, err)
			}
		}
	}},
	{"the_limit_of_an_answer_counts_what_has_no_value_too", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "s string, l list<int64>, x bool")
		load(t, s, v, generation1, published)
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}, Now: published}
		for events, size := range map[online.EventTimes]int{online.WithoutEventTimes: 2 * (17 + 17 + 2), online.WithEventTimes: 2 * (25 + 25 + 10)} {
			req.EventTimes = events
			s.Limits = online.Limits{MaxAnswerBytes: size - 1}
			_, err := s.Lookup(context.Background(), list(use(v)), req)
			isKind(t, err, fstore.ErrTooLarge, fmt.Sprintf("%d bytes", size))
			s.Limits = online.Limits{MaxAnswerBytes: size}
			if _, err := s.Lookup(context.Background(), list(use(v)), req); err != nil {
				t.Error(err)
			}
		}
	}},
	{"the_limit_of_an_answer_counts_each_element_of_a_list", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "l list<string>")
		load(t, s, v, generation1, published, row{int64(1), published, make([]string, 100)})
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		size := 17 + 100*(16+1) // an empty string takes a byte of the record, and 16 more in memory
		s.Limits = online.Limits{MaxAnswerBytes: size - 1}
		_, err := s.Lookup(context.Background(), list(use(v)), req)
		isKind(t, err, fstore.ErrTooLarge, fmt.Sprintf("%d bytes", size))
		s.Limits = online.Limits{MaxAnswerBytes: size}
		if _, err := s.Lookup(context.Background(), list(use(v)), req); err != nil {
			t.Error(err)
		}
	}},
	{"what_a_backend_refuses_is_no_mistake_of_the_request", func(t *testing.T, b online.Backend) {
		refused := fstore.Errorf(fstore.ErrInvalid, "wrong password").WithHint("check it")
		s, v := online.New(refusing{b, refused}, "p"), view("v", "id int64", "x int64")
		_, err := s.Lookup(context.Background(), list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published})
		isKind(t, err, online.ErrUnusable, "wrong password (check it)")
		isKind(t, err, refused)
	}},
}

// refusing is a backend that cannot be read.
type refusing struct {
	online.Backend
	err error
}

func (r refusing) Get(context.Context, online.Read) (records, ptrs [][]byte, err error) {
	return nil, nil, r.err
}

// isKind checks the kind of an error and that its message contains every text of says.
func isKind(t testing.TB, err error, kind error, says ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("got %q, which does not say %q", err, s)
		}
	}
}
