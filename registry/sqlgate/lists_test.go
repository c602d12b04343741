package sqlgate_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/functions"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// names that are no functions of the engine's catalogue but of its parser, or of fstore.
var notInCatalogue = []string{"unnest", "exact_sum", "exact_avg"}

// Every function on the list exists, and the engine itself calls none of them unstable.
func TestFunctionsAreTheEngines(t *testing.T) {
	e := newEngine(t)
	rows, err := e.DB.Query(`select lower(function_name), bool_or(coalesce(stability, '') in ('VOLATILE', 'CONSISTENT_WITHIN_QUERY'))
		from duckdb_functions() where function_type in ('scalar', 'aggregate', 'macro') group by all`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	unstable := map[string]bool{}
	for rows.Next() {
		var name string
		var is bool
		if err := rows.Scan(&name, &is); err != nil {
			t.Fatal(err)
		}
		unstable[name] = is
	}
	list := words(t, "../../functions/functions.txt")
	if len(list) < 400 {
		t.Fatalf("the list has %d functions", len(list))
	}
	for _, name := range list {
		is, exists := unstable[name]
		if !exists && !slices.Contains(notInCatalogue, name) {
			t.Errorf("%s is not a function of the engine", name)
		}
		if is {
			t.Errorf("%s is unstable", name)
		}
	}
	for _, line := range strings.Split(read(t, "refused.txt"), "\n") {
		_, names, found := strings.Cut(line, ": ")
		for _, name := range strings.Fields(names) {
			if found && !strings.HasPrefix(line, "#") && slices.Contains(list, name) {
				t.Errorf("%s is allowed and refused", name)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func words(t *testing.T, file string) []string {
	var out []string
	for _, line := range strings.Split(read(t, file), "\n") {
		if !strings.HasPrefix(line, "#") {
			out = append(out, strings.Fields(line)...)
		}
	}
	return out
}

// What SQL reads is found wherever the tree has it, and names of CTEs are not taken for tables.
func TestLineage(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ sql, want string }{
		{"from a", "a"},
		{"select * from a asof join b using (k, ts)", "a b"},
		{"select * from a natural join b, lateral (select * from c where c.x = a.x)", "a b c"},
		{"select (select max(x) from b) from a where exists (from c) and y in (select y from d)", "a b c d"},
		{"with a as (from b) from a", "b"},
		{"with a as (from a) from a", "a"},
		{"with A as (from b) from a", "b"},
		{"with x as (with y as (from a) from y) from x, y", "a y"},
		{"with recursive r as (select 1 as n union all select n + 1 from r, a) from r", "a"},
		{"with x as (from a), y as (from x, b) from y", "a b"},
		{"with y as (from x), x as (from a) from y", "a x"},
		{"select * from (with x as (from a) from x) join x using (k)", "a x"},
		{"from a union all (from b) except from c", "a b c"},
		{"select sum(x) over (order by (select max(t) from b) range between (select 1 from c) preceding and current row) from a", "a b c"},
		{"select x from a order by (select 1 from b) limit (select 1 from c)", "a b c"},
		{"select case when x in (from b) then (select 1 from c) end, list_transform(l, lambda e: e + (select 1 from d)) from a", "a b c d"},
		{"select x from a group by x having count(*) > (select 1 from b) qualify row_number() over (order by x) > (select 1 from c)", "a b c"},
		{"from (pivot a on k in ('x') using sum(v) group by g)", "a"},
		{"from (values ((select 1 from a)))", "a"},
		{"select sum(x order by (select 1 from b)) filter (where y in (from c)) from a", "a b c"},
		{"from a join b on a.x = (select max(x) from c)", "a b c"},
		{"select * replace ((select 1 from b) as x) from a", "a b"},
	} {
		tree, err := e.ParseSQL(context.Background(), c.sql)
		if err != nil {
			t.Fatal(c.sql, err)
		}
		if got := strings.Join(sqlgate.Tables(tree), " "); got != c.want {
			t.Errorf("%s\nreads %s, want %s", c.sql, got, c.want)
		}
	}
}

// Ordinary SQL passes the gate.
func TestGateLetsOrdinarySQLPass(t *testing.T) {
	e := newEngine(t)
	for _, sql := range []string{
		"select k, t, t + interval 3 day, t - interval (n) hour, date_trunc('month', t), extract(dow from t), t at time zone 'UTC', age(t, u) from a",
		"select coalesce(x, 0), nullif(x, 0), ifnull(x, 1), if(x > 0, 1, 2), case x when 1 then 'a' else 'b' end, greatest(x, y), x is distinct from y from a",
		"select a || b, -x, x % 2, x // 2, x ** 2, x ^ 2, ~x, x & 1, x << 2, @x, x!, not b, a like 'x%' escape '!', a not ilike 'x', a glob 'x*', a similar to 'x', a ~ 'x', a !~ 'x' from a",
		"select x between 1 and 2, x in (1, 2), x not in (from b), x = any (select 1 from b), x > all ([1, 2]), exists (from b), (select max(y) from b) from a",
		"select try_cast(x as int), x::decimal(10, 2), x::enum('a', 'b'), date '2020-01-01', timestamp '2020-01-01 00:00:00', true, null, 1e3, 'it''s', $$x$$ from a",
		"select [1, 2], l[1], l[1:2], {'a': x}, s.a, map {'k': x}, [y * 2 for y in l if y > 1], list_transform(l, lambda y: y + 1), list_sum(l), unnest(l), row(x, y) from a",
		"select count(*), count(distinct x), sum(x) filter (where y > 1), avg(x), min(x), max(x), median(x), quantile_cont(x, 0.9), stddev(x), bool_or(b), exact_sum(x), arg_max(x, t) from a group by k having count(*) > 1",
		"select string_agg(x, ',' order by t), list(x order by t), first(x order by t), any_value(x order by t), mode(x order by x) from a group by all",
		"select row_number() over (partition by k order by t), lag(x, 1, 0) over w, rank() over w, sum(x) over (w rows between 3 preceding and current row), first_value(x) over w, max(x) over (partition by k) from a window w as (partition by k order by t)",
		"select distinct k from a", "select distinct on (k) * from a order by k, t desc", "select * from a order by t, k limit 3",
		"select * exclude (x) replace (y as z) from a natural join b", "select columns('x.*') from a", "from a select k where x > 1",
		"select k, sum(x) from a group by rollup (k)", "select k from a union all by name select k from b", "select k from a intersect select k from b",
		"select * from a asof left join b on a.k = b.k and a.t >= b.t", "select * from a left join lateral (select max(t) m from b where b.k = a.k) on true",
		"select json_extract_string(j, '$.a'), j ->> 'a', regexp_extract(s, '(x)', 1), split_part(s, ',', 1), md5(s), lower(s), trim(s), length(s), substring(s from 1 for 2), position('a' in s), strftime(t, '%Y'), strptime(s, '%Y'), epoch_ms(t), make_date(1, 2, 3) from a",
	} {
		tree, err := e.ParseSQL(context.Background(), sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := sqlgate.Refusals(tree); len(got) > 0 {
			t.Errorf("%s\n%s", sql, strings.Join(got, "\n"))
		}
	}
}

// The list of macros is the engine's, as far as SQL may call them, and fstore's own.
func TestMacrosAreTheEngines(t *testing.T) {
	rows, err := newEngine(t).DB.Query("select distinct lower(function_name) from duckdb_functions() where function_type = 'macro'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	want := map[string]bool{"exact_sum": true, "exact_avg": true}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if functions.Allowed(name) {
			want[name] = true
		}
	}
	if diff := cmp.Diff(want, sqlgate.Macros()); diff != "" {
		t.Errorf("order.txt (-engine +list)\n%s", diff)
	}
}
