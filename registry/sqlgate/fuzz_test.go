package sqlgate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// slow is more than any input of a few kilobytes may take, on a busy machine too.
const slow = 20 * time.Second

// Whatever a tree holds, the gate does not break.
func FuzzGate(f *testing.F) {
	e := newEngine(f)
	for _, sql := range seedSQL {
		if tree, err := e.ParseSQL(context.Background(), sql); err == nil {
			f.Add(tree)
		}
	}
	for _, tree := range []string{`{"statements":[{"node":{"type":"SELECT_NODE","select_list":[[{"class":"FUNCTION"}]]}}]}`, `{"error":true,"position":"-7"}`, `[]`, `{"statements":[1,2]}`} {
		f.Add([]byte(tree))
	}
	f.Fuzz(func(t *testing.T, tree []byte) { sqlgate.Inspect(tree) })
}

var seedSQL = []string{
	`with recursive "x.csv" as (from "x.csv" union from "x.csv") from "x.csv", a`, "with recursive duckdb_views as (from duckdb_views union from duckdb_views) from duckdb_views, a",
	`from "."."/x.csv"`, `from ".".".".duckdb_views`, "select MAIN.age(t), system.now(), a.t.age(), user.lower() from a", `select x as "user", user, "current_schema", lines.user from a`,
	"with a as (from a), b as (with recursive a as (from a union from b) from a) from a, b, lateral (from c)", "from (with c as (from a) from c), c",
	"from a", "with r as (from b limit 3) select sum(x) over (order by y) from r asof join c using (t)",
	"select distinct on (a) a, now() from range(3) where x in (select y from t tablesample 3%)", "select 'x' union select $1", "describe t",
	"select e'\\'?', '?', \"?\", $$ ? $$, $a$ $1 $a$, ?, $2 /* ? /* $3 */ */ -- ?\n from a", "select $x + $y", "select 1 a$, b$1, ?", "select ?, 1e400, -1e400 from a.b.c",
	"with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select * from r, x",
	"pivot a on b in (1, 2) using sum(c)", "unpivot a on b, c into name n value v", "from a select list_transform(l, lambda x: random() + x)",
	"select list(x order by y) filter (where now() > z) over (partition by random() rows between 1 preceding and current row) from a",
	"select case when exists (from read_csv('x')) then 1 end, x[random()], {'a': uuid()}, cast(getvariable('x') as int) from a group by grouping sets ((a), (hash(b))) having random() > 0 qualify row_number() over () = 1 order by random() limit (select random())",
	"values (random())", "select * exclude (a) replace (now() as b) from a natural join b positional join c", "select columns(c -> random()) from 'x.parquet'",
	"from a at (version => 1)", "select a.b.c.d, ts.age(), l.list_aggregate('random')", "table a", "select #1, ~a, a collate nocase from (values (1)) v(a)",
	"from glob('*')", "select 1;", "select 1; select 2", ";", "", "select \xff", "(((select 1)))", "summarize a", "select struct_pack(a := random())",
}

