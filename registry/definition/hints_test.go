package definition_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// A definition is the same whatever the line endings of its files, and whether they begin with a byte order mark.
func TestLineEndingsAreNoChange(t *testing.T) {
	const sql = "-- a comment\nselect id, ts,\n  x + 1 as x, 'two\nlines' as t -- and another\nfrom events\n"
	archive := func(edit func(string) string) *txtar.Archive {
		a := oneView(sql)
		for i, f := range a.Files {
			if f.Name == "d.yaml" {
				f.Data = []byte(strings.Replace(string(f.Data), "name: v\n", "name: v\ndescription: |\n  two\n  lines\n", 1))
			}
			if f.Name != "tables" {
				a.Files[i].Data = []byte(edit(string(f.Data)))
			}
		}
		return a
	}
	want, err := check(t, archive(func(s string) string { return s }))
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(string) string{
		"crlf":  func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"cr":    func(s string) string { return strings.ReplaceAll(s, "\n", "\r") },
		"bom":   func(s string) string { return "\ufeff" + s },
		"mixed": func(s string) string { return strings.Replace(s, "\n", "\r\n", 3) },
	} {
		got, err := check(t, archive(edit))
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(definition.Definitions{}), cmp.Comparer(func(a, b fstore.Value) bool { return true })); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// A hint that gives text to write gives text that is accepted.
func TestTextOfHintsIsAccepted(t *testing.T) {
	quoted := regexp.MustCompile(`as a name, write ("[^"]+")`)
	for _, sql := range []string{
		"select id, ts, x, at from events", "select id, ts, at x from events", "select id, ts, x from events where at > 1",
		"select id, at as ts, x from events", "select id, ts, x, end from events", "select id, desc as x, ts from events",
		"select id, ts, x, table from events", "select id, ts, x from events order by at", "select id, ts, x, order\nfrom events",
		"select id, ts, x from events where at",
	} {
		said := report(check(t, oneView(sql)))
		m := quoted.FindStringSubmatch(said)
		if m == nil {
			t.Errorf("%s: no hint to quote a word:\n%s", sql, said)
			continue
		}
		word := strings.Trim(m[1], `"`)
		mended := regexp.MustCompile(`\b`+word+`\b`).ReplaceAllString(sql, m[1])
		if strings.Contains(sql, "order by") {
			mended = strings.Replace(mended, `"order" by`, "order by", 1)
		}
		if again := report(check(t, oneView(mended))); strings.Contains(again, "syntax error") {
			t.Errorf("%s:\n%s", mended, again)
		}
	}
	for _, c := range []struct{ typ, written, want string }{
		{"string", "0042", `quote it: "0042"`},
		{"string", "42", `quote it: "42"`},
		{"string", "true", `quote it: "true"`},
		{"string", "0x1F", `quote it: "0x1F"`},
		{"string", "1.50", `quote it: "1.50"`},
		{"string", "-007", `quote it: "-007"`},
	} {
		said := report(check(t, withDefault(c.typ, c.written)))
		if !strings.Contains(said, c.want) {
			t.Errorf("default: %s of a %s: want %s\n%s", c.written, c.typ, c.want, said)
		}
		if again := report(check(t, withDefault(c.typ, strings.TrimPrefix(c.want, "quote it: ")))); strings.Contains(again, "default") {
			t.Errorf("the hint %s is not accepted: %s", c.want, again)
		}
	}
	for _, written := range []string{"0042", "-010", "00"} {
		if said := report(check(t, withDefault("int64", written))); !strings.Contains(said, "default "+written+" is ") {
			t.Errorf("default: %s of an int64 is accepted: %s", written, said)
		}
	}
	for _, sql := range []string{
		"select id, ts, avg(x::DECIMAL(38, 9)) over (partition by id order by ts) as x from events",
		"select id, ts, sum(x::DECIMAL(38, 9)) over (partition by id order by ts) as x from events",
		"select id, ts, exact_avg(x) as x from events group by id, ts",
	} {
		if said := report(check(t, oneView(sql))); strings.Contains(said, "warning") || strings.Contains(said, "v.sql") {
			t.Errorf("what a hint says is not accepted: %s\n%s", sql, said)
		}
	}
}

func withDefault(typ, written string) *txtar.Archive {
	a := oneView("select id, ts, x, null::varchar as d from events")
	if typ != "string" {
		a = oneView("select id, ts, x, null::bigint as d from events")
	}
	a.Files[0].Data = []byte(strings.Replace(string(a.Files[0].Data), "type: float64}]", "type: float64}, {name: d, type: "+typ+", default: "+written+"}]", 1))
	return a
}

// What the hints say to write instead of a sample and of an aggregate in float64 is accepted.
func TestHintsGiveSQLThatIsAccepted(t *testing.T) {
	for sql, want := range map[string][2]string{
		"select id, ts, x from events using sample 10%":                     {"where md5(customer_id::text) < '1'", "select id, ts, x from events where md5(id::text) < '1'"},
		"select id, ts, x from events tablesample 10%":                      {"where md5(customer_id::text) < '1'", "select id, ts, x from events where md5(id::text) < '1'"},
		"select id, ts, var_pop(id) as x from events group by id, ts":       {"exact_avg(x * x) - exact_avg(x) ^ 2", "select id, ts, exact_avg(x * x) - exact_avg(x) ^ 2 as x from events group by id, ts"},
		"select id, ts, entropy(id::text) as x from events group by id, ts": {"entropy() computes in float64", "select id, ts, exact_avg(id * id) - exact_avg(id) ^ 2 as x from events group by id, ts"},
	} {
		if said := report(check(t, oneView(sql))); !strings.Contains(said, want[0]) {
			t.Errorf("%s: no %q in\n%s", sql, want[0], said)
		}
		if said := report(check(t, oneView(want[1]))); strings.Contains(said, "v.sql") {
			t.Errorf("%s:\n%s", want[1], said)
		}
	}
}
