package report

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore/monitor/drift"
)

var update = flag.Bool("update", false, "write testdata and the picture in docs anew")

//go:generate go test . -run TestTheSameComparisonGivesTheSameBytes -update

func write(t testing.TB, c *drift.Comparison) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, c); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheSameComparisonGivesTheSameBytes(t *testing.T) {
	const golden = "testdata/report.html"
	got := write(t, comparison())
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("look at the report, then run go generate ./monitor/report (-want +got):\n%s", d)
	}
}

// hostile are texts that mean something to HTML, to a style or to the direction of text, that are long, or that are no text.
var hostile = []string{
	`</script><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><style>*{display:none}`, `' onload='alert(1)`,
	`</summary></details></main>`, `<!--`, `javascript:alert(1)`, `url(https://example.com/x)`, `{{.Title}}`, `&lt;b&gt;&#0;`,
	"\u202egnp.exe", "\u2066\u200f\u2069", "a\x00b\x1bc", "line\nbreak\ttab", "\xff\xfe", strings.Repeat("long ", 2000), strings.Repeat("W", 10_000),
	strings.Repeat("\u0301", 10_000),
}

// poisoned puts a text everywhere where one comes from outside.
func poisoned(c *drift.Comparison, s string) *drift.Comparison {
	for _, side := range []*drift.Side{&c.Reference, &c.Current} {
		side.Name, side.File, side.Service, side.Timestamp = s, s, s, s
	}
	c.By = s
	for i := range c.Features {
		f := &c.Features[i]
		f.Name, f.Source, f.View.Name, f.Reason = s, s, s, s
		for j := range f.Bins {
			if f.Bins[j].Category != nil {
				f.Bins[j].Category = &s
			}
		}
		for j := range f.Unseen {
			f.Unseen[j].Category = s
		}
		for j := range f.Checks {
			if f.Checks[j].Name == drift.CheckKS {
				f.Checks[j].Name = drift.CheckName(s)
			}
		}
	}
	return c
}

// Whatever the texts from outside are, the page has the elements of the same page with harmless texts.
func TestTextsFromOutsideAreOnlyText(t *testing.T) {
	want := elements(t, write(t, poisoned(comparison(), "harmless")))
	for _, s := range hostile {
		page := write(t, poisoned(comparison(), s))
		if d := cmp.Diff(want, elements(t, page)); d != "" {
			t.Errorf("%.40q changes the page (-harmless +hostile):\n%s", s, d)
		}
		for _, r := range string(page) {
			if r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) && r != '\n' {
				t.Errorf("%.40q: the page has the character %U", s, r)
				break
			}
		}
		if limit := 2 * len(write(t, poisoned(comparison(), "harmless"))); len(page) > limit {
			t.Errorf("%.40q: the page has %d bytes, more than %d", s, len(page), limit)
		}
	}
}

// elements lists the elements of a page with the names of their attributes, and fails on what loads or runs something.
func elements(t *testing.T, page []byte) (out []string) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		line := n.Data
		for _, a := range n.Attr {
			line += " " + a.Key
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || a.Key == "srcdoc" || strings.Contains(a.Val, "url(") && a.Key == "style" {
				t.Errorf("<%s> has %s=%.40q", n.Data, a.Key, a.Val)
			}
		}
		out = append(out, line)
		if n.Data == "script" || n.Data == "link" || n.Data == "iframe" || n.Data == "img" || n.Data == "object" {
			t.Errorf("the page has <%s>", n.Data)
		}
	}
	return out
}

// Features that drifted come first, and the furthest over its threshold before the others. Targets have a section of their own.
func TestWhatDriftedComesFirst(t *testing.T) {
	order := map[drift.Verdict]int{drift.Drifted: 0, drift.NotCompared: 1, drift.TooFew: 2, drift.Stable: 3}
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		byName := map[string]*drift.Feature{}
		for i := range c.Features {
			byName[c.Features[i].Name] = &c.Features[i]
		}
		var last *drift.Feature
		seen := 0
		for _, s := range overviewOf(c).Sections {
			for _, row := range s.Features {
				f := byName[row.Name]
				seen++
				if (f.Role == drift.RoleTarget) != (s.Title == "Targets") {
					t.Fatalf("%s (%s) is in %s", f.Name, f.Role, s.Title)
				}
				if f.Role == drift.RoleTarget {
					continue
				}
				if last != nil && (order[f.Verdict] < order[last.Verdict] || f.Verdict == last.Verdict && nearness(f.Checks) > nearness(last.Checks)) {
					t.Fatalf("%s (%s, %g) comes after %s (%s, %g)", f.Name, f.Verdict, nearness(f.Checks), last.Name, last.Verdict, nearness(last.Checks))
				}
				last = f
			}
		}
		if seen != len(c.Features) {
			t.Fatalf("%d of %d features are in the report", seen, len(c.Features))
		}
	})
}

// 200 features stay small enough to mail.
func TestSizeOfALargeReport(t *testing.T) {
	const features = 200
	c := comparison()
	one := c.Features[2] // of numbers, with 20 bins and 30 windows
	small := len(write(t, c))
	for i := range features {
		f := one
		f.Name += strings.Repeat("x", i%7)
		c.Features = append(c.Features, f)
	}
	c.Counts.Stable += features
	perFeature := (len(write(t, c)) - small) / features
	t.Logf("%d bytes per feature with 20 bins and 30 windows", perFeature)
	if limit := 9_000; perFeature > limit {
		t.Errorf("a feature takes %d bytes, over %d", perFeature, limit)
	}
}
