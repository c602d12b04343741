package sqlgate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// SQL that takes DuckDB's parser or binder a time that grows with the square of its length, or doubles with each level,
// is refused before DuckDB sees it, with the bound in the message. Just below the bounds it is bound in time.
func TestBoundsOfSQL(t *testing.T) {
	e := newEngine(t)
	inputs := []fstore.Relation{{Name: "lines", Columns: []fstore.EngineColumn{{Name: "x", Type: "BIGINT"}, {Name: "l", Type: "INTEGER[]"}, {Name: "s", Type: "VARCHAR"}}}}
	list := func(n int, format, between string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, between)
	}
	for _, c := range []struct {
		name   string
		sql    func(n int) string
		within int
		beyond int
		want   string
	}{
		{"lambdas", func(n int) string {
			return "select " + list(n, "list_transform(l, lambda x#: ", "") + "1" + strings.Repeat(")", n) + " as y from lines"
		}, 5, 50, "more than 5 nested lambdas"},
		{"comprehensions", func(n int) string {
			return "select " + strings.Repeat("[", n) + "x0" + list(n, " for x# in l]", "") + " as y from lines"
		}, 5, 50, "more than 5 nested lambdas"},
		{"columns", func(n int) string { return "select " + list(n, "x as c#", ", ") + " from lines" }, 5_000, 30_000, "a SELECT of more than 10000 columns"},
		{"very many columns", func(n int) string { return "select " + list(n, "x as c#", ", ") + " from lines" }, 10_000, 100_000, "more than 200000 words and symbols"},
		{"values", func(n int) string { return "from lines, (values (" + list(n, "#", ", ") + "))" }, 5_000, 30_000, "a SELECT of more than 10000 columns"},
		{"conditions", func(n int) string { return "from lines where " + list(n, "x <> #", " and ") }, 5_000, 60_000, "more than 5000 ANDs and ORs"},
		{"alternatives", func(n int) string { return "from lines where " + list(n, "x = #", " or ") }, 5_000, 60_000, "more than 5000 ANDs and ORs"},
		{"unions", func(n int) string { return list(n, "select x + # as x from lines", " union all ") }, 2_000, 50_000, "more than 2000 UNIONs, INTERSECTs and EXCEPTs"},
		{"groups", func(n int) string { return "select max(x) as x from lines group by " + list(n, "x + #", ", ") }, 2_000, 20_000, "groups by more than 4000 expressions"},
		{"groups of functions", func(n int) string {
			return "select max(x) as x from lines group by " + list(n, "greatest(x, #)", ", ")
		}, 1_000, 20_000, "groups by more than 4000 expressions"},
		{"brackets", func(n int) string {
			return "select " + strings.Repeat("[", n) + "x" + strings.Repeat("]", n) + " as y from lines"
		}, 60, 500, "more than 64 nested brackets"},
		{"queries", func(n int) string { return "from " + strings.Repeat("(from ", n) + "lines" + strings.Repeat(")", n) }, 60, 400, "more than 64 nested brackets"},
		{"aliases of aliases", func(n int) string {
			parts := []string{"x as c0"}
			for i := range n {
				parts = append(parts, fmt.Sprintf("c%d + c%d as c%d", i, i, i+1))
			}
			return "select " + strings.Join(parts, ", ") + " from lines"
		}, 10, 60, "its aliases stand for more than 20000 parts"},
		{"stars", func(n int) string {
			parts := []string{"c0 as (from lines)"}
			for i := range n {
				parts = append(parts, fmt.Sprintf("c%d as (select *, * from c%d)", i+1, i))
			}
			return "with " + strings.Join(parts, ", ") + fmt.Sprintf(" select count(*) as x from c%d", n)
		}, 8, 30, "its stars multiply the columns by more than 256"},
		{"columns(*)", func(n int) string { return "select " + list(n, "columns(*)", ", ") + " from lines" }, 200, 9_000, "its stars multiply the columns by more than 256"},
		{"types", func(n int) string {
			parts := []string{"c0 as (select s from lines)"}
			for i := range n {
				parts = append(parts, fmt.Sprintf("c%d as (select {'a': s, 'b': s} as s from c%d)", i+1, i))
			}
			return "with " + strings.Join(parts, ", ") + fmt.Sprintf(" from c%d", n)
		}, 13, 40, "types of more than 20000 parts"},
		{"a list", func(n int) string { return "from lines where x in (" + list(n, "#", ", ") + ")" }, 50_000, 300_000, "more than 200000 words and symbols"},
	} {
		start := time.Now()
		err := sqlgate.CheckQuery(context.Background(), e, "v", c.sql(c.beyond), []string{"lines"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s: %v", c.beyond, c.name, err)
		}
		if took := time.Since(start); took > slow {
			t.Errorf("%d %s: refused after %s", c.beyond, c.name, took)
		}
		start = time.Now()
		if err := sqlgate.CheckQuery(context.Background(), e, "v", c.sql(c.within), []string{"lines"}); err != nil {
			t.Errorf("%d %s: %v", c.within, c.name, err)
		}
		if _, err := e.BindSQL(context.Background(), c.sql(c.within), inputs); err != nil {
			t.Errorf("%d %s: %v", c.within, c.name, err)
		}
		if took := time.Since(start); took > slow {
			t.Errorf("%d %s: bound after %s", c.within, c.name, took)
		}
	}
}
