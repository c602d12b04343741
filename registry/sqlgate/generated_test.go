package sqlgate_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// orderColumns are the columns of the tables of the property test, which have ties and equal values that differ.
const orderColumns = "id BIGINT; k INTEGER; ts TIMESTAMP; x DOUBLE; y DOUBLE; w VARCHAR; d INTERVAL; l DOUBLE[]; s STRUCT(x DOUBLE, d INTERVAL); u UHUGEINT; m DECIMAL(9, 2)"

// What the gate accepts without a warning gives the same rows whatever the order of its input and the number of
// threads. Orders that tell some rows apart and not all are left to the writer, so the generator orders by something
// unique, or by what is the same for all rows.
func TestAcceptedSQLGivesTheSameRows(t *testing.T) {
	queries := 350
	if n, err := strconv.Atoi(os.Getenv("ORDER_QUERIES")); err == nil {
		queries = n
	}
	seed := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("ORDER_SEED"), 10, 64); err == nil {
		seed = n
	}
	w := newOrderWorld(t)
	counts := map[string]int{}
	for i := range queries {
		g := &sqlWriter{rand.New(rand.NewPCG(seed, uint64(i)))}
		query := g.query()
		switch found := sqlgate.OrderFindings(t.Context(), w.e, query, w.inputs...); {
		case len(found) > 0 && strings.Contains(found[0], `"error":true`):
			counts["not bound"]++
			if os.Getenv("ORDER_SHOW") != "" {
				t.Log(query, found)
			}
		case len(found) > 0:
			counts["refused"]++
		default:
			counts["taken"]++
			w.check(query)
		}
		if t.Failed() {
			return
		}
	}
	t.Log(counts)
	if counts["taken"] < queries/4 || counts["refused"] < queries/8 || counts["not bound"] > queries/8 {
		t.Errorf("the generator is out of balance: %v", counts)
	}
}

// The queries that were accepted, and gave other rows the next time.
func TestSQLThatGaveOtherRowsIsNotAccepted(t *testing.T) {
	w := newOrderWorld(t)
	for _, query := range []string{
		"select row_number() over (partition by k order by (select max(ts) from b)) as r, id from a",
		"select k as g, row_number() over (partition by k order by g) as r, id from a",
		"select (select first(b.id order by a.ts) from b) from a",
		"select * from (pivot a on k in (1, 2) using first(id order by k) group by w)",
		"select max(w collate nocase) from a",
		"select distinct w collate nocase from a",
		"select max(d) from a",
		"select d from a group by d",
		"select list_sort(list(d)) from a",
		"select d from a union select d from b",
		"select 1 / max(-x) from a where x = 0",
		"select sum(u) from a",
		"select sum(z) from (select x from a) as r(z)",
	} {
		if found := sqlgate.OrderFindings(t.Context(), w.e, query, w.inputs...); len(found) == 0 || strings.Contains(found[0], `"error":true`) {
			t.Errorf("accepted: %s %q", query, found)
		}
	}
}

// orderWorld runs queries over the same rows in several orders.
type orderWorld struct {
	t      *testing.T
	e      *definitiontest.Engine
	inputs []fstore.Relation
	runs   []*sql.Conn
}

func newOrderWorld(t *testing.T) *orderWorld {
	w := &orderWorld{t: t, e: newEngine(t)}
	var columns []fstore.EngineColumn
	for _, c := range strings.Split(orderColumns, "; ") {
		name, typ, _ := strings.Cut(c, " ")
		columns = append(columns, fstore.EngineColumn{Name: name, Type: typ})
	}
	w.inputs = []fstore.Relation{{Name: "a", Columns: columns}, {Name: "b", Columns: columns}}
	for i, order := range []string{"id", "id desc", "md5(id::varchar)", "md5(id::varchar || 'x')"} {
		connector, err := duckdb.NewConnector("", nil)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		t.Cleanup(func() { db.Close() })
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		w.runs = append(w.runs, conn)
		statements := []string{
			"create macro exact_sum(x) as sum(x::decimal(38, 9))::double; create macro exact_avg(x) as avg(x::decimal(38, 9))",
			fmt.Sprintf("set threads = %d", []int{1, 8}[i%2]),
		}
		if i%2 == 1 {
			statements = append(statements, "pragma verify_parallelism")
		}
		for _, table := range []string{"a", "b"} {
			statements = append(statements, "create table "+table+" ("+strings.ReplaceAll(orderColumns, ";", ",")+")",
				"insert into "+table+" select * from ("+orderRows(table)+") order by "+order)
		}
		for _, s := range statements {
			if _, err := conn.ExecContext(t.Context(), s); err != nil {
				t.Fatal(s, err)
			}
		}
	}
	return w
}

