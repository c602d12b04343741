package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

func refusals(t *testing.T, e *engine, sql string) string {
	t.Helper()
	tree, err := e.ParseSQL(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(registry.Refusals(tree), "; ")
}

// An ORDER BY counts only where it can tell rows apart.
func TestAnOrderThatOrdersNothing(t *testing.T) {
	e := newEngine(t)
	const (
		same   = ", and its ORDER BY is the same for all of them"
		window = "row_number() depends on the order of rows" + same
		total  = "LIMIT and OFFSET take any rows: the ORDER BY is the same for all of them"
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
		{"select distinct on (id) * from a order by id", "DISTINCT ON keeps any row: the ORDER BY names only what is distinct"},
		{"select distinct on (id) id, x from a order by 1", "DISTINCT ON keeps any row: the ORDER BY names only what is distinct"},
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
		{"select max(x) over (partition by id order by id rows 2 preceding) from a", frame + ", and the ORDER BY is the same for all of them"},
		{"from a limit 3", "LIMIT and OFFSET take any rows without ORDER BY"},
		{"select distinct on (id) * from a", "DISTINCT ON keeps any row without ORDER BY"},
		{"select distinct on (id) * from a order by 1 + 1", "DISTINCT ON keeps any row: the ORDER BY is the same for all rows of a key"},
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
		{"select list_distinct(l) from a", "list_distinct() gives its values in no order that is promised"},
		{"select list_first(l.array_distinct()) from a", "array_distinct() gives its values in no order that is promised"},
	} {
		if got := refusals(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

func TestEstimatesAndStatisticsAreRefused(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ sql, want string }{
		{"select bitstring_agg(x) from a", "bitstring_agg() with one argument takes its range from what the files say of theirs"},
		{"select bitstring_agg(x, 0, 9) from a", ""},
		{"select approx_count_distinct(x) from a", "approx_count_distinct() is an estimate that differs between versions of DuckDB"},
		{"select list_aggregate(l, 'approx_count_distinct') from a", "list_aggregate() calls approx_count_distinct, which is an estimate that differs between versions of DuckDB"},
		{"select json_group_array(x) from a", "json_group_array() depends on the order of rows and takes no ORDER BY"},
		{"with recursive r using key (k) as (select 1 as k, 2 as v union select k, v + 1 from r, a where v < 9) from r", "USING KEY keeps any of several rows of one key"},
	} {
		if got := refusals(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

func TestCollationsAreRefused(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ sql, want string }{
		{"select max(w collate nocase) from a", "COLLATE nocase makes texts equal that differ"},
		{"select distinct w collate NOACCENT from a", "COLLATE NOACCENT makes texts equal that differ"},
		{"select w from a order by w collate nocase.noaccent", "COLLATE nocase.noaccent makes texts equal that differ"},
		{"select w from a where w collate nocase = 'x' and 'y' <> w collate noaccent", ""},
		{"select * from a join b on a.w collate nocase.noaccent = b.w", ""},
		{"select (w collate nocase) || 'x' = 'y' from a", "COLLATE nocase makes texts equal that differ"},
		{"select w from a where (w, x) = (v collate nocase, y)", "COLLATE nocase makes texts equal that differ"},
		{"select * from a join b on a.w = b.w collate de", "COLLATE de makes texts equal that differ"},
		{"select list_sort(list(w), 'collate nocase') from a", ""},
		{"select w collate \"binary\", w collate c, 'collate nocase' from a", ""},
		{"select max(lower(w)), max(strip_accents(w)) from a", ""},
	} {
		if got := refusals(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

// Some aggregates add up floats whatever they are given, and floats are found in lists, structs and COLUMNS.
func TestFloatSumsAreFound(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"select stddev(n), corr(n, m), skewness(n) from a", "stddev corr skewness"},
		{"select sum(n), avg(n), stddev(n) over (order by t) from a group by n, t", "stddev"},
		{"select sum(x), X.avg(), sum(s.x) from a", "sum avg sum"},
		{"select sum(columns('x|n')), count(*), sum(len(l)) from a", "sum"},
		{"select sum(v) from (select avg(n) as v from a group by k)", "sum"},
		{"select sum(u) from (select x, n from a) as r(u, w)", "sum"},
		{"with r(u) as (select x from a) select sum(u) from r", "sum"},
		{"select sum(n::uhugeint) from a", "sum"},
		{"select avg(n::hugeint), avg(n::decimal(38, 4)), sum(n::hugeint) from a", ""},
		{"select sum(v) from (select n as v from a union all select x from a)", "sum"},
		{"select sum(n / 2), sum(n // 2), sum(n * 1e0), sum(n * 1.5) from a", "sum sum"},
		{"select fsum(x), favg(x), wavg(x, n), geomean(x), product(n), regr_slope(n, m), entropy(n) from a", "wavg entropy favg fsum product regr_slope geomean"},
		{"select list_sum(l), list_sum([n, m]), exact_sum(x), median(x), max(x) from a group by l, n, m", ""},
		{"from (pivot a on k in (1, 2) using sum(x) group by n)", "sum"},
		{"select (select sum(b.x) from a as b where b.k = a.k) from a", "sum"},
	} {
		var got []string
		for _, message := range findings(t, c.sql) {
			for _, said := range []string{"() of floats depends on the number of threads in its last bits", "() computes in float64, and its last bits depend on the number of threads"} {
				if name, ok := strings.CutSuffix(message, said); ok {
					got = append(got, strings.TrimPrefix(name, "doubt: "))
				}
			}
		}
		want := strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, want)
		}
	}
}

// findings returns what the plan of SQL over a table a shows.
func findings(t *testing.T, sql string) []string {
	t.Helper()
	var columns []fstore.EngineColumn
	for _, c := range strings.Split("id BIGINT; ts TIMESTAMP; t TIMESTAMP; k BIGINT; n INTEGER; m INTEGER; x DOUBLE; y DOUBLE; s STRUCT(x DOUBLE, n INTEGER); l DOUBLE[]; d INTERVAL; w VARCHAR", "; ") {
		name, typ, _ := strings.Cut(c, " ")
		columns = append(columns, fstore.EngineColumn{Name: name, Type: typ})
	}
	return registry.PlanFindings(t.Context(), newEngine(t), sql, fstore.Relation{Name: "a", Columns: columns}, fstore.Relation{Name: "b", Columns: columns})
}

// An ORDER BY that is the same for all rows that it orders tells none of them apart, wherever its columns are from.
func TestAnOrderThatIsTheSameForAllRows(t *testing.T) {
	const (
		window   = "row_number() depends on the order of rows, and its ORDER BY is the same for all of them"
		limit    = "LIMIT and OFFSET take any rows: the ORDER BY is the same for all of them"
		first    = "first() depends on the order of rows, and its ORDER BY is the same for all of them"
		distinct = "DISTINCT ON keeps any row: the ORDER BY is the same for all rows of a key"
	)
	for _, c := range []struct{ sql, want string }{
		{"select row_number() over (partition by id order by (select max(ts) from b)) from a", window},
		{"select row_number() over (order by (select 1)) from a", window},
		{"select row_number() over (partition by id order by (select max(ts) from b where b.id = a.id)) from a", window},
		{"select row_number() over (partition by id order by (select x from b where b.id = a.id order by b.ts limit 1)) from a", window},
		{"select row_number() over (partition by id order by (select max(ts) from b where b.k = a.k)) from a", ""},
		{"select row_number() over (partition by id order by one) from (select *, 1 as one from a)", window},
		{"select row_number() over (partition by id order by j) from (select *, id + 1 as j from a)", window},
		{"select row_number() over (partition by id order by id + 1) from a", window},
		{"select row_number() over (partition by id order by id + k) from a", ""},
		{"select row_number() over (partition by id order by '7'::int::varchar) from a", window},
		{"select row_number() over (partition by id order by m) from (select id, ts, max(k) over (partition by id) as m from a)", window},
		{"select row_number() over (partition by a.id order by b.id) from a join b on a.id = b.id", window},
		{"select row_number() over (partition by a.id order by b.id) from a join b on a.k = b.k", ""},
		{"select row_number() over (partition by a.id order by b.id) from a left join b on a.id = b.id", ""},
		{"with c as (from a) select row_number() over (partition by p.id order by q.id) from c as p, c as q", ""},
		{"with c as (select 3 as z, * from a) select row_number() over (partition by id order by z) from c", window},
		{"select row_number() over (order by z) from (select 1 as z from a union all select 2 from b)", ""},
		{"select row_number() over (order by z) from (select 1 as z from a union all select 1 from b)", window},
		{"select row_number() over (order by column0) from (values (1), (2)) as v(column0)", ""},
		{"select id, first(x order by j) from (select *, id * 2 as j from a) group by id", first},
		{"select id as j, first(x order by j) from (select *, id as j from a) group by id", first},
		{"select (select first(b.x order by a.ts) from b) from a", first},
		{"select (select first(b.x order by b.ts) from b) from a", ""},
		{"select (select b.x from b order by a.ts limit 1) from a", limit},
		{"select (select b.x from b where b.id = a.id order by b.id limit 1) from a", limit},
		{"select (select b.x from b where b.id = a.id order by b.ts limit 1) from a", ""},
		{"select * from a, lateral (select b.x from b order by a.ts, a.k limit 2)", limit},
		{"select * from a where id = 5 order by id limit 3", limit},
		{"select * from a order by (select max(ts) from b) limit 3", limit},
		{"select * from a order by (select max(ts) from b), ts limit 3", ""},
		{"select * from (select 1::int as one, * from a) order by one limit 3", limit},
		{"from (pivot a on n in (1, 2) using first(x order by id) group by id)", first},
		{"from (pivot a on n in (1, 2) using first(x order by n) group by id)", first},
		{"from (pivot a on n in (1, 2) using first(x order by ts) group by id)", ""},
		{"select distinct on (id) id, x from (select *, id + 1 as j from a) order by id, j", distinct},
		{"select distinct on (id) id, x from a order by id, ts", ""},
		{"select max(n) over (partition by id order by id rows 1 preceding) from a", "a frame of ROWS depends on their order, and the ORDER BY is the same for all of them"},
		{"select arg_max(x, ts order by j) from (select *, 1 as j from a)", "doubt: arg_max() depends on the order of rows, and its ORDER BY is the same for all of them"},
	} {
		if got := strings.Join(findings(t, c.sql), "; "); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

// What keeps any of equal values is refused where they can be told apart.
func TestEqualValuesThatCanBeToldApart(t *testing.T) {
	interval := func(what string) string {
		return what + " keeps any of equal intervals, and 1 month is equal to 30 days"
	}
	zero := func(what string) string {
		return "doubt: 0.0 and -0.0 are equal, so that either may be kept here, and " + what + " tells them apart"
	}
	for _, c := range []struct{ sql, want string }{
		{"select max(d) from a", interval("max()")},
		{"select max(epoch(d)), count(distinct d) from a", ""},
		{"select {'d': d}, d + ts, d > interval 3 day from a order by d, id", ""},
		{"select id, d from a group by all", interval("GROUP BY")},
		{"select distinct id, d from a", interval("DISTINCT")},
		{"select d from a union select d from b", interval("UNION")},
		{"select d from a union all select d from b", ""},
		{"select d from a except select d from b", interval("EXCEPT")},
		{"select d from a intersect all select d from b", interval("INTERSECT")},
		{"select list_sort([d]), list_max([d]), list_distinct([{'z': d}]) from a", interval("list_sort()") + "; " + interval("max()") + "; " + interval("list_distinct()")},
		{"select min(d) over (partition by id) from a", interval("min()")},
		{"select max(v) from (select ts - t as v from a)", interval("max()")},
		{"select max([d]), max(s) from a", interval("max()")},
		{"select list(distinct d order by d) from a", interval("list()") + "; " + interval("list_sort()")},
		{"select arg_max(d, ts order by id), first(d order by id) from a", ""},
		{"select max(x), max(x) / min(y), max(x)::varchar from a", ""},
		{"select max(-x), max(x * y) / 2, max(-x) > 0, sum(-x) / sum(-y) from a", "doubt: sum() of floats depends on the number of threads in its last bits; doubt: sum() of floats depends on the number of threads in its last bits"},
		{"select 1 / max(-x) from a", zero("a division by it")},
		{"select 1 / (max(-x) + 0.0), 1 / max(-x + 0.0) from a", ""},
		{"select max(x * y)::varchar from a", zero("a cast to text")},
		{"select signbit(m) from (select min(round(x)) as m from a)", zero("signbit()")},
		{"select v::varchar from (select distinct -x as v from a)", zero("a cast to text")},
		{"select v::varchar from (select -x as v from a group by 1)", zero("a cast to text")},
		{"select v::varchar from (select -x as v from a union select y from b)", zero("a cast to text")},
		{"select list_sort(list(-x))::varchar from a", zero("a cast to text")},
		{"select (-x)::varchar, 1 / -x, signbit(-x) from a", ""},
	} {
		if got := strings.Join(findings(t, c.sql), "; "); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

// A window all of whose rows have the event time of the output reads nothing later.
func TestAWindowOverOneInstantDoesNotLookAhead(t *testing.T) {
	const look = "were not known yet"
	for _, c := range []struct {
		sql   string
		ahead bool
	}{
		{"select id, ts, max(x) over (partition by id, ts) as x from events", false},
		{"select id, ts, x / sum(x) over (partition by ts, id) as x from events", false},
		{"select id, ts, lead(x) over (partition by id, ts order by x) as x from events", false},
		{"select id, ts, sum(x) over (partition by id, ts order by x rows between 1 preceding and 1 following) as x from events", false},
		{"select id, t as ts, x from (select id, ts as t, max(x) over w as x from events window w as (partition by id, ts))", false},
		{"select id, ts, max(x) over (partition by id, date_trunc('day', ts)) as x from events", true},
		{"select id, date_trunc('day', ts) as ts, max(x) over (partition by id, date_trunc('day', ts)) as x from events", false},
		{"select id, ts, max(x) over (partition by id) as x from events", true},
		{"select id, ts, max(x) over (partition by id, ts) + max(x) over (partition by id) as x from events", true},
	} {
		archive := oneView(c.sql)
		if got := strings.Contains(report(check(t, archive)), look); got != c.ahead {
			t.Errorf("%s: looks ahead: %v, want %v\n%s", c.sql, got, c.ahead, report(check(t, archive)))
		}
	}
}

// A name that the SQL gives something does not make a word of SQL a column.
func TestRowidIsNoColumn(t *testing.T) {
	for sql, want := range map[string]string{
		"select id, ts, rowid as rowid, x from events":                                  "v.sql:1:16: rowid depends on how the files are read",
		"select id, ts, x as rowid, rowid as r, x from events":                          "v.sql:1:28: rowid depends on how the files are read",
		"select id, events.ts, events.x from events join events as o using (id, rowid)": "rowid depends on how the files are read",
		"select id, events.ts, events.x from events join events as o using (id, RowID)": "rowid depends on how the files are read",
	} {
		if got := report(check(t, oneView(sql))); !strings.Contains(got, want) {
			t.Errorf("%s\n got %q\nwant %q", sql, got, want)
		}
	}
}

func TestAQueryForLabelsReadsNoClock(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	s := snapshot(t, db)
	for sql, want := range map[string]string{
		"select customer_id, current_timestamp as t from lines":       "reads the clock",
		"select customer_id, current_date as current_date from lines": "reads the clock",
		"select customer_id, user as who from lines":                  "depends on the session",
		"select rowid from lines":                                     "depends on how the files are read",
		"select lines.user from lines":                                "<nil>",
	} {
		_, _, err := s.QueryInputs(context.Background(), newEngine(t), registry.QueryText{Name: "the query for labels", SQL: sql})
		if got := fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
}

// Four kinds of names could be taken for something that is not declared. Each is refused in views, in labels and in
// locks.
func TestNamesThatAreNotDeclared(t *testing.T) {
	db := open(t)
	apply(t, db, shop(t))
	s, e := snapshot(t, db), newEngine(t)
	for _, c := range []struct{ kind, sql, want string }{
		// The scope of a recursive CTE: in its first half its name means what it means outside.
		{"scope", `with recursive "/p/secret.csv" as (select * from "/p/secret.csv" union all select * from "/p/secret.csv") from "/p/secret.csv", lines`, `"/p/secret.csv" is a path, not a name for a relation`},
		{"scope", `with recursive secret as (select * from secret union all select * from secret) from secret, lines`, `secret"`},
		{"scope", `with recursive duckdb_views as (select sql as s from duckdb_views union all select s from duckdb_views) from duckdb_views, lines`, `duckdb_views"`},
		{"scope", `with recursive sqlite_master as (from sqlite_master union from sqlite_master) from sqlite_master, lines`, `sqlite_master"`},
		{"scope", `with recursive _labels as (from lines union from _labels where x in (with q as (select 1 union all from q) from q)) from _labels`, `q"`},
		{"scope", `with recursive r as (with q as (from r) select 1 from q union all select 1 from r) from r, lines`, `r"`},
		{"scope", `select (with recursive r as (select n from r union select n from r) select max(n) from r) from lines`, `r"`},
		{"scope", `from lines, lateral (with recursive r as ((from r) union (from r)) from r)`, `r"`},
		{"scope", `with a as (with recursive a as (from b union from a) from a) from a, lines`, `b"`},
		{"scope", `from (with inner_ as (from lines) from inner_) join inner_ using (x)`, `inner_"`},
		{"scope", `with y as (from x), x as (from lines) from y`, `x"`},
		{"scope", `with recursive r as (select 1 n union all select n + 1 from recurring.r) from r, lines`, "recurring.r is in another catalog"},

		// Names of relations: a schema and a catalog of any kind, and names that are paths.
		{"name", `from "."."/p/secret.csv"`, "is in another catalog"},
		{"name", `from "."."."."/p/secret.csv"`, "is in another catalog"},
		{"name", `from "..".lines`, "is in another catalog"},
		{"name", `from main.lines`, "main.lines is in another catalog"},
		{"name", `from temp.main.lines`, "temp.main.lines is in another catalog"},
		{"name", `from "/p/secret.csv"`, "is a file"},
		{"name", `from lines where x in (from 'secret.parquet')`, "is a file"},
		{"name", `with "a.csv" as (from lines) from "a.csv"`, "is a path, not a name for a relation"},
		{"name", `from lines as "/p/a"`, "is a path, not a name for a relation"},
		{"name", `from (from lines) as "a*"`, "is a path, not a name for a relation"},
		{"name", `from lines join (values (1)) as "a.b"(x) using (x)`, "is a path, not a name for a relation"},
		{"name", `from information_schema.tables`, "is in another catalog"},
		{"name", `from duckdb_settings`, `duckdb_settings"`},
		{"name", `from pg_tables`, `pg_tables"`},
		{"name", `from duckdb_settings()`, "is a table function"},
		{"name", `from lines, query_table('lines')`, "query_table()"},
		{"name", `show tables`, "are not queries of data"},

		// Functions: of a schema, whatever its case, and called on a column.
		{"function", "select MAIN.age(ts) from lines", "MAIN.age() names a schema"},
		{"function", "select Main.age(ts, ts) from lines", "Main.age() names a schema"},
		{"function", "select main.age(ts) from lines", "age() with one argument reads the clock"},
		{"function", "select system.age(ts) from lines", "system.age() names a schema"},
		{"function", "select system.main.age(ts) from lines", "system.main.age() names a schema"},
		{"function", "select SYSTEM.MAIN.age(ts) from lines", "SYSTEM.MAIN.age() names a schema"},
		{"function", "select pg_catalog.age(ts) from lines", "pg_catalog.age() names a schema"},
		{"function", "select temp.abs(x) from lines", "temp.abs() names a schema"},
		{"function", "select memory.exact_sum(x) from lines", "memory.exact_sum() names a schema"},
		{"function", `select "a.b".abs() from lines`, "a.b.abs() names a schema"},
		{"function", "select ts.age() from lines", "age() with one argument reads the clock"},
		{"function", "select lines.ts.AGE() from lines", "age() with one argument reads the clock"},
		{"function", "select lines.ts.age(ts) from lines", ""},
		{"function", "select user.lower() from lines", "user depends on the session"},
		{"function", "select current_date.dayname() from lines", "current_date reads the clock"},
		{"function", "select x.now() from lines", "now() reads the clock"},
		{"function", "select lower(main.current_setting('threads')) from lines", "current_setting()"},
		{"function", "select extract(dow from ts), position('a' in s), ts at time zone 'UTC' from lines", ""},

		// Words that stand for the session or the clock, whatever else has that name.
		{"word", "select user from lines", "user depends on the session"},
		{"word", `select "user" from lines`, "user depends on the session"},
		{"word", `select x as "user" from lines where s = user`, "user depends on the session"},
		{"word", `select x as "user", (select user) as u from lines`, "user depends on the session"},
		{"word", `with c as (select x as current_schema from lines) select (select current_schema) from c`, "current_schema depends on the session"},
		{"word", `select current_catalog from lines as current_catalog`, "current_catalog depends on the session"},
		{"word", `select x as current_date from lines order by current_date`, "current_date reads the clock"},
		{"word", `from lines where ts < Current_Timestamp`, "current_timestamp reads the clock"},
		{"word", `from lines group by user having session_user = 'a'`, "user depends on the session"},
		{"word", `from lines select sum(x) over (partition by localtime)`, "localtime reads the clock"},
		{"word", `from lines select list_transform(l, lambda user: user)`, "user depends on the session"},
		{"word", `from (pivot lines on k in ('x') using sum(v) group by user)`, "user depends on the session"},
		{"word", `from lines select columns(current_role)`, "current_role depends on the session"},
		{"word", `select lines.rowid from lines`, "rowid depends on how the files are read"},
		{"word", `from lines as a join lines as b using (rowid)`, "rowid depends on how the files are read"},
		{"word", `select lines.user, x as "user", {'user': x}.user, lines.current_date from lines join lines as other using (user)`, ""},
	} {
		// A view reads events, which is what oneView has; the others read lines.
		asView := func(text string) string { return strings.ReplaceAll(text, "lines", "events") }
		_, _, labels := s.QueryInputs(context.Background(), e, registry.QueryText{Name: "the query for labels", SQL: c.sql})
		lock := registry.CheckLockedSQL(context.Background(), e, "labels", c.sql, []string{"lines"})
		for _, got := range []struct{ way, got, want string }{
			{"view", report(check(t, oneView(asView(c.sql)))), asView(c.want)},
			{"labels", fmt.Sprint(labels), c.want},
			{"lock", fmt.Sprint(lock), c.want},
		} {
			if c.want == "" && got.way == "view" { // it yields other columns than the view declares
				continue
			}
			if !strings.Contains(got.got, got.want) || c.want == "" && got.got != "<nil>" {
				t.Errorf("%s in a %s: %s\n got %q\nwant %q", c.kind, got.way, c.sql, got.got, got.want)
			}
		}
	}
}

// oneView is a repo with one view by SQL over events.
func oneView(sql string) *txtar.Archive {
	return txtar.Parse([]byte(`
-- d.yaml --
kind: entity
name: customer
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: e.parquet
event_timestamp: ts
---
kind: feature_view
name: v
entities: [customer]
sql: v.sql
event_timestamp: ts
features: [{name: x, type: float64}]
-- tables --
e.parquet: id BIGINT; ts TIMESTAMP; x DOUBLE
-- v.sql --
` + sql))
}
