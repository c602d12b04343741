package sqlgate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/functions"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// A type that grows with each query is refused before DuckDB binds it, whichever way it grows; nested queries whose types
// stay small are not.
func TestTheSizeOfTypesIsBounded(t *testing.T) {
	e := newEngine(t)
	nested := func(step string) func(int) string {
		return func(n int) string {
			sql := "select s, l from lines"
			for range n {
				sql = strings.ReplaceAll(step, "#", sql)
			}
			return sql
		}
	}
	withs := func(step string) func(int) string {
		return func(n int) string {
			parts := []string{"c0 as (select s, l from lines)"}
			for i := range n {
				parts = append(parts, fmt.Sprintf("c%d as (%s)", i+1, strings.ReplaceAll(step, "#", fmt.Sprintf("c%d", i))))
			}
			return "with " + strings.Join(parts, ", ") + fmt.Sprintf(" from c%d", n)
		}
	}
	wants := []string{"its columns have types of more than 20000 parts", "its stars multiply the columns by more than 256"}
	for _, c := range []struct {
		name  string
		sql   func(int) string
		large bool
	}{
		{"structs", nested("select {'a': s, 'b': s} as s, l from (#)"), true},
		{"rows", withs("select row(s, s) as s, l from #"), true},
		{"maps", withs("select map {s: s} as s, l from #"), true},
		{"a star", withs("select * replace ({'a': s, 'b': s} as s) from #"), true},
		{"every column", withs("select {'a': columns(*), 'b': columns(*)} from #"), true},
		{"unpacked columns", withs("select row(*columns(*)) as s, row(*columns(*)) as l from #"), true},
		{"tables as structs", withs("select c as s, c as l from # as c"), true},
		{"a qualified column", withs("select {'a': c.s, 'b': c.s} as s, l from # as c"), true},
		{"a field", withs("select {'a': s, 'b': s} as s, l from #"), true},
		{"renamed columns", withs("select {'a': x, 'b': x} as s, l from # as c(x, l)"), true},
		{"lambdas", withs("select list_transform([s], lambda x: {'a': x, 'b': x}) as s, l from #"), true},
		{"comprehensions", withs("select [{'a': x, 'b': x} for x in [s]] as s, l from #"), true},
		{"insertions", withs("select struct_pack(a := s, b := s) as s, l from # where s is not null"), true},
		{"zipped lists", withs("select list_zip([s], [s]) as s, l from #"), true},
		{"scalar subqueries", withs("select {'a': (select max(s) from #), 'b': s} as s, l from #"), true},
		{"unions", withs("select {'a': s, 'b': s} as s, l from # union all select {'a': s, 'b': s} as s, l from #"), true},
		{"joins", withs("select {'a': x.s, 'b': y.s} as s, x.l from # as x, # as y"), true},
		{"lateral joins", withs("select d.s, c.l from # as c, lateral (select {'a': c.s, 'b': c.s} as s) as d"), true},
		{"aliases of the same SELECT", withs("select s as x, {'a': x, 'b': x} as s, l from #"), true},
		{"values", withs("select v.s, c.l from # as c, (values ({'a': c.s, 'b': c.s})) as v(s)"), true},
		{"lists of one type", withs("select [s, s] as s, l from #"), false},
		{"choices", withs("select coalesce(s, s) as s, case when true then l else l end as l from #"), false},
		{"fields that are taken out", withs("select {'a': s} as s, l from # where l is not null"), false},
		{"plain columns", withs("select * from #"), false},
	} {
		n := 20
		err := sqlgate.CheckQuery(context.Background(), e, "v", c.sql(n), []string{"lines"})
		if c.large && (err == nil || !slices.ContainsFunc(wants, func(want string) bool { return strings.Contains(err.Error(), want) })) || !c.large && err != nil {
			t.Errorf("%d %s: too large: want %v, got %v", n, c.name, c.large, err)
		}
		if err := sqlgate.CheckQuery(context.Background(), e, "v", c.sql(3), []string{"lines"}); err != nil {
			t.Errorf("3 %s: %v", c.name, err)
		}
		inputs := []fstore.Relation{{Name: "lines", Columns: []fstore.EngineColumn{{Name: "s", Type: "INTEGER"}, {Name: "l", Type: "INTEGER"}}}}
		if _, err := e.BindSQL(context.Background(), c.sql(3), inputs); err != nil {
			t.Errorf("3 %s: %v", c.name, err)
		}
	}
}

// A function whose type holds those of several arguments counts as one.
func TestFunctionsThatBuildTypesAreKnown(t *testing.T) {
	e := newEngine(t)
	if _, err := e.DB.Exec("create or replace temp table built as select {'a': 1, 'b': 2, 'c': 3, 'd': 4} as s, [s] as l, map {1: s} as m, 1 as n"); err != nil {
		t.Fatal(err)
	}
	names := functions.Names()
	slices.Sort(names)
	for _, name := range names {
		if name[0] < 'a' || name[0] > 'z' || sqlgate.BuildsType(name) {
			continue
		}
		for _, args := range []string{"s", "l", "m", "s, s", "l, l", "m, m", "l, s", "s, l", "n, s", "s, n", "s, x := s", "s, s, s", "l, l, l"} {
			var typ string
			if err := e.DB.QueryRow("select typeof(" + name + "(" + args + ")) from built").Scan(&typ); err != nil {
				continue // it takes other arguments
			}
			if fields := strings.Count(typ, "INTEGER"); fields > 5 {
				t.Errorf("%s(%s) is a %s", name, args, typ)
			}
		}
	}
}
