package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every page of docs/ is in its index, and the index has no page that is not there.
func TestTheDocsIndexIsComplete(t *testing.T) {
	index, err := os.ReadFile("../../docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		name := filepath.Base(page)
		if name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/README.md does not link %s", name)
		}
	}
	for _, link := range strings.Split(string(index), "](")[1:] {
		target, _, _ := strings.Cut(link, ")")
		if _, err := os.Stat(filepath.Join("../../docs", target)); err != nil {
			t.Errorf("docs/README.md links %s: %v", target, err)
		}
	}
}
