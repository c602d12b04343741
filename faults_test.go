package fstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each row of the tables of faults in docs/operations.md names tests that exist, and make faults runs them.
func TestEachFaultHasItsTests(t *testing.T) {
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## When something is down\n")
	section, _, _ = strings.Cut(section, "\n## ")
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	runs := regexp.MustCompile(`(?m)^FAULTS *= *(.*)$`).FindSubmatch(makefile)
	if runs == nil {
		t.Fatal("the Makefile has no FAULTS")
	}
	run := regexp.MustCompile(strings.ReplaceAll(string(runs[1]), "$$", "$"))
	tests, rows := testNames(t), 0
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		fault := strings.TrimSpace(cells[0])
		if !strings.HasPrefix(line, "|") || fault == "fault" || strings.HasPrefix(fault, "---") {
			continue
		}
		rows++
		named := regexp.MustCompile("`(Test[^`]*)`").FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 6 || named == nil {
			t.Errorf("%s: a row has six cells, and the last one names its tests", fault)
		}
		for _, n := range named {
			if !tests[n[1]] {
				t.Errorf("%s: there is no %s", fault, n[1])
			}
			if !run.MatchString(n[1]) {
				t.Errorf("%s: make faults does not run %s", fault, n[1])
			}
		}
	}
	if rows < 25 {
		t.Errorf("%d rows were found", rows)
	}
}

// testNames returns the names of all tests, and of the scripts that TestScripts plays.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if script, ok := strings.CutSuffix(d.Name(), ".txtar"); ok {
			names["TestScripts/"+script] = true
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
