package sqlgate_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files")

// causalCase is a view of testdata/causal. A file there has several views of one kind: NAME.sql is the SQL, NAME.yaml
// has more keys of the view, and NAME.want has the warnings. The rows of a view that is named causal or stale are the
// same whether later rows are there or not; those of one that is named leaks are not.
type causalCase struct {
	file, name, sql, yaml, want string
}

func (c causalCase) isCausal() bool { return !strings.HasPrefix(c.name, "leaks") }

func causalCases(t *testing.T) []causalCase {
	t.Helper()
	files, err := filepath.Glob("testdata/causal/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	var out []causalCase
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		section := func(name string) string {
			i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
			if i < 0 {
				return ""
			}
			return string(archive.Files[i].Data)
		}
		for _, f := range archive.Files {
			if name, ok := strings.CutSuffix(f.Name, ".sql"); ok {
				out = append(out, causalCase{file, name, string(f.Data), section(name + ".yaml"), section(name + ".want")})
			}
		}
	}
	return out
}

// causalTables returns the tables that the cases read: rows by name, and their declarations.
func causalTables(t *testing.T) (rows map[string]string, sources, columns string) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/causal/tables.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows = map[string]string{}
	for _, f := range archive.Files {
		switch name, isTable := strings.CutSuffix(f.Name, ".sql"); {
		case isTable:
			rows[name] = string(f.Data)
		case f.Name == "columns":
			columns = string(f.Data)
		default:
			sources = string(f.Data)
		}
	}
	return rows, sources, columns
}

// repo is a repo with the view of a case.
func (c causalCase) repo(sources, columns string) *txtar.Archive {
	return &txtar.Archive{Files: []txtar.File{
		{Name: "sources.yaml", Data: []byte(sources)},
		{Name: "tables", Data: []byte(columns)},
		{Name: "view.yaml", Data: []byte("kind: feature_view\nname: v\nentities: [customer]\nsql: view.sql\nevent_timestamp: ts\nfeatures: [{name: x, type: int64}]\n" + c.yaml)},
		{Name: "view.sql", Data: []byte(c.sql)},
	}}
}

// otherWarnings are about which of several rows is taken, not about time.
var otherWarnings = regexp.MustCompile(`(?m)^warning: .*(picks an arbitrary|takes an arbitrary).*\n.*\n|^view .*\n`)

// Views that read rows that are not known yet have the warnings that their case states, and causal ones have none.
func TestHintsOfWhatIsNotCausal(t *testing.T) {
	_, sources, columns := causalTables(t)
	for _, c := range causalCases(t) {
		got := otherWarnings.ReplaceAllString(report(check(t, c.repo(sources, columns))), "")
		if *update && !strings.HasPrefix(c.name, "causal") {
			updateCase(t, c, got)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s: (-want +got)\n%s\n%s", c.file, c.name, diff, c.sql)
		}
	}
}

func updateCase(t *testing.T, c causalCase, want string) {
	t.Helper()
	archive, err := txtar.ParseFile(c.file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range archive.Files {
		if archive.Files[i].Name == c.name+".want" {
			archive.Files[i].Data = []byte(want)
		}
	}
	if err := os.WriteFile(c.file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The cases are what they are named: at some instant the rows of a view that leaks are others once later rows are
// there, and those of a causal one never are.
func TestCasesAreCausalOrNot(t *testing.T) {
	e := newEngine(t)
	rows, sources, columns := causalTables(t)
	exec := func(format string, args ...any) {
		t.Helper()
		if _, err := e.DB.Exec(fmt.Sprintf(format, args...)); err != nil {
			t.Fatal(err)
		}
	}
	cut := func(name, instant string) {
		exec("create or replace temp table %s as from (%s) %s", name, rows[name], map[string]string{
			"events": "where ts <= " + instant, "rates": "where ts <= " + instant, "delayed": "where ts + interval 1 hour <= " + instant, "loads": "where greatest(ts, loaded_at) <= " + instant, "countries": "",
		}[name])
	}
	cases := causalCases(t)
	visible := make([]string, len(cases))
	for name := range rows {
		cut(name, "timestamp '2100-01-01'")
	}

	for i, c := range cases {
		d, err := check(t, c.repo(sources, columns))
		if err != nil {
			t.Fatal(c.file, c.name, err)
		}
		v := d.View("v").View
		visible[i] = fmt.Sprintf("ts + to_microseconds(%d)", v.Available.Lag.Micros())
		if v.Available.Created {
			visible[i] = "greatest(ts, " + v.Created + ")"
		}
		for name := range rows { // check leaves empty tables
			cut(name, "timestamp '2100-01-01'")
		}
		exec("create or replace temp table full_%d as select id, ts, x, %s as known from (%s)", i, visible[i], c.sql)
	}
	instants, tables := causalInstants(t)
	leaks := make([]bool, len(cases))
	for j, at := range instants {
		for name := range rows {
			cut(name, at)
		}
		for i, c := range cases {
			reads := func(table string) bool { return strings.Contains(c.sql, table) }
			if leaks[i] || !slices.ContainsFunc(tables[j], reads) {
				continue
			}
			var n int
			query := fmt.Sprintf(`with early as (select id, ts, x from (select *, %[1]s as known from (%[2]s)) where known <= %[3]s),
				late as (select id, ts, x from full_%[4]d where known <= %[3]s)
				select count(*) from ((from early except all from late) union all (from late except all from early))`, visible[i], c.sql, at, i)
			if err := e.DB.QueryRow(query).Scan(&n); err != nil {
				t.Fatal(c.file, c.name, err)
			}
			leaks[i] = n > 0
		}
	}
	for i, c := range cases {
		exec("drop table full_%d", i)
		if leaks[i] == c.isCausal() {
			t.Errorf("%s: %s: leaks: %v\n%s", c.file, c.name, leaks[i], c.sql)
		}
	}
}

// causalInstants returns the instants just before a row of a table becomes known, and the tables that have one. Between
// two of them rows of a view can only be added, so that what leaks shows at one of these.
func causalInstants(t *testing.T) (instants []string, tables [][]string) {
	t.Helper()
	rows, err := newEngine(t).DB.Query(`select (known - interval 1 microsecond)::varchar, string_agg(distinct name, ' ')
		from (select ts as known, 'events' as name from events union all select ts, 'rates' from rates union all select ts + interval 1 hour, 'delayed' from delayed union all select greatest(ts, loaded_at), 'loads' from loads)
		group by 1 order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var at, names string
		if err := rows.Scan(&at, &names); err != nil {
			t.Fatal(err)
		}
		instants, tables = append(instants, "timestamp '"+at+"'"), append(tables, strings.Fields(names))
	}
	return instants, tables
}

// The SQL of docs/causality.md has the warnings that the page says: what begins with "-- bad" and the frame of time.
func TestThePageAboutCausalityIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/causality.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 4 {
		t.Fatal("the page has less SQL than before")
	}
	for _, block := range blocks {
		sql := strings.NewReplacer("customer_id", "id", "amount", "x", "spent", "x").Replace(block[1])
		got := otherWarnings.ReplaceAllString(report(check(t, oneView(strings.ReplaceAll(sql, "sum(x)", "max(x)")))), "")
		warns := strings.HasPrefix(sql, "-- bad") || strings.Contains(sql, "range between")
		if (got != "") != warns {
			t.Errorf("warns: want %v\n%s\n%s", warns, sql, got)
		}
	}
}
