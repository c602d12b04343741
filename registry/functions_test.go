package registry_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry"
)

// names that are no functions of the engine's catalogue but of its parser, or of fstore.
var notInCatalogue = []string{"unnest", "exact_sum", "exact_avg"}

// Every function on the list exists, and the engine itself calls none of them unstable.
func TestFunctionsAreTheEngines(t *testing.T) {
	e := newEngine(t)
	rows, err := e.db.Query(`select lower(function_name), bool_or(coalesce(stability, '') in ('VOLATILE', 'CONSISTENT_WITHIN_QUERY'))
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
	list := words(t, "functions.txt")
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
		if got := strings.Join(registry.Tables(tree), " "); got != c.want {
			t.Errorf("%s\nreads %s, want %s", c.sql, got, c.want)
		}
	}
}
