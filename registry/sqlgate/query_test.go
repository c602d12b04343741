package sqlgate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

func refusals(t *testing.T, e *definitiontest.Engine, sql string) string {
	t.Helper()
	tree, err := e.ParseSQL(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(sqlgate.Refusals(tree), "; ")
}

// An ORDER BY counts only where it can tell rows apart.
func TestAnOrderThatOrdersNothing(t *testing.T) {
	e := newEngine(t)
	const (
		same   = ", and its ORDER BY does not tell them apart"
		window = "row_number() depends on the order of rows" + same
		total  = "LIMIT and OFFSET take arbitrary rows: the ORDER BY does not tell them apart"
		frame  = "a frame of ROWS depends on their order"
	)
	for _, c := range []struct{ sql, want string }{
		{"select row_number() over (order by 1 + 1) from a", window},
		{"select row_number() over (order by 'x' || 'y') from a", window},
		{"select row_number() over (partition by id order by id) from a", window},
		{"select row_number() over (partition by a.id order by ID) from a", window},
		{"select row_number() over (partition by id // 2 order by id // 2) from a", window},
		{"select row_number() over (partition by id // 2 order by id) from a", ""},
		{"select row_number() over (partition by a.id order by b.id) from a, b", ""},
		{"from a order by 1 + 0 limit 3", total},
		{"select 1 as one, x from a order by 1 limit 3", total},
		{"select x from a order by 1 limit 3", ""},
		{"select *, 1 from a order by 2 limit 3", ""},
		{"from a order by all limit 3", ""},
		{"from a union all from b order by 1 limit 3", ""},
		{"select distinct on (id) * from a order by id", "DISTINCT ON keeps an arbitrary row: the ORDER BY lists only the DISTINCT ON expressions"},
		{"select distinct on (id) id, x from a order by 1", "DISTINCT ON keeps an arbitrary row: the ORDER BY lists only the DISTINCT ON expressions"},
		{"select distinct on (id) * from a order by id, ts", ""},
		{"select first(x order by id) from a group by id", "first() depends on the order of rows" + same},
		{"select id, first(x order by id) from a group by 1", "first() depends on the order of rows" + same},
		{"select id, first(x order by id) from a group by all", "first() depends on the order of rows" + same},
		{"select id, first(x order by ts) from a group by all", ""},
		{"select id, (select first(x order by id) from b) from a group by id", ""},
		{"select list(x order by x) over (order by ts rows 2 preceding) from a", ""},
		{"select list(x order by x) over (partition by id rows 2 preceding) from a", frame},
		{"select list(x order by x) over (partition by id) from a", ""},
		{"select row_number() over (partition by id) from a", "row_number() depends on the order of rows"},
		{"select row_number() over (order by 'a') from a", window},
		{"select first(x) from a", "first() depends on the order of rows"},
		{"select first(x order by 1) from a", "first() depends on the order of rows" + same},
		{"select last(x order by id) over (partition by id) from a", "last() depends on the order of rows" + same},
		{"select max(x) over (partition by id order by id rows 2 preceding) from a", frame + ", and the ORDER BY does not tell them apart"},
		{"from a limit 3", "LIMIT and OFFSET take arbitrary rows without ORDER BY"},
		{"select distinct on (id) * from a", "DISTINCT ON keeps an arbitrary row without ORDER BY"},
		{"select distinct on (id) * from a order by 1 + 1", "DISTINCT ON keeps an arbitrary row: the ORDER BY is the same for all rows of a key"},
	} {
		if got := refusals(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

// A list in no order is fine within what gives the same for all orders. The parser writes list(x order by x) so.
func TestListsInAnyOrder(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ sql, want string }{
		{"select list(x order by x) from a", ""},
		{"select array_agg(x order by x desc nulls last) from a", ""},
		{"select list(x order by x) filter (where y) from a", ""},
		{"select list_sort(list(distinct x)), len(list(x)), l.list_distinct().list_sort(), list_contains(list_distinct(l), 1) from a", ""},
		{"select list_sort(list(now())) from a", "now() reads the clock"},
		{"select list_sort([random()]) from a", "random() is random"},
		{"select list_sort(list_transform(list(x), lambda e: e)) from a", "list() depends on the order of rows"},
		{"select list(x) from a", "list() depends on the order of rows"},
		{"select list_distinct(l) from a", "list_distinct() returns its values in no guaranteed order"},
		{"select list_first(l.array_distinct()) from a", "array_distinct() returns its values in no guaranteed order"},
	} {
		if got := refusals(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

func TestEstimatesAndStatisticsAreRefused(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ sql, want string }{
		{"select bitstring_agg(x) from a", "bitstring_agg() with one argument takes its range from the statistics in the files"},
		{"select bitstring_agg(x, 0, 9) from a", ""},
		{"select approx_count_distinct(x) from a", "approx_count_distinct() is an estimate that differs between versions of DuckDB"},
		{"select list_aggregate(l, 'approx_count_distinct') from a", "list_aggregate() calls approx_count_distinct, which is an estimate that differs between versions of DuckDB"},
		{"select json_group_array(x) from a", "json_group_array() depends on the order of rows and takes no ORDER BY"},
		{"with recursive r using key (k) as (select 1 as k, 2 as v union select k, v + 1 from r, a where v < 9) from r", "USING KEY keeps an arbitrary one of several rows with one key"},
	} {
		if got := refusals(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

func TestCollationsAreRefused(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ sql, want string }{
		{"select max(w collate nocase) from a", "COLLATE nocase makes different texts equal"},
		{"select distinct w collate NOACCENT from a", "COLLATE NOACCENT makes different texts equal"},
		{"select w from a order by w collate nocase.noaccent", "COLLATE nocase.noaccent makes different texts equal"},
		{"select w from a where w collate nocase = 'x' and 'y' <> w collate noaccent", ""},
		{"select * from a join b on a.w collate nocase.noaccent = b.w", ""},
		{"select (w collate nocase) || 'x' = 'y' from a", "COLLATE nocase makes different texts equal"},
		{"select w from a where (w, x) = (v collate nocase, y)", "COLLATE nocase makes different texts equal"},
		{"select * from a join b on a.w = b.w collate de", "COLLATE de makes different texts equal"},
		{"select list_sort(list(w), 'collate nocase') from a", ""},
		{"select w collate \"binary\", w collate c, 'collate nocase' from a", ""},
		{"select max(lower(w)), max(strip_accents(w)) from a", ""},
	} {
		if got := refusals(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}
