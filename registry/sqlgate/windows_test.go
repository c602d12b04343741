package sqlgate_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// What looks ahead in a frame follows from the direction of its ORDER BY.
func TestFramesLookAheadInTheirDirection(t *testing.T) {
	for _, c := range []struct {
		call, order, frame string
		ahead              bool
	}{
		{"max(x)", "ts desc", "rows between current row and unbounded following", false},
		{"max(x)", "ts desc", "rows between 1 following and 3 following", false},
		{"max(x)", "ts desc", "range between interval 1 day preceding and current row", true},
		{"max(x)", "ts desc", "rows between 3 preceding and 1 preceding", true},
		{"max(x)", "ts desc", "", true},
		{"max(x)", "id, ts desc", "rows between current row and unbounded following", false},
		{"max(x)", "id desc, ts", "rows between current row and unbounded following", true},
		{"max(x)", "ts", "rows between current row and unbounded following", true},
		{"max(x)", "ts", "rows between 3 preceding and 1 preceding", false},
		{"max(x)", "ts", "", false},
		{"max(x)", "ts", "rows between unbounded preceding and unbounded following exclude current row", true},
		{"max(x)", "ts desc", "rows between unbounded preceding and current row exclude group", true},
		{"first_value(x)", "ts desc", "rows between current row and unbounded following", false},
		{"last_value(x)", "ts", "rows between current row and unbounded following", true},
		{"last_value(x)", "ts", "", false},
		{"last_value(x)", "ts desc", "", true},
		{"lead(x)", "ts desc", "", false},
		{"lag(x)", "ts desc", "", true},
		{"lead(x)", "id, ts desc", "", false},
	} {
		sql := fmt.Sprintf("select id, ts, %s over (partition by id order by %s %s) as x from events", c.call, c.order, c.frame)
		if got := report(check(t, oneView(sql))); strings.Contains(got, "reads later rows") != c.ahead {
			t.Errorf("%s: looks ahead: want %v\n%s", sql, c.ahead, got)
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

// windowCalls are calls of every window function of the engine. What they read is in the column n, too, of both signs.
var windowCalls = map[string][]string{
	"sum":          {"sum(x)"},
	"first":        {"first(x)", "first(x order by x)"},
	"first_value":  {"first_value(x)", "first_value(x order by x)"},
	"last":         {"last(x)", "last(x order by x)"},
	"last_value":   {"last_value(x)", "last_value(x order by x)"},
	"nth_value":    {"nth_value(x, 2)", "nth_value(x, 2 order by x)"},
	"row_number":   {"row_number()", "row_number(order by x)"},
	"rank":         {"rank()", "rank(order by x)"},
	"dense_rank":   {"dense_rank()"},
	"rank_dense":   {"rank_dense()"},
	"percent_rank": {"percent_rank()", "percent_rank(order by x)"},
	"cume_dist":    {"cume_dist()", "cume_dist(order by x)"},
	"ntile":        {"ntile(3)", "ntile(3 order by x)"},
	"lag":          {"lag(x)", "lag(x, 1)", "lag(x, 0)", "lag(x, -1)", "lag(x, 2::int)", "lag(x, -1::int, 0)", "lag(x, n)", "lag(x, 1 - 2)", "lag(x, -1 ignore nulls)", "lag(x order by x)", "lag(x, -1 order by x)"},
	"lead":         {"lead(x)", "lead(x, 1)", "lead(x, 0)", "lead(x, -1)", "lead(x, -2::int)", "lead(x, n)", "lead(x, -1, 0 ignore nulls)", "lead(x order by x)", "lead(x, -1 order by x)"},
	"fill":         {"fill(x)"},
}

var windowFrames = []string{
	"", "rows unbounded preceding", "rows between unbounded preceding and 1 preceding", "rows between unbounded preceding and 0 preceding",
	"rows between unbounded preceding and -1 preceding", "rows between unbounded preceding and n preceding", "rows between 2 preceding and current row",
	"rows between 2 preceding and 0 following", "rows between 2 preceding and -1 following", "rows between 3 preceding and n following",
	"rows between -1 preceding and unbounded following", "rows between 1 preceding and 1 following", "rows between current row and unbounded following",
	"rows between -2 following and unbounded following", "rows between n following and unbounded following", "rows between 1 following and 2 following",
	"range between 2 preceding and current row", "range between current row and 2 following", "range between 2 preceding and 1 preceding",
	"groups between 2 preceding and current row", "groups between 1 preceding and 1 following",
}

// readsFrames matches the calls that frames matter to.
var readsFrames = regexp.MustCompile(`order by|^(sum|first|last|nth)`)

// Every window function that the engine has is judged, as are its aggregates.
func TestEveryWindowFunctionIsJudged(t *testing.T) {
	e := newEngine(t)
	rows, err := e.DB.Query("select distinct lower(function_name) from duckdb_functions() where function_type = 'aggregate' and function_name ~ '[a-z].*' order by 1")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	kinds := map[string]bool{}
	for _, name := range names {
		tree, err := e.ParseSQL(context.Background(), "select "+name+"(x) over () from a")
		if err != nil {
			t.Fatal(err)
		}
		kind := sqlgate.WindowKind(tree)
		if kind == "" { // the parser counts the arguments of some
			tree, _ = e.ParseSQL(context.Background(), "select "+name+"() over () from a")
			kind = sqlgate.WindowKind(tree)
		}
		kinds[kind] = true
		if kind != "WINDOW_AGGREGATE" && windowCalls[name] == nil {
			t.Errorf("windowCalls has no call of %s(), which is a %s", name, kind)
		}
	}
	for kind := range kinds {
		if !sqlgate.JudgesWindow(kind) {
			t.Errorf("windowFunctions has no %s", kind)
		}
	}
	if len(kinds) < 12 {
		t.Errorf("the engine has the kinds %v only", kinds)
	}
}

// A call with OVER looks ahead if it gives another value once later rows are there, and then there is a warning.
func TestWhatLooksAheadIsWarnedOf(t *testing.T) {
	e := newEngine(t)
	if _, err := e.DB.Exec(`create or replace temp table w as
		select * from (values (1, 3, 1), (2, 7, -1), (3, 1, 0), (4, 9, 2), (5, 9, -2), (6, 2, 1), (7, 4, -1)) as t(ts, x, n);
		create or replace temp table known as select w.*, i.ts as t from w as i join w on w.ts <= i.ts`); err != nil {
		t.Fatal(err)
	}
	for name, calls := range windowCalls {
		for _, call := range calls {
			overs, warned := warnings(t, e, call)
			// With these, a frame beyond the row may still give nothing but what was known.
			exact := !strings.Contains(call, "order by") && !strings.Contains(call, "1 - 2") && !strings.HasPrefix(name, "first") && !strings.HasPrefix(name, "last") && name != "nth_value"
			for i, differs := range differences(t, e, call, overs) {
				if name == "fill" { // no SQL may call it
					continue
				}
				if differs != warned[i] && (differs || exact) {
					t.Errorf("%s over (%s): looks ahead: %v, warned: %v", call, overs[i], differs, warned[i])
				}
			}
		}
	}
}

// warnings returns the windows that a call may have, and whether there is a warning of each.
func warnings(t *testing.T, e *definitiontest.Engine, call string) (overs []string, warned []bool) {
	t.Helper()
	for _, order := range []string{"ts", "ts desc"} {
		for i, frame := range windowFrames {
			if i%5 > 0 && !readsFrames.MatchString(call) {
				continue // to save time
			}
			over := fmt.Sprintf("order by %s %s", order, frame)
			tree, err := e.ParseSQL(context.Background(), fmt.Sprintf("select %s over (%s) from w", call, over))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.Join(sqlgate.Refusals(tree), "; "), "needs a frame that includes the current row") {
				continue // DuckDB would end the process
			}
			overs = append(overs, over)
			warned = append(warned, strings.Contains(strings.Join(sqlgate.Doubts(tree), "; "), "were not known yet"))
		}
	}
	return overs, warned
}

// differences reports of each window whether a call has another value for some row once later rows are there.
func differences(t *testing.T, e *definitiontest.Engine, call string, overs []string) []bool {
	t.Helper()
	columns := func(partition string) string {
		var list strings.Builder
		for i, over := range overs {
			fmt.Fprintf(&list, ", %s over (%s %s) as v%d", call, partition, over, i)
		}
		return list.String()
	}
	var differ strings.Builder
	for i := range overs {
		fmt.Fprintf(&differ, ", bool_or(later.v%[1]d is distinct from early.v%[1]d)", i)
	}
	out, into := make([]bool, len(overs)), []any{new(int)}
	for i := range out {
		into = append(into, &out[i])
	}
	if err := e.DB.QueryRow(fmt.Sprintf(`select count(*) %s
		from (select ts %s from w) as later
		join (select ts, t %s from known) as early on early.ts = later.ts and early.t = later.ts`,
		differ.String(), columns(""), columns("partition by t"))).Scan(into...); err != nil {
		t.Fatal(call, err)
	}
	return out
}
