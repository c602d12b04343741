package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func index(s string) *Index {
	return &Index{
		Project: s, At: time.Date(2025, 12, 1, 6, 0, 0, 0, time.UTC),
		Models: []IndexModel{
			{Name: s, Service: s, Checks: "1 failed, 4 passed", Drift: "drifted: 5 of 9 features", Freshness: "1 late, 4 fresh", Note: s, Alarm: true},
			{Name: "churn@2", Service: "churn", Checks: "5 passed", Drift: "stable: 0 of 9 features", Freshness: "5 fresh", Report: "churn@2+a%.html"},
		},
		Firing: []IndexFiring{{Event: "check_failed", Subject: s, Why: s, Concerns: s}},
	}
}

func writeIndex(t *testing.T, i *Index) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteIndex(&out, i); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTextsOfAnIndexAreOnlyText(t *testing.T) {
	linkless := func(s string) *Index {
		i := index(s)
		i.Models[1].Report = ""
		return i
	}
	want := elements(t, writeIndex(t, linkless("harmless")))
	for _, s := range hostile {
		page := writeIndex(t, linkless(s))
		if d := cmp.Diff(want, elements(t, page)); d != "" {
			t.Errorf("%.40q changes the page (-harmless +hostile):\n%s", s, d)
		}
		for _, r := range string(page) {
			if r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) && r != '\n' {
				t.Errorf("%.40q: the page has the character %U", s, r)
				break
			}
		}
		if len(page) > 40_000 {
			t.Errorf("%.40q: the page has %d bytes", s, len(page))
		}
	}
}

func TestAnIndexLinksReportsBesideIt(t *testing.T) {
	page := string(writeIndex(t, index("fraud@7")))
	if strings.Count(page, "<a ") != 1 || !strings.Contains(page, `href="./churn@2&#43;a%25.html"`) {
		t.Errorf("the links are not one to churn@2+a%%.html:\n%s", page)
	}
	if !strings.Contains(page, "1 alert in 2 lines") {
		t.Error("the outcome is not said")
	}
	quiet := index("fraud@7")
	quiet.Firing = nil
	if page := string(writeIndex(t, quiet)); !strings.Contains(page, "Nothing fires") {
		t.Error("a quiet round is not said to be one")
	}
	if quiet.Failed = 1; !strings.Contains(string(writeIndex(t, quiet)), "1 line incomplete") {
		t.Error("a round that is not whole is not said to be one")
	}
}

// make test-report runs it: axe-core finds nothing to complain about.
func TestTheIndexIsAccessible(t *testing.T) {
	b := openBrowser(t)
	file := filepath.Join(t.TempDir(), "index.html")
	if err := os.WriteFile(file, writeIndex(t, index("fraud@7")), 0o600); err != nil {
		t.Fatal(err)
	}
	accessible(t, b, file)
}