// orderRows is a query of adversarial rows: ties, zeros of both signs, texts that differ in case and accents, equal intervals.
func orderRows(table string) string {
	shift := map[string]int{"a": 0, "b": 7}[table]
	return fmt.Sprintf(`select i as id, i %% 3 as k, timestamp '2026-01-01' + to_hours((i * 5 %% 4)::int) as ts,
	[0.1, 0, 1e16, 0.3, -1e16, 0.7, 'nan'][i * 7 %% 7 + 1]::double as x, [0, 3.5, 0.1][i %% 3 + 1]::double as y,
	['b', 'B', 'a', 'á', 'A'][i * 3 %% 5 + 1] as w, [interval 1 month, interval 30 days, interval 720 hours, interval 1 day][i %% 4 + 1] as d,
	[['0'], ['-0.0'], ['1', '-0.0'], ['1', '0']][i * 3 %% 4 + 1]::double[] as l,
	{'x': ['0', '-0.0'][i %% 2 + 1]::double, 'd': [interval 1 month, interval 30 days][i %% 2 + 1]} as s,
	(170141183460469231731687303715884105728::uhugeint + (i * 13 %% 11)::uhugeint) as u, (i %% 5)::decimal(9, 2) / 4 as m
from (select unnest(range(%d, %d)) as i)`, shift, shift+19)
}

// check fails the test if a query gives other rows in another run.
func (w *orderWorld) check(query string) {
	var first []string
	for i := range 2 * len(w.runs) {
		got, err := rowsOf(w.t.Context(), w.runs[i%len(w.runs)], query)
		if err != nil {
			got = []string{"error"} // such as an overflow, in every run
		}
		if i == 0 {
			first = got
			continue
		}
		if !slices.Equal(first, got) {
			w.t.Errorf("accepted, and gave other rows in run %d:\n%s\n first %v\n then  %v %v", i, query, first, got, err)
			return
		}
	}
}

// rowsOf returns the rows of a query as sorted texts, with zeros and NaN as features have them.
func rowsOf(ctx context.Context, conn *sql.Conn, query string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []string
	for rows.Next() {
		cells, at := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			at[i] = &cells[i]
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		out = append(out, strings.ReplaceAll(fmt.Sprintf("%v", cells), "-0 ", "0 "))
		out[len(out)-1] = strings.ReplaceAll(out[len(out)-1], "-0]", "0]")
	}
	slices.Sort(out)
	return out, rows.Err()
}

// sqlWriter writes queries.
type sqlWriter struct{ *rand.Rand }

func (g *sqlWriter) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *sqlWriter) chance(percent int) bool { return g.IntN(100) < percent }

// from is a FROM clause: its columns by kind, and those that tell all of its rows apart.
type from struct {
	sql    string
	prefix []string // of its relations' columns
	unique []string
	ones   []string // what is the same in all rows
}

