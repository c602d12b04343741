package fstore_test

import (
	"flag"
	"fmt"
	"go/build"
	"go/doc"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the map of packages into docs/architecture.md")

//go:generate go test . -run TestTheMapOfPackagesIsCurrent -update

// The diagram and the table in docs/architecture.md show the real imports and the first sentence of each package
// comment.
func TestTheMapOfPackagesIsCurrent(t *testing.T) {
	const path = "docs/architecture.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(page)
	for name, block := range map[string]string{"diagram": diagram(packages(t)), "packages": packageTable(packages(t))} {
		before, rest, found := strings.Cut(got, "<!-- generated: "+name+" -->\n")
		_, after, ends := strings.Cut(rest, "<!-- end -->\n")
		if !found || !ends {
			t.Fatalf("%s has no block %s", path, name)
		}
		got = before + "<!-- generated: " + name + " -->\n" + block + "<!-- end -->\n" + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(string(page), got); d != "" {
		t.Errorf("go generate . writes the map (-page +imports)\n%s", d)
	}
}

// everywhere are packages that most others import. The diagram leaves them out, and what is not part of the product.
var everywhere = []string{"", "regular", "internal", "docs", "test", "examples"}

// diagram draws which top-level packages import which.
func diagram(all map[string]*build.Package) string {
	edges := map[string]bool{}
	for dir, pkg := range all {
		from, _, _ := strings.Cut(dir, "/")
		for _, path := range pkg.Imports {
			inner, ours := strings.CutPrefix(path, module+"/")
			to, _, _ := strings.Cut(inner, "/")
			if ours && from != to && !slices.Contains(everywhere, from) && !slices.Contains(everywhere, to) {
				edges["  "+from+" --> "+to+"\n"] = true
			}
		}
	}
	return "```mermaid\ngraph TD\n" + strings.Join(slices.Sorted(maps.Keys(edges)), "") + "```\n"
}

// packageName is how a package comment begins.
var packageName = regexp.MustCompile(`^(?:Package|Command|The) \S+ (?:command )?`)

// packageTable lists every package with its job.
func packageTable(all map[string]*build.Package) string {
	var table strings.Builder
	table.WriteString("| package | what it does |\n|---|---|\n")
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		name := dir
		if dir == "" {
			name = "fstore (root)"
		}
		job := packageName.ReplaceAllString(new(doc.Package).Synopsis(all[dir].Doc), "")
		fmt.Fprintf(&table, "| `%s` | %s |\n", name, job)
	}
	return table.String()
}

var (
	citedPage = regexp.MustCompile(`docs/[a-z0-9_/-]+\.md`)
	citedFile = regexp.MustCompile("`([a-z0-9_]+(?:/[a-zA-Z0-9_.-]+)*\\.(?:go|sql|md|yaml|txt|proto|json|case))`")
	citedTest = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]+`)
)

// Code cites pages of this repo that exist, and no page outside it. The architecture page names files and tests that
// exist, and the threat model names tests that exist.
func TestWhatIsCitedExists(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, name := range citedTest.FindAllString(string(text), -1) {
			tests[name] = tests[name] || strings.Contains(string(text), "func "+name+"(")
		}
		for _, page := range citedPage.FindAllString(string(text), -1) {
			if _, err := os.Stat(page); err != nil {
				t.Errorf("%s cites %s, which does not exist", path, page)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range citedFile.FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("docs/architecture.md names %s, which does not exist", m[1])
		}
	}
	for _, path := range []string{"docs/architecture.md", "docs/security.md"} {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range citedTest.FindAllString(string(page), -1) {
			if !tests[name] {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
	}
}
