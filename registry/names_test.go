package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

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
	s := revision(t, db)
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
	s, e := revision(t, db), newEngine(t)
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
		{"scope", `with recursive r as (select 1 n union all select n + 1 from recurring.r) from r, lines`, "recurring.r is in another schema or catalog"},

		// Names of relations: a schema and a catalog of any kind, and names that are paths.
		{"name", `from "."."/p/secret.csv"`, "is in another schema or catalog"},
		{"name", `from "."."."."/p/secret.csv"`, "is in another schema or catalog"},
		{"name", `from "..".lines`, "is in another schema or catalog"},
		{"name", `from main.lines`, "main.lines is in another schema or catalog"},
		{"name", `from temp.main.lines`, "temp.main.lines is in another schema or catalog"},
		{"name", `from "/p/secret.csv"`, "is a file"},
		{"name", `from lines where x in (from 'secret.parquet')`, "is a file"},
		{"name", `with "a.csv" as (from lines) from "a.csv"`, "is a path, not a name for a relation"},
		{"name", `from lines as "/p/a"`, "is a path, not a name for a relation"},
		{"name", `from (from lines) as "a*"`, "is a path, not a name for a relation"},
		{"name", `from lines join (values (1)) as "a.b"(x) using (x)`, "is a path, not a name for a relation"},
		{"name", `from information_schema.tables`, "is in another schema or catalog"},
		{"name", `from duckdb_settings`, `duckdb_settings"`},
		{"name", `from pg_tables`, `pg_tables"`},
		{"name", `from duckdb_settings()`, "is a table function"},
		{"name", `from lines, query_table('lines')`, "query_table()"},
		{"name", `show tables`, "do not query data"},

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
		lock := sqlgate.CheckQuery(context.Background(), e, "labels", c.sql, []string{"lines"})
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
