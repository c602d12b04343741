package onlinetest

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/google/go-cmp/cmp"
)

var lookupTests = []test{
	{"statuses_and_defaults", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), ttl(view("v", "id int64", "a int64, b int64=7, c string, d string=\"none\", e list<float64>, f list<float64>=[1,2]"), time.Hour)
		old := published.Add(-time.Hour - time.Microsecond)
		load(t, s, v, generation1, published,
			row{int64(1), published, int64(1), int64(2), "c", "d", []float64{5}, []float64{6}},
			row{int64(2), published, nil, nil, nil, nil, nil, nil},
			row{int64(3), old, int64(1), int64(2), "c", "d", []float64{5}, []float64{6}})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2), int64(3), int64(4))}}), []string{
			"a: 1 | null NULL_VALUE | null OUTSIDE_MAX_AGE | null NOT_FOUND",
			"b: 2 | 7 NULL_VALUE | 7 OUTSIDE_MAX_AGE | 7 NOT_FOUND",
			`c: "c" | null NULL_VALUE | null OUTSIDE_MAX_AGE | null NOT_FOUND`,
			`d: "d" | "none" NULL_VALUE | "none" OUTSIDE_MAX_AGE | "none" NOT_FOUND`,
			"e: [5] | null NULL_VALUE | null OUTSIDE_MAX_AGE | null NOT_FOUND",
			"f: [6] | [1,2] NULL_VALUE | [1,2] OUTSIDE_MAX_AGE | [1,2] NOT_FOUND",
		})
	}},
	{"no_statuses_and_no_validity_where_all_is_present", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "a int64, s string")
		load(t, s, v, generation1, published, row{int64(1), published, int64(1), "s"})
		a, err := s.Lookup(context.Background(), list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Features {
			if f.Statuses != nil || f.Column.Valid != nil || f.Events != nil {
				t.Errorf("%s: statuses %v, validity %v, events %v", f.Column.Name, f.Statuses, f.Column.Valid, f.Events)
			}
		}
		same(t, a.Versions, []online.AnswerVersion{{Ref: v.Ref, Generation: generation1, Published: published, Run: runOf(generation1, published), Servable: published}})
	}},
	{"ttl_bound_is_inclusive", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), ttl(view("v", "id int64", "a int64"), time.Hour)
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		for _, c := range []struct {
			now  time.Time
			want string
		}{
			{published, "a: 1"},
			{published.Add(time.Hour), "a: 1"},
			{published.Add(time.Hour + time.Microsecond), "a: null OUTSIDE_MAX_AGE"},
			{published.Add(-time.Hour), "a: 1"},
		} {
			same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: c.now}), []string{c.want})
		}
	}},
	{"values_without_ttl_never_expire", func(t *testing.T, b online.Backend) {
		s, v, z := newStore(b, "p"), view("v", "id int64", "a int64"), ttl(view("z", "id int64", "b int64"), 0)
		load(t, s, v, generation1, published, row{int64(1), time.Unix(0, 0), int64(1)})
		load(t, s, z, generation2, published, row{int64(1), published, int64(1)})
		now := published.AddDate(200, 0, 0)
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: now}), []string{"a: 1"})
		same(t, ask(t, s, list(use(z)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}), []string{"b: 1"})
	}},
	{"static_views_have_no_event_time_and_no_age", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), static(view("v", "id int64", "a int64"))
		load(t, s, v, generation1, published, row{int64(1), nil, int64(1)})
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}, EventTimes: online.WithEventTimes}
		same(t, ask(t, s, list(use(v)), req), []string{"a: 1 at no time | null NOT_FOUND at no time"})
	}},
	{"event_times_are_the_records_whatever_its_age", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), ttl(view("v", "id int64", "a int64, b int64"), time.Hour)
		load(t, s, v, generation1, published, row{int64(1), published, int64(1), nil}, row{int64(2), published.Add(-2 * time.Hour), int64(1), int64(1)})
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2), int64(3))}, EventTimes: online.WithEventTimes}
		same(t, ask(t, s, list(use(v)), req), []string{
			"a: 1 at 2011-12-09T12:50:00Z | null OUTSIDE_MAX_AGE at 2011-12-09T10:50:00Z | null NOT_FOUND at no time",
			"b: null NULL_VALUE at 2011-12-09T12:50:00Z | null OUTSIDE_MAX_AGE at 2011-12-09T10:50:00Z | null NOT_FOUND at no time",
		})
	}},
	{"entity_less_views_have_one_row", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "", "rate float64")
		load(t, s, v, generation1, published, row{published, 1.5})
		same(t, ask(t, s, list(use(v)), online.Request{}), []string{"rate: 1.5"})
		same(t, ask(t, s, list(use(v)), online.Request{Rows: 1}), []string{"rate: 1.5"})
		w := view("w", "id int64", "a int64")
		load(t, s, w, generation2, published, row{int64(1), published, int64(1)})
		same(t, ask(t, s, list(use(w), use(v)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2), nil)}}),
			[]string{"a: 1 | null NOT_FOUND | null NOT_FOUND", "rate: 1.5 | 1.5 | 1.5"})
	}},
	{"one_view_by_two_key_roles", func(t *testing.T, b online.Backend) {
		count := &counting{Backend: b}
		s, v := online.New(count, "p"), view("airport", "code string", "temp float64")
		load(t, s, v, generation1, published, row{"LHR", published, 8.0}, row{"JFK", published, 3.0})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v, "origin"), use(v, "destination")}, Outputs: fstore.Outputs{
			fstore.FeatureOutput{As: "destination_temp", Use: 1, Feature: "temp"}, fstore.FeatureOutput{As: "origin_temp", Use: 0, Feature: "temp"},
		}}
		req := online.Request{Keys: []fstore.Column{
			column("origin", fstore.String, "LHR", "JFK", "XXX"), column("destination", fstore.String, "JFK", "LHR", "LHR"),
		}}
		ask(t, s, l, req)
		count.keys, count.calls = 0, 0
		same(t, ask(t, s, l, req), []string{"destination_temp: 3 | 8 | 8", "origin_temp: 8 | 3 | null NOT_FOUND"})
		if count.keys != 4 || count.calls != 1 {
			t.Errorf("%d keys in %d calls; 3 distinct ones and a fence in one call are enough", count.keys, count.calls)
		}
	}},
	{"duplicate_keys_are_fetched_once_and_answered_each", func(t *testing.T, b online.Backend) {
		count := &counting{Backend: b}
		s, v := online.New(count, "p"), view("v", "id int64", "a int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(10)}, row{int64(2), published, int64(20)})
		req := online.Request{Keys: []fstore.Column{ids(int64(2), int64(1), int64(2), nil, int64(2))}}
		ask(t, s, list(use(v)), req)
		count.keys = 0
		same(t, ask(t, s, list(use(v)), req), []string{"a: 20 | 10 | 20 | null NOT_FOUND | 20"})
		if count.keys != 3 {
			t.Errorf("%d keys fetched, 2 are distinct, and there is a fence", count.keys)
		}
	}},
	{"hostile_keys_are_told_apart", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "k string", "a string")
		keys := []string{"", "}", "{", "{}", "a}b{c", "\x00", "\x00\x00", "a", "a\x00", "é", "e\u0301", "*", "?", "[a]", "\\", "\r\n$1\r\n", "f{", "fstore:p:p:v@1", "日本語", " ", strings.Repeat("long", 1000), "\xff\xfe"}
		var rows []row
		for _, k := range keys {
			rows = append(rows, row{k, published, "v" + k})
		}
		load(t, s, v, generation2, published, rows...)
		a, err := s.Lookup(context.Background(), list(use(v)), online.Request{Keys: []fstore.Column{column("k", fstore.String, keys...)}, Now: published})
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range keys {
			if got := a.Features[0].Column.Strings[i]; a.Features[0].Status(i) != online.Present || got != "v"+k {
				t.Errorf("%q: got %q %s", k, got, a.Features[0].Status(i))
			}
		}
	}},
	{"composite_keys_that_concatenate_alike_are_told_apart", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "a int64, b int64", "x string")
		load(t, s, v, generation1, published, row{int64(1), int64(23), published, "1,23"}, row{int64(12), int64(3), published, "12,3"})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{
			column("b", fstore.Int64, int64(23), int64(3), int64(3)), column("a", fstore.Int64, int64(1), int64(12), int64(1)),
		}}),
			[]string{`x: "1,23" | "12,3" | null NOT_FOUND`})
		w := view("w", "a string, b string", "y string")
		load(t, s, w, generation2, published, row{"x\x00", "y", published, "1"}, row{"x", "\x00y", published, "2"}, row{"", "xy", published, "3"}, row{"xy", "", published, "4"})
		same(t, ask(t, s, list(use(w)), online.Request{Keys: []fstore.Column{
			column("a", fstore.String, "x\x00", "x", "", "xy", "x"), column("b", fstore.String, "y", "\x00y", "xy", "", "y"),
		}}),
			[]string{`y: "1" | "2" | "3" | "4" | null NOT_FOUND`})
	}},
	{"a_null_part_of_a_key_matches_nothing", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "a int64, b string", "x int64")
		load(t, s, v, generation1, published, row{int64(0), "", published, int64(1)})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{
			column[any]("a", fstore.Int64, int64(0), nil, int64(0), nil), column[any]("b", fstore.String, "", "", nil, nil),
		}}),
			[]string{"x: 1 | null NOT_FOUND | null NOT_FOUND | null NOT_FOUND"})
	}},
	{"keys_of_every_type", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "a bool, b int32, c int64, d string, e bytes, f timestamp", "x int64")
		at := time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC)
		load(t, s, v, generation1, published,
			row{true, int32(math.MinInt32), int64(math.MaxInt64), "d", []byte{0, 1}, at, published, int64(1)},
			row{false, int32(0), int64(math.MinInt64), "", []byte{}, time.Unix(0, 0), published, int64(2)})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{
			column("a", fstore.Bool, true, false, true), column("b", fstore.Int32, int32(math.MinInt32), int32(0), int32(0)),
			column("c", fstore.Int64, int64(math.MaxInt64), int64(math.MinInt64), int64(0)), column("d", fstore.String, "d", "", ""),
			column("e", fstore.Bytes, []byte{0, 1}, []byte{}, []byte{0}), column("f", fstore.Timestamp, at, time.Unix(0, 0), at),
		}}),
			[]string{"x: 1 | 2 | null NOT_FOUND"})
	}},
	{"values_of_every_type", func(t *testing.T, b online.Backend) {
		s := newStore(b, "p")
		v := view("v", "id int64", "a bool, b int32, c int64, d float32, e float64, f string, g bytes, h timestamp, "+
			"l list<bool>, m list<int32>, n list<int64>, o list<float32>, p list<float64>, q list<string>, r list<bytes>, s list<timestamp>")
		at := time.Date(2262, 1, 2, 3, 4, 5, 6000, time.UTC)
		load(t, s, v, generation1, published,
			row{
				int64(1), published, true, int32(math.MinInt32), int64(1<<53 + 1), float32(0.1), 0.1, "é\x00}",
				[]byte{0, 255},
				at,
				[]bool{true, false},
				[]int32{-1},
				[]int64{math.MaxInt64, math.MinInt64},
				[]float32{1.5},
				[]float64{2.5, 0.1},
				[]string{"", "x"},
				[][]byte{{}, {1}},
				[]time.Time{at},
			},
			row{
				int64(2), published, false, int32(0), int64(0), float32(0), 0.0, "",
				[]byte{},
				time.Unix(0, 0),
				[]bool{},
				[]int32{},
				[]int64{},
				[]float32{},
				[]float64{},
				[]string{},
				[][]byte{},
				[]time.Time{},
			},
			row{int64(3), published, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2), int64(3))}}), []string{
			"a: true | false | null NULL_VALUE", "b: -2147483648 | 0 | null NULL_VALUE", "c: 9007199254740993 | 0 | null NULL_VALUE",
			"d: 0.1 | 0 | null NULL_VALUE", "e: 0.1 | 0 | null NULL_VALUE", `f: "é\u0000}" | "" | null NULL_VALUE`,
			`g: "AP8=" | "" | null NULL_VALUE`, `h: "2262-01-02T03:04:05.000006Z" | "1970-01-01T00:00:00Z" | null NULL_VALUE`,
			"l: [true,false] | [] | null NULL_VALUE", "m: [-1] | [] | null NULL_VALUE",
			"n: [9223372036854775807,-9223372036854775808] | [] | null NULL_VALUE", "o: [1.5] | [] | null NULL_VALUE",
			"p: [2.5,0.1] | [] | null NULL_VALUE", `q: ["","x"] | [] | null NULL_VALUE`, `r: ["","AQ=="] | [] | null NULL_VALUE`,
			`s: ["2262-01-02T03:04:05.000006Z"] | [] | null NULL_VALUE`,
		})
	}},
	{"nan_and_infinities_survive_and_minus_zero_does_not", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x float64, y float32, z list<float64>")
		zero := math.Copysign(0, -1)
		load(t, s, v, generation1, published,
			row{int64(1), published, math.NaN(), float32(math.Inf(-1)), []float64{math.Inf(1), zero}}, row{int64(2), published, zero, float32(zero), []float64{math.NaN()}})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}}),
			[]string{`x: "NaN" | 0`, `y: "-Infinity" | 0`, `z: ["Infinity",0] | ["NaN"]`})
	}},
	{"int64_beyond_2_53_beside_nulls", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64")
		load(t, s, v, generation1, published, row{int64(1<<53 + 1), published, int64(1<<53 + 1)}, row{int64(1 << 53), published, nil})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1<<53+1), int64(1<<53), nil)}}),
			[]string{"x: 9007199254740993 | null NULL_VALUE | null NOT_FOUND"})
	}},
	{"int32_and_int64_keys_stand_for_each_other", func(t *testing.T, b online.Backend) {
		s, v, w := newStore(b, "p"), view("v", "id int32", "x int64"), view("w", "id int64", "y int64")
		load(t, s, v, generation1, published, row{int32(-5), published, int64(1)})
		load(t, s, w, generation2, published, row{int64(-5), published, int64(2)})
		for _, c := range []fstore.Column{ids(int64(-5)), column("id", fstore.Int32, int32(-5))} {
			same(t, ask(t, s, list(use(v), use(w)), online.Request{Keys: []fstore.Column{c}}), []string{"x: 1", "y: 2"})
		}
	}},
	{"the_answer_has_the_lists_order_and_names", func(t *testing.T, b online.Backend) {
		s, v, w := newStore(b, "p"), view("v", "id int64", "z int64, x_y int64, a int64"), view("v_x", "id int64", "y int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(1), int64(2), int64(3)})
		load(t, s, w, generation2, published, row{int64(1), published, int64(4)})
		l := &fstore.FeatureList{Uses: []fstore.ViewUse{use(v), use(w)}, Outputs: fstore.Outputs{
			fstore.FeatureOutput{As: "z", Use: 0, Feature: "z"},
			fstore.FeatureOutput{As: "v_x_y", Use: 1, Feature: "y"},
			fstore.FeatureOutput{As: "again", Use: 0, Feature: "z"},
			fstore.FeatureOutput{As: "x_y", Use: 0, Feature: "x_y"},
		}}
		same(t, ask(t, s, l, online.Request{Keys: []fstore.Column{ids(int64(1))}}), []string{"z: 3", "v_x_y: 4", "again: 3", "x_y: 2"})
	}},
	{"no_rows", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64, s string, l list<int64>")
		load(t, s, v, generation1, published, row{int64(1), published, []int64{1}, "s", int64(1)})
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids()}}), []string{"x: ", "s: ", "l: "})
	}},
	{"many_rows_and_long_values", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "s string, l list<float64>, x int64")
		var rows []row
		var want []string
		var keys []any
		for i := range 1500 {
			text := strings.Repeat("é", i*50)
			rows = append(rows, row{int64(i), published, make([]float64, i%7), text, int64(i)})
			keys, want = append(keys, int64(1499-i)), append(want, text)
		}
		load(t, s, v, generation1, published, rows...)
		s.Limits = online.Limits{}
		a, err := s.Lookup(context.Background(), list(use(v)), online.Request{Keys: []fstore.Column{ids(keys...)}, Now: published})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1500 {
			l := &a.Features[1].Column
			if a.Features[0].Column.Strings[i] != want[1499-i] || a.Features[2].Column.Int64s[i] != int64(1499-i) || int(l.Offsets[i+1]-l.Offsets[i]) != (1499-i)%7 {
				t.Fatalf("row %d is wrong", i)
			}
		}
	}},
	{"a_stale_key_has_the_values_of_one_that_is_gone", func(t *testing.T, b online.Backend) {
		s := newStore(b, "p")
		v := ttl(view("v", "id int64", "a int64, b int64=7, c string, d string=\"none\", e list<float64>, f list<float64>=[1,2], g bool=true"), time.Hour)
		was := load(t, s, v, generation1, published, row{int64(1), published, int64(1), int64(2), "c", "d", []float64{1}, []float64{2}, false})
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published.Add(time.Hour + time.Microsecond)}
		stale := ask(t, s, list(use(v)), req)
		keys, _ := encode(t, s, v, generation1, row{int64(1), published, nil, nil, nil, nil, nil, nil, nil})
		saw := fenceOf(t, s, was)
		is := saw
		is.Watermark++ // as the next run removes it
		if err := s.WriteBatch(context.Background(), saw, is, nil, nil, keys); err != nil {
			t.Fatal(err)
		}
		gone := ask(t, s, list(use(v)), req)
		for i := range gone {
			if was := strings.ReplaceAll(stale[i], "OUTSIDE_MAX_AGE", "NOT_FOUND"); was == stale[i] || was != gone[i] {
				t.Errorf("stale: %s; gone: %s", stale[i], gone[i])
			}
		}
	}},
	{"a_record_of_another_definition_is_corrupt", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64, y int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(1), int64(2)})
		_, err := s.Lookup(context.Background(), list(use(view("v", "id int64", "x int64, z int64"))), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published})
		isKind(t, err, fstore.ErrCorrupt, "written for another definition", "fstore materialize --full v@1")
	}},
	{"data_staler_than_a_service_allows_is_flagged_or_refused", func(t *testing.T, b online.Backend) {
		s, v, w := newStore(b, "p"), view("v", "id int64", "x int64"), view("w", "id int64", "y int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		load(t, s, w, generation2, published.Add(time.Minute), row{int64(1), published, int64(1)})
		l := list(use(v), use(w))
		stale := func(after time.Duration) (out []bool, err error) {
			a, err := s.Lookup(context.Background(), l, online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published.Add(after)})
			if err == nil {
				for _, version := range a.Versions {
					out = append(out, version.Stale)
				}
			}
			return out, err
		}
		for _, c := range []struct {
			bound *fstore.MaxStaleness
			after time.Duration
			want  []bool // nil: refused
		}{
			{nil, 1000 * time.Hour, []bool{false, false}},
			{&fstore.MaxStaleness{Age: fstore.Duration(time.Hour), Beyond: fstore.BeyondFlag}, time.Hour, []bool{false, false}},
			{&fstore.MaxStaleness{Age: fstore.Duration(time.Hour), Beyond: fstore.BeyondFlag}, time.Hour + time.Microsecond, []bool{true, false}},
			{&fstore.MaxStaleness{Age: fstore.Duration(time.Hour), Beyond: fstore.BeyondRefuse}, time.Hour, []bool{false, false}},
			{&fstore.MaxStaleness{Age: fstore.Duration(time.Hour), Beyond: fstore.BeyondRefuse}, time.Hour + time.Microsecond, nil},
		} {
			l.MaxStaleness = c.bound
			got, err := stale(c.after)
			if c.want == nil {
				isKind(t, err, fstore.ErrNotReady, "v@1 is stale", "fstore materialize v@1")
			} else if err != nil {
				t.Fatal(err)
			}
			same(t, got, c.want)
		}
	}},
	{"stats_say_what_a_lookup_did", func(t *testing.T, b online.Backend) {
		s, v := online.New(b, "p"), view("v", "id int64", "x int64, y int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(1), nil})
		var all []online.Stats
		s.Observe = func(st *online.Stats) {
			seen := *st
			seen.Views = slices.Clone(st.Views) // which the store reuses
			all = append(all, seen)
		}
		clock := time.Duration(0)
		s.Elapsed = func() time.Duration { clock += time.Millisecond; return clock }
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(1), int64(2))}, Now: published}
		ask(t, s, list(use(v)), req)
		ask(t, s, list(use(v)), req)
		_, err := s.Lookup(context.Background(), list(use(view("w", "id int64", "x int64"))), req)
		want := online.Stats{
			Rows: 3, Keys: 2, RoundTrips: 2, BackendTime: 2 * time.Millisecond, Now: published,
			Versions: []online.AnswerVersion{{Ref: v.Ref, Generation: generation1, Published: published, Run: runOf(generation1, published), Servable: published}},
		}
		want.Statuses[online.Present], want.Statuses[online.NullValue], want.Statuses[online.NotFound] = 2, 2, 2
		want.Views = []online.ViewStats{{Ref: v.Ref, Values: want.Statuses}}
		second := want
		second.RoundTrips, second.BackendTime = 1, time.Millisecond
		failed := online.Stats{Rows: 3, RoundTrips: 1, BackendTime: time.Millisecond, Now: published, Err: err}
		if d := cmp.Diff([]online.Stats{want, second, failed}, all, cmp.Comparer(func(a, b error) bool { return a == b })); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}},
}

// counting counts the requests to a backend.
type counting struct {
	online.Backend
	calls, keys, pointers int
}

func (c *counting) Get(ctx context.Context, r online.Read) ([][]byte, [][]byte, error) {
	c.calls, c.keys, c.pointers = c.calls+1, c.keys+len(r.Keys), c.pointers+len(r.Pointers)
	return c.Backend.Get(ctx, r)
}
