package sqlgate_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// any_value() of what the rows are grouped by has one value to take.
func TestAnyValueOfWhatIsGroupedBy(t *testing.T) {
	const refused = "any_value() depends on the order of rows"
	e := newEngine(t)
	for _, c := range []struct {
		sql   string
		taken bool
	}{
		{"select any_value(ts) from a group by ts", true},
		{"select ts, any_value(a.ts) from a group by all", true},
		{"select any_value(date_trunc('day', ts)) from a group by date_trunc('day', ts)", true},
		{"select any_value(-x) from a group by -x", true},
		{"select any_value(n) from a group by ts", false},
		{"select any_value(ts) from a", false},
		{"select any_value(ts) from a group by rollup (ts)", false},
		{"select any_value(b.k) from a full join b using (k) group by a.k", false},
		{"select any_value(b.k) from a join b using (id) group by a.k, b.k", true},
		{"select any_value(1 / -x) from a group by -x", false},
		{"select any_value(ts order by ts) from a group by ts", false},
		{"select any_value(k) from (select n as k, m from a) as a group by k", true},
		{"select n as k, any_value(k) from a group by n", false},
	} {
		got := refusals(t, e, c.sql)
		if got == "" {
			got = strings.Join(findings(t, c.sql), "; ")
		}
		if c.taken && got != "" || !c.taken && !strings.HasPrefix(got, refused) {
			t.Errorf("%s: taken: want %v, got %q", c.sql, c.taken, got)
		}
	}
	if got := strings.Join(findings(t, "select 1 / any_value(-x) from a group by -x"), "; "); !strings.Contains(got, "0.0 and -0.0 are equal") {
		t.Errorf("any_value() may take either zero: %q", got)
	}
}

// What is a macro to the engine takes arguments and nothing else, which is said with its place.
func TestMacrosTakeArgumentsOnly(t *testing.T) {
	for _, c := range []struct{ call, want, hint, mended string }{
		{"exact_sum(x) over (partition by id order by ts)", "exact_sum() takes no OVER", "sum(x::DECIMAL(38, 9)) OVER (", "sum(x::DECIMAL(38, 9)) over (partition by id order by ts)::double"},
		{"exact_avg(x) over (partition by id order by ts)", "exact_avg() takes no OVER", "avg(x::DECIMAL(38, 9)) OVER (", "avg(x::DECIMAL(38, 9)) over (partition by id order by ts)"},
		{"exact_sum(x) filter (where x > 1)", "exact_sum() takes no FILTER", "exact_sum(CASE WHEN", "exact_sum(case when x > 1 then x end)"},
		{"exact_avg(distinct x)", "exact_avg() takes no DISTINCT", "from (select distinct x from", "(select exact_avg(x) from (select distinct x from events))"},
		{"exact_sum(x order by ts)", "exact_sum() takes no ORDER BY", "exact_sum(x)", "exact_sum(x)"},
		{"wavg(x, x) over (order by ts)", "wavg() takes no OVER", "write out", "1.0"},
		{"list_sum([x]) over (order by ts)", "list_sum() takes no OVER", "write out", "list_sum([x])"},
	} {
		group := ""
		if !strings.Contains(c.mended, "over") {
			group = " group by id, ts, x"
		}
		said := report(check(t, oneView("select id, ts,\n  "+c.call+" as x from events"+group)))
		if !strings.Contains(said, "v.sql:2:") || !strings.Contains(said, c.want) || !strings.Contains(said, c.hint) {
			t.Errorf("%s: %s", c.call, said)
		}
		if said := report(check(t, oneView("select id, ts, "+c.mended+" as x from events"+group))); strings.Contains(said, "v.sql:1:") && !strings.Contains(said, "warning: v.sql") {
			t.Errorf("%s: %s", c.mended, said)
		}
	}
}

// Columns that SQL cannot tell apart are both named, with the way out.
func TestColumnsThatDifferInCaseOnly(t *testing.T) {
	source := func(rename string) string {
		return report(check(t, txtar.Parse([]byte("-- d.yaml --\nkind: source\nname: s\npath: e.parquet\nevent_timestamp: ts\n"+rename+
			"-- tables --\ne.parquet: ts TIMESTAMP; price DOUBLE; Price DOUBLE\n"))))
	}
	if said := source(""); !strings.Contains(said, "source s has the columns price and Price, which SQL cannot tell apart: it ignores case") || !strings.Contains(said, "rename: {Price: another_name}") {
		t.Error(said)
	}
	if said := source("rename: {Price: another_name}\n"); strings.Contains(said, "Price") {
		t.Error(said)
	}
}