func (g *sqlWriter) from(depth int) from {
	table := g.pick("a", "b")
	all := "id, k, ts, x, y, w, d, l, s, u, m"
	switch n := g.IntN(10); {
	case n < 4 || depth == 0:
		return from{table + " as p", []string{"p."}, []string{"p.id"}, []string{"1 + 0", "'c'", "(select max(ts) from b)", "(select 1)", "'7'::int::varchar", "(select min(k) from a where id < 5)"}}
	case n < 5:
		return from{"(select *, 1 as one, " + g.pick("'x'", "(select max(id) from a)", "2 + 3") + " as two from " + table + ") as p", []string{"p."}, []string{"p.id"}, []string{"p.one", "p.two", "p.one + 1", "p.two"}}
	case n < 6:
		return from{"(select " + all + " from " + table + " where k = 1) as p", []string{"p."}, []string{"p.id"}, []string{"p.k", "p.k + 1"}}
	case n < 7:
		return from{"(select " + all + " from a union all select " + g.pick("id + 100, k, ts, x, y", "id + 100, k, ts, -x, y * -1", "id + 100, k, ts, x, round(y - 0.2)") + ", w, d, l, s, u, m from b) as p", []string{"p."}, []string{"p.id"}, []string{"1 + 0", "(select 1)"}}
	case n < 8:
		return from{"a as p join b as q on " + g.pick("p.id = q.id", "p.k = q.k and p.id < q.id", "p.k = q.k"), []string{"p.", "q."}, []string{"p.id", "q.id"}, []string{"1 + 0", "(select 1)"}}
	case n < 9:
		return from{"a as p left join b as q using (id)", []string{"p.", "q."}, []string{"p.id", "q.id"}, []string{"1 + 0", "(select 1)"}}
	default:
		return from{"(select distinct on (k) " + all + " from " + table + " order by k, id) as p", []string{"p."}, []string{"p.id"}, []string{"1 + 0", "(select 1)"}}
	}
}

// column returns a column of a kind: i(nteger), f(loat), t(ext), d(uration), l(ist), s(truct), z (time), u, m.
func (g *sqlWriter) column(f from, kind string) string {
	p := f.prefix[g.IntN(len(f.prefix))]
	return p + g.pick(map[string][]string{"i": {"k", "id"}, "f": {"x", "y"}, "t": {"w"}, "d": {"d", "s.d"}, "l": {"l"}, "s": {"s"}, "z": {"ts"}, "u": {"u"}, "m": {"m"}}[kind]...)
}

func (g *sqlWriter) kind() string {
	return g.pick("i", "i", "f", "f", "f", "t", "t", "d", "l", "s", "z", "u", "m")
}

// expr returns an expression of a kind over the columns of a FROM.
func (g *sqlWriter) expr(f from, kind string, depth int) string {
	if depth <= 0 || g.chance(40) {
		return g.column(f, kind)
	}
	sub := func(kind string) string { return g.expr(f, kind, depth-1) }
	switch kind {
	case "i":
		return g.pick(sub("i")+" + 1", sub("i")+" % 2", "length("+sub("t")+")", "list_position("+sub("l")+", 0)", "date_diff('hour', "+sub("z")+", "+sub("z")+")", "(signbit("+sub("f")+"))::int", "("+sub("f")+" > 0)::int")
	case "f":
		return g.pick("-"+sub("f"), sub("f")+" * "+sub("f"), sub("f")+" + "+sub("f"), "round("+sub("f")+")", sub("f")+" / "+sub("i"), "1 / "+sub("f"), sub("l")+"[1]", g.column(f, "s")+".x", "abs("+sub("f")+")", sub("f")+" + 0.0",
			"case when "+sub("i")+" > 1 then "+sub("f")+" else "+sub("f")+" end", "coalesce("+sub("f")+", 0)", "nullif("+sub("f")+", 0)", "greatest("+sub("f")+", "+sub("f")+")", sub("m")+"::double", "epoch("+sub("d")+")", "list_sum("+sub("l")+")")
	case "t":
		return g.pick("lower("+sub("t")+")", sub("t")+" || "+sub("t"), "("+sub("f")+")::varchar", sub("i")+"::varchar", "strip_accents("+sub("t")+")", "("+sub("d")+")::varchar", "("+sub("l")+")::varchar", sub("t")+" collate nocase", "md5("+sub("t")+")")
	case "d":
		return g.pick("("+sub("z")+" - "+sub("z")+")", sub("d")+" + interval 1 hour", "to_days("+g.column(f, "i")+"::int)")
	case "l":
		return g.pick("["+sub("f")+", "+sub("f")+"]", "list_sort("+sub("l")+")", "list_distinct("+sub("l")+")", "list_transform("+sub("l")+", lambda e: -e)", "list_reverse("+sub("l")+")")
	case "s":
		return g.pick("{'x': "+sub("f")+", 'd': "+sub("d")+"}", sub("s"))
	case "z":
		return g.pick(sub("z")+" + interval 1 day", "date_trunc('day', "+sub("z")+")", sub("z")+" + "+sub("d"))
	case "u":
		return g.pick(sub("u"), sub("u")+" // 2")
	}
	return g.pick(sub("m")+" + 1", sub("m")+" * 2", "-"+sub("m"))
}

