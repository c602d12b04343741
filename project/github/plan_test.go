package github

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// planOf returns a plan with everything that a plan can have, and texts wherever it has one.
func planOf(text func() string, size int) (*registry.Plan, []project.CheckedView) {
	rows := int64(1234)
	ref := func() fstore.ViewRef { return fstore.ViewRef{Name: text(), Version: 2} }
	p := &registry.Plan{
		Project: text(), Revision: 3,
		Models:    []registry.ModelImpact{{Model: fstore.ModelRef{Name: text(), Version: text()}, Keeps: []fstore.ViewRef{ref()}}, {Affected: true}},
		Retained:  []registry.RetainedVersion{{Ref: ref(), Why: []string{"model " + text()}}},
		Forgotten: []string{text()},
		Notes:     []string{text() + " has no publish: training takes its values to be servable the moment they are known"},
		Warnings:  []definition.Problem{{Pos: fstore.Pos{File: text(), Line: 1}, Message: text(), Hint: text()}},
	}
	for i := range size {
		name, service := text(), text()
		p.Changes = append(p.Changes,
			registry.Change{
				Kind: registry.KindView, Name: name, Action: registry.Modify, From: 1, To: 2, Version: registry.NewVersion, Dependents: []string{"feature_service " + service},
				Fields: []definition.FieldChange{{Field: text(), Old: text(), New: text(), Counts: true, Why: text()}, {Field: "sql", Old: "select\n" + text(), New: "select\n" + text() + fmt.Sprint(i)}},
			},
			registry.Change{Kind: registry.KindService, Name: service, Action: registry.Remove, From: 1},
			registry.Change{Kind: registry.KindSource, Name: text(), Action: registry.Add})
		p.Services = append(p.Services, registry.ServiceImpact{Service: service, From: 1},
			registry.ServiceImpact{Service: text(), From: 1, To: 2, Changes: []registry.InterfaceChange{{Part: registry.ServiceOutput, Name: text(), Old: "int64", Breaking: true}}})
		p.Materialize = append(p.Materialize, ref())
		from := ref()
		p.Costs = append(p.Costs, registry.Cost{View: ref(), Rows: &rows, From: &from, Windows: []string{"7d"}, Scan: []registry.Scan{{Source: text(), Files: 1}}})
		p.Lineage = append(p.Lineage, registry.Edge{From: registry.Node{Kind: registry.KindSource, Name: text()}, To: registry.Node{Kind: registry.KindView, Name: name}})
	}
	checked := []project.CheckedView{{Causality: lock.Causality{View: ref(), Verdict: "failed"}, Problem: text(), Hint: text()}}
	return p, checked
}

var (
	elements = regexp.MustCompile(`<code>(?:[\pL\p{Nd} .]|&#\d+;)*</code>`)
	asCode   = regexp.MustCompile("`[^`|\\\\\\n]*`|<code>(?:[\\pL\\p{Nd} .]|&#\\d+;)*</code>")
	plain    = regexp.MustCompile(`\pL-\pL|[\pL\p{Nd} .,:;()?!'’→]`)
	inside   = map[string]*regexp.Regexp{
		"diff":    regexp.MustCompile(`^(@@|[-+ ] )`),
		"mermaid": regexp.MustCompile(`^(flowchart LR|  n\d+(\[\("|\["|\(\["|\{\{"|\[/")([\pL\p{Nd} .]|#\d+;)*("\)\]|"\]|"\]\)|"\}\}|"/\])(:::\w+)?|  n\d+ --> n\d+|  classDef \w+ [\w:,#]+)$`),
	}
)

// skeleton returns what gives a page its form: each line without code and words, and blocks of code without their lines.
func skeleton(t testing.TB, page string) string {
	t.Helper()
	var out []string
	fence, language := "", ""
	for i, line := range strings.Split(page, "\n") {
		switch ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]; {
		case fence == "" && len(ticks) >= 3:
			fence, language = ticks, line[len(ticks):]
			out = append(out, "fence "+language)
		case line == fence && fence != "":
			fence = ""
		case fence != "":
			if len(ticks) >= len(fence) || !inside[language].MatchString(line) {
				t.Errorf("line %d of a block of %s: %q", i, language, line)
			}
		case i == 0:
			out = append(out, regexp.MustCompile(`:[\w%.~+]* `).ReplaceAllString(line, ": "))
		case strings.HasPrefix(line, "<"): // HTML, in which backticks mean nothing
			out = append(out, plain.ReplaceAllString(elements.ReplaceAllString(line, ""), ""))
		default:
			out = append(out, plain.ReplaceAllString(asCode.ReplaceAllString(line, ""), ""))
		}
	}
	if fence != "" {
		t.Error("a block of code does not end")
	}
	form := strings.Join(out, "\n")
	if strings.ContainsAny(form, "@`") {
		t.Errorf("a text is not code:\n%s", page)
	}
	return form
}

