package ondemand

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

var update = flag.Bool("update", false, "write the table of functions into docs/on-demand.md")

const page = "../docs/on-demand.md"

//go:generate go test . -run TestThePageShowsTheTable -update

func TestThePageShowsTheTable(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), "<!-- generated: functions -->\n")
	_, after, ends := strings.Cut(rest, "<!-- end -->\n")
	if !found || !ends {
		t.Fatalf("%s has no block for functions", page)
	}
	got := before + "<!-- generated: functions -->\n" + pageTable() + "<!-- end -->\n" + after
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(string(text), got); d != "" {
		t.Errorf("go generate ./ondemand writes the table (-page +table)\n%s", d)
	}
}

// pageTable writes the table of functions in Markdown, a table for each group.
func pageTable() string {
	var b strings.Builder
	var last group
	for _, f := range functions() {
		if f.group != last {
			last = f.group
			fmt.Fprintf(&b, "\n### %s\n\n| function | meaning | null | error | example |\n|---|---|---|---|---|\n", last)
		}
		nulls, errors := f.nulls, f.errors
		if nulls == "" {
			nulls = "operand"
		}
		var examples []string
		for _, e := range f.examples {
			examples = append(examples, "`"+e.expression+"` → `"+e.value+"`")
		}
		cells := []string{"`" + strings.Join(f.signatures(), "`<br>`") + "`", f.about, nulls, errors, strings.Join(examples, "<br>")}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String() + "\n"
}

// signatures returns the combinations of types that the function takes.
func (f *function) signatures() []string {
	if f.takes != nil {
		return f.takes
	}
	var out []string
	for _, form := range f.forms {
		switch {
		case !f.operator:
			out = append(out, fmt.Sprintf("%s %s", form, form.result))
		case len(form.params) == 1:
			out = append(out, fmt.Sprintf("%s%s", strings.TrimSuffix(f.name, "x"), form.params[0].typ))
		default:
			out = append(out, fmt.Sprintf("%s %s %s", form.params[0].typ, f.name, form.params[1].typ))
		}
	}
	return out
}

// Every example on the page has the value that the page says.
func TestExamplesOfThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("`([^`]+)` → `([^`]+)`").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 50 {
		t.Fatalf("the page has %d examples", len(examples))
	}
	for _, e := range examples {
		expression := strings.ReplaceAll(e[1], `\|`, "|")
		if got := evaluate(t, expression); got != e[2] {
			t.Errorf("%s = %s, not %s", expression, got, e[2])
		}
	}
}

// What the page says to write instead is an expression, and what it replaces is none.
func TestThePageTranslates(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "| there | here |\n|---|---|\n")
	section, _, _ = strings.Cut(section, "\n\n")
	env := Env{Columns: []Column{{"n", fstore.Int64}, {"x", fstore.Float64}, {"vip", fstore.Bool}, {"code", fstore.String}}}
	rows := 0
	for row := range strings.Lines(section + "\n") {
		cells := strings.Split(strings.ReplaceAll(row, `\|`, "\x00"), "|")
		rows++
		for side, cell := range cells[1:3] {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
				expression := strings.ReplaceAll(m[1], "\x00", "|")
				_, problems := Compile(env, []Feature{{Name: "f", Expression: expression}})
				if isExpression := len(problems) == 0; isExpression != (side == 1) || !isExpression && problems[0].Hint == "" {
					t.Errorf("%s: %v", expression, problems)
				}
			}
		}
	}
	if rows < 10 {
		t.Errorf("the table has %d rows", rows)
	}
}