// order returns an ORDER BY: one that tells all rows of a FROM apart, or one that is the same for all rows in which
// some expressions are.
func (g *sqlWriter) order(f from, same []string) string {
	var by []string
	if g.chance(60) {
		for range g.IntN(2) {
			by = append(by, g.expr(f, g.pick("i", "f", "t", "z", "d"), 1)+g.pick("", " desc", " nulls last"))
		}
		return "order by " + strings.Join(append(by, f.unique...), ", ")
	}
	candidates := append(slices.Clone(f.ones), same...)
	for _, s := range same {
		candidates = append(candidates, s, "("+s+")::varchar", "["+s+"]", "coalesce("+s+", "+s+")")
	}
	for range 1 + g.IntN(2) {
		by = append(by, candidates[g.IntN(len(candidates))])
	}
	return "order by " + strings.Join(by, ", ")
}

// aggregate returns a call of an aggregate over rows in which some expressions are the same.
func (g *sqlWriter) aggregate(f from, same []string) string {
	kind := g.kind()
	x := g.expr(f, kind, 1+g.IntN(2))
	filter := ""
	if g.chance(10) {
		filter = " filter (where " + f.prefix[0] + "k > 0)"
	}
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.pick("max", "min") + "(" + x + ")" + filter
	case 3:
		return "count(distinct " + x + ")"
	case 4:
		return g.pick("first", "last", "any_value", "list", "mode", "array_agg") + "(" + x + " " + g.order(f, same) + ")" + filter
	case 5:
		return g.pick("string_agg("+g.expr(f, "t", 2)+", ',' "+g.order(f, same)+")", "list_sort(list("+x+"))", "list_sort(list(distinct "+x+"))", "list_max(list("+x+"))", "len(list("+x+"))", "list(distinct "+x+" order by "+x+")")
	case 6:
		return g.pick("sum", "avg", "exact_sum", "stddev", "product", "fsum") + "(" + g.expr(f, g.pick("i", "f", "m", "u"), 1) + ")" + filter
	case 7:
		return g.pick("arg_max", "arg_min", "max_by") + "(" + x + ", " + g.expr(f, "i", 1) + " " + g.order(f, same) + ")"
	case 8:
		return g.pick("median", "mode", "quantile_disc", "histogram") + "(" + g.expr(f, g.pick("i", "f", "z"), 1) + g.pick("", ", 0.5") + ")"
	case 9:
		return g.pick("bool_or", "bool_and") + "(" + g.expr(f, "f", 1) + " > 0)"
	case 10:
		return "1 / " + g.pick("max", "min") + "(" + g.expr(f, "f", 2) + ")"
	}
	return g.pick("max", "min") + "(" + g.expr(f, "f", 2) + ")::varchar"
}

func (g *sqlWriter) window(f from) string {
	part := g.expr(f, g.pick("i", "i", "t", "f", "z", "d"), 1)
	over := " over (partition by " + part + " " + g.order(f, []string{part}) + g.pick("", "", " rows between 2 preceding and current row", " range between unbounded preceding and current row") + ")"
	x := g.expr(f, g.kind(), 1)
	switch g.IntN(8) {
	case 0, 1:
		return g.pick("row_number()", "rank()", "dense_rank()", "ntile(2)", "percent_rank()", "cume_dist()") + strings.Split(strings.Split(over, " rows")[0], " range")[0] + closing(over)
	case 2, 3:
		return g.pick("lag", "lead", "first_value", "last_value") + "(" + x + ")" + over
	case 4:
		return g.pick("max", "min", "count") + "(" + x + ") over (partition by " + part + ")"
	case 5:
		return "sum(" + g.expr(f, g.pick("i", "f", "m"), 1) + ")" + over
	}
	return g.pick("max", "min", "count", "list", "any_value") + "(" + x + ")" + over
}