func FuzzNoTextChangesTheFormOfAPlan(f *testing.F) {
	for _, s := range []string{
		"customer_orders", "a|b", "`", "```\n</details>", "@octocat and #1", "<img src=x onerror=alert(1)>", "-->", "\"] --> x[\"", "end", "a\r\nb", "\\|", "$`x`$",
		"https://example.com www.example.com", "*a* _b_ ~~c~~", "# h", "&lt;", "\u202eevil\u2028", "\xff\xfe", " ", "[x](y)", ":tada:", "deadbeefdeadbeef", "````", "%%{init: {}}%%", strings.Repeat("`|", 300),
	} {
		f.Add(s)
	}
	unlimited := Limit{size: 1 << 30, measure: func(s string) int { return len(s) }}
	benign, checked := planOf(func() string { return "name" }, 2)
	want := skeleton(f, Plan(benign, checked, unlimited))
	failed := skeleton(f, Failure("name", benign.Warnings, unlimited))
	f.Fuzz(func(t *testing.T, s string) {
		hostile, checked := planOf(func() string { return s + "x" }, 2)
		if got := skeleton(t, Plan(hostile, checked, unlimited)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if got := skeleton(t, Failure(s+"x", hostile.Warnings, unlimited)); got != failed {
			t.Errorf("got\n%s\nwant\n%s", got, failed)
		}
	})
}

// What a reader sees as code is the text, with the characters that a terminal would obey escaped.
func FuzzCodeIsTheText(f *testing.F) {
	for _, s := range []string{"a", " a", "`", "|\\$", "<b>&amp;", "é☃", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := code(s)
		if got != "" && asCode.FindString(got) != got {
			t.Fatalf("%q is not code: %q", s, got)
		}
		inner, element := strings.CutPrefix(got, "<code>")
		if element {
			inner = html.UnescapeString(strings.TrimSuffix(inner, "</code>"))
		} else {
			inner = strings.Trim(got, "`")
		}
		if want := terminal.InCell(brief(s)); inner != want {
			t.Errorf("%q is shown as %q", want, inner)
		}
	})
}

func TestALongPlanIsCutAtALine(t *testing.T) {
	for _, text := range []string{"name", "😀`|", "x y\nz"} {
		plan, checked := planOf(func() string { return text }, 800)
		whole := Plan(plan, checked, Limit{size: 1 << 30, measure: func(s string) int { return len(s) }})
		for name, limit := range map[string]Limit{"comment": Comment("REST"), "summary": Summary("REST"), "short": {2_000, Comment("").measure, "REST"}} {
			got := Plan(plan, checked, limit)
			if n := limit.measure(got); n > limit.size || n < limit.size*9/10 && name == "comment" {
				t.Errorf("%s: the page has %d of %d characters", name, n, limit.size)
			}
			kept, said, cut := strings.Cut(got, "\n**Cut off here: ")
			if !cut && got != whole || cut && !strings.HasSuffix(said, " lines are left out.** REST\n") {
				t.Errorf("%s: it ends with %q", name, got[max(0, len(got)-200):])
			}
			skeleton(t, got)
			if strings.Count(got, "<details>") != strings.Count(got, "</details>") {
				t.Errorf("%s: a block of details does not end", name)
			}
			if text == "name" && !strings.HasPrefix(whole, strings.TrimSuffix(kept, "```\n\n</details>\n")) {
				t.Errorf("%s: it is not the beginning of the page", name)
			}
		}
	}
}

func TestAPlanWithoutChanges(t *testing.T) {
	got := Plan(&registry.Plan{Project: "shop", Revision: 3}, nil, Comment(""))
	want := "<!-- fstore-plan:shop -->\n### fstore plan of `shop`: no changes\n\nThe registry is as defined (revision 3).\n"
	if got != want {
		t.Errorf("got %q", got)
	}
}

// Words stay words, and everything else is code.
func TestProse(t *testing.T) {
	for text, want := range map[string]string{
		"a new version: values can change":                "a new version: values can change",
		"callers of churn@1, suggest@2":                   "callers of `churn@1, suggest@2`",
		"output last_order (int64) is removed":            "output `last_order (int64)` is removed",
		"about 1,234 rows, as a@1 has":                    "about 1,234 rows, as `a@1` has",
		"see #12 by @octocat at www.example.com deadbeef": "see `#12` by `@octocat` at `www.example.com deadbeef`",
	} {
		if got := prose(text); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