// Whatever SQL the engine can parse, what the gate lets through calls nothing that is not on the list, wherever it
// stands, and reads nothing but tables that the gate names; what it says stands in the text, and is the same each time.
func FuzzSQL(f *testing.F) {
	for _, sql := range seedSQL {
		f.Add(sql)
	}
	files, _ := filepath.Glob("../definition/testdata/check/*.txtar")
	for _, file := range append(files, "../definition/definitiontest/shop.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if strings.HasSuffix(part.Name, ".sql") {
				f.Add(string(part.Data))
			}
		}
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, sql string) {
		if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) || len(sql) > 1<<14 {
			return // the loader refuses the first two; what is long takes the engine long
		}
		for _, offset := range sqlgate.Words(sql) {
			if offset < 0 || offset >= len(sql) {
				t.Fatalf("a word at %d of %d bytes", offset, len(sql))
			}
		}
		tree, err := e.ParseSQL(t.Context(), sql)
		if err != nil {
			return
		}
		verdict, err := sqlgate.Judge(tree, sql)
		if err != nil {
			return
		}
		for _, at := range verdict.Offsets {
			if at > len(sql) || at < -1 {
				t.Errorf("a place at %d of %d bytes", at, len(sql))
			}
		}
		again, err := sqlgate.Judge(tree, sql)
		if err != nil || strings.Join(verdict.Messages, "\n") != strings.Join(again.Messages, "\n") {
			t.Errorf("one time %q, another time %q, %v", verdict.Messages, again.Messages, err)
		}
		found := survey(t, tree)
		if len(found.parameters) > 0 && verdict.Parameters != len(found.parameters) {
			t.Errorf("the text has %d parameters, its tree %d", verdict.Parameters, len(found.parameters))
		}
		if len(verdict.Messages) > 0 {
			return // refused
		}
		for _, name := range found.functions {
			if !sqlgate.Allowed(name) {
				t.Errorf("taken, and calls %s", name)
			}
		}
		for _, name := range found.tables {
			if !verdict.Tables[strings.ToLower(name)] && !found.ctes[strings.ToLower(name)] {
				t.Errorf("taken, and reads %s, which the gate does not name", name)
			}
		}
		for _, what := range append(found.parameters, found.forbidden...) {
			t.Errorf("taken, and has %s", what)
		}
		// What the engine's binder makes of it scans nothing but those tables, which are temporary here.
		var inputs []fstore.Relation
		for name := range verdict.Tables {
			in := fstore.Relation{Name: name}
			for _, column := range strings.Fields("a b c x y z k id t n l user") {
				in.Columns = append(in.Columns, fstore.EngineColumn{Name: column, Type: "BIGINT"})
			}
			inputs = append(inputs, in)
		}
		_, plan, err := e.PlanSQL(t.Context(), sql, inputs)
		if err != nil {
			return
		}
		scans := scanOfTable.FindAllSubmatch(plan, -1)
		if n := bytes.Count(plan, []byte(`"LOGICAL_GET"`)); n != len(scans) {
			t.Errorf("taken, and %d of %d scans are of no table: %.2000s", n-len(scans), n, plan)
		}
		for _, scan := range scans {
			if !verdict.Tables[strings.ToLower(string(scan[1]))] {
				t.Errorf("taken, and scans %s, which the gate does not name", scan[1])
			}
		}
	})
}

var scanOfTable = regexp.MustCompile(`"catalog":"temp","schema":"main","table":"([^"]*)"`)

// surveyed is what there is anywhere in a tree, as far as one need not know where.
type surveyed struct {
	functions, tables, parameters, forbidden []string
	ctes                                     map[string]bool
}

// survey walks the JSON of a tree as it is: unlike the gate, which walks what it knows, it cannot pass anything over.
func survey(t *testing.T, tree []byte) *surveyed {
	t.Helper()
	out := &surveyed{ctes: map[string]bool{}}
	var root any
	if err := json.Unmarshal(tree, &root); err != nil {
		t.Fatal(err)
	}
	sqlgate.EachNode(root, out.note)
	return out
}

func (s *surveyed) note(n map[string]any) {
	text := func(key string) string { x, _ := n[key].(string); return x }
	switch text("class") {
	case "FUNCTION", "WINDOW":
		s.functions = append(s.functions, strings.ToLower(text("function_name")))
	case "PARAMETER":
		s.parameters = append(s.parameters, "a parameter")
	}
	switch text("type") {
	case "BASE_TABLE":
		s.tables = append(s.tables, text("table_name"))
	case "TABLE_FUNCTION", "SHOW_REF":
		s.forbidden = append(s.forbidden, "a "+text("type"))
	case "RECURSIVE_CTE_NODE":
		s.ctes[strings.ToLower(text("cte_name"))] = true
	}
	if n["sample"] != nil {
		s.forbidden = append(s.forbidden, "a sample")
	}
	if m, ok := n["cte_map"].(map[string]any); ok {
		entries, _ := m["map"].([]any)
		for _, e := range entries {
			if e, ok := e.(map[string]any); ok {
				name, _ := e["key"].(string)
				s.ctes[strings.ToLower(name)] = true
			}
		}
	}
}
