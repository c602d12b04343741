package sqlgate_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// Some aggregates add up floats whatever they are given, and floats are found in lists, structs and COLUMNS.
func TestFloatSumsAreFound(t *testing.T) {
	inexact := regexp.MustCompile(`^doubt: (?:the last bits of )?(\w+)\(\) (?:of floats depend|of UHUGEINT as float64 depend|computes in float64, so its last bits depend) on the number of threads$`)
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
			if m := inexact.FindStringSubmatch(message); m != nil {
				got = append(got, m[1])
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
	return sqlgate.PlanFindings(t.Context(), newEngine(t), sql, fstore.Relation{Name: "a", Columns: columns}, fstore.Relation{Name: "b", Columns: columns})
}

// An ORDER BY that is the same for all rows that it orders tells none of them apart, wherever its columns are from.
func TestAnOrderThatIsTheSameForAllRows(t *testing.T) {
	const (
		window   = "row_number() depends on the order of rows, and its ORDER BY does not tell them apart"
		limit    = "LIMIT and OFFSET take arbitrary rows: the ORDER BY does not tell them apart"
		first    = "first() depends on the order of rows, and its ORDER BY does not tell them apart"
		distinct = "DISTINCT ON keeps an arbitrary row: the ORDER BY is the same for all rows of a key"
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
		{"select max(n) over (partition by id order by id rows 1 preceding) from a", "a frame of ROWS depends on their order, and the ORDER BY does not tell them apart"},
		{"select arg_max(x, ts order by j) from (select *, 1 as j from a)", "doubt: arg_max() depends on the order of rows, and its ORDER BY does not tell them apart"},
	} {
		if got := strings.Join(findings(t, c.sql), "; "); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

// What keeps any of equal values is refused where they can be told apart.
func TestEqualValuesThatCanBeToldApart(t *testing.T) {
	interval := func(what string) string {
		return what + " keeps an arbitrary one of several equal intervals, and 1 month equals 30 days"
	}
	zero := func(what string) string {
		return "doubt: 0.0 and -0.0 are equal, so either may be kept here, but " + what + " tells them apart"
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
		{"select max(-x), max(x * y) / 2, max(-x) > 0, sum(-x) / sum(-y) from a", "doubt: the last bits of sum() of floats depend on the number of threads; doubt: the last bits of sum() of floats depend on the number of threads"},
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

// A sum of numbers that are cast to floats, by the SQL or by the binder, names their type.
func TestFloatSumsNameTheTypeThatIsCast(t *testing.T) {
	for call, of := range map[string]string{
		"sum(u)": "UHUGEINT", "avg(u)": "UHUGEINT", "sum(n::double)": "INTEGER", "fsum(n)": "INTEGER", "favg(f)": "DECIMAL",
		"sum(x)": "floats", "sum(x::float)": "floats", "sum(x + 1)": "floats", "sum(l[1])": "floats",
	} {
		want := fmt.Sprintf("doubt: the last bits of %s() of %s as float64 depend on the number of threads", call[:strings.IndexByte(call, '(')], of)
		want = strings.Replace(want, "floats as float64", "floats", 1)
		if got := strings.Join(findings(t, "select "+call+" from (select *, n::uhugeint as u, n::decimal(9, 2) as f from a)"), "; "); got != want {
			t.Errorf("%s\n got %q\nwant %q", call, got, want)
		}
	}
}