// closing returns the bracket that is cut off with a frame.
func closing(over string) string {
	if strings.Contains(over, " rows between") || strings.Contains(over, " range between") {
		return ")"
	}
	return ""
}

func (g *sqlWriter) subquery(outer from) string {
	f := from{g.pick("a", "b") + " as r", []string{"r."}, []string{"r.id"}, []string{"1 + 0", "(select 1)"}}
	same := []string{outer.prefix[0] + "id", outer.prefix[0] + "ts", outer.prefix[0] + "k"}
	where := g.pick("", " where r.k = "+outer.prefix[0]+"k", " where r.id = "+outer.prefix[0]+"id", " where "+outer.prefix[0]+"k = r.k and r.id > 3")
	if strings.Contains(where, "r.k =") || strings.Contains(where, "= r.k") {
		same = append(same, "r.k")
	}
	if g.chance(50) {
		return "(select " + g.aggregate(f, same) + " from " + f.sql + where + ")"
	}
	return "(select " + g.expr(f, g.kind(), 1) + " from " + f.sql + where + " " + g.order(f, same) + " limit 1)"
}

// query returns a query.
func (g *sqlWriter) query() string {
	f := g.from(1)
	switch g.IntN(10) {
	case 0, 1, 2:
		return g.grouped(f)
	case 3, 4:
		return "select " + strings.Join(f.unique, ", ") + ", " + g.window(f) + " as v, " + g.window(f) + " as q from " + f.sql
	case 5:
		return "select " + strings.Join(f.unique, ", ") + ", " + g.subquery(f) + " as v from " + f.sql
	case 6:
		x := g.expr(f, g.kind(), 2)
		return g.pick("select distinct "+x+" as v from "+f.sql, "select v, "+g.pick("v::varchar", "1", "typeof(v)", "md5(v::varchar)", "v = v")+" from (select distinct "+x+" as v from "+f.sql+")",
			"select "+x+" as v from "+f.sql+" "+g.pick("union", "except", "intersect", "intersect all", "except all")+" select "+x+" from "+f.sql+" where "+f.prefix[0]+"k > 0")
	case 7:
		return "select " + g.expr(f, g.kind(), 1) + " as v, " + g.expr(f, g.kind(), 1) + " as q from " + f.sql + " " + g.order(f, nil) + " limit " + g.pick("1", "3", "5 offset 1", "20%")
	case 8:
		key := g.expr(f, g.pick("i", "t", "z", "f"), 1)
		return "select distinct on (" + key + ") " + key + " as key, " + g.expr(f, g.kind(), 1) + " as v from " + f.sql + " order by " + key + ", " + strings.TrimPrefix(g.order(f, []string{key}), "order by ")
	}
	agg := g.pick("first", "last", "any_value") + "(" + g.pick("x", "w", "id") + " order by " + g.pick("id", "k", "k, (select 1)", "m, id", "w, id", "(select 1)") + ")"
	return "select * from (pivot (select id, k, x, w, m from " + g.pick("a", "b") + ") on k in (0, 1, 2) using " + g.pick(agg, "max(-x)", "sum(x)", "max(w)") + " group by " + g.pick("w", "m") + ")"
}

// grouped is an aggregation, or a query of one in which it is told what was kept.
func (g *sqlWriter) grouped(f from) string {
	key := g.expr(f, g.pick("i", "t", "z", "f", "m", "d"), 1)
	alias := g.pick("g", "id", "k", "x")
	q := "select " + key + " as " + alias + ", " + g.aggregate(f, []string{key}) + " as v, " + g.aggregate(f, []string{key}) + " as q from " + f.sql + " group by " + g.pick(key, "1", key+", "+key)
	if g.chance(30) {
		q = "select " + g.pick(alias, alias+"::varchar", "v::varchar", "max(v) over (partition by "+alias+") as v", "v, q") + " from (" + q + ")"
	}
	return q
}
