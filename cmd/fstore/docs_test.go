package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every page of docs/ and docs/design/ is in the index.
func TestTheDocsIndexIsComplete(t *testing.T) {
	index, err := os.ReadFile("../../docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t, "../../docs/*.md", "../../docs/design/*.md") {
		name := strings.TrimPrefix(page, "../../docs/")
		if name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/README.md does not link %s", name)
		}
	}
}

var (
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	title   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile("[^a-z0-9 _-]")
)

// Every link between pages leads to a file and, where it names one, to a heading of that file.
func TestEveryLinkBetweenPagesLeadsSomewhere(t *testing.T) {
	for _, page := range pages(t, "../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../examples/*.md", "../../feature_repo/*.md") {
		for _, m := range link.FindAllStringSubmatch(prose(t, page), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links %s: %v", page, m[1], err)
			} else if heading != "" && strings.HasSuffix(path, ".md") && !headings(t, path)[heading] {
				t.Errorf("%s links %s: no such heading", page, m[1])
			}
		}
	}
}

// headings returns the anchors of a page, as GitHub makes them.
func headings(t *testing.T, page string) map[string]bool {
	t.Helper()
	anchors := map[string]bool{}
	for _, m := range title.FindAllStringSubmatch(prose(t, page), -1) {
		plain := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return anchors
}

// prose returns a page without its blocks of code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return fenced.ReplaceAllString(string(text), "")
}

func pages(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}
