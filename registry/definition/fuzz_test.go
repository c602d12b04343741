package definition_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
)

// slow is more than any input of a few kilobytes may take, on a busy machine too.
const slow = 20 * time.Second

// Whatever the files of a repo hold, the loader and the checks say the same of them each time, in words, at places
// that are in the files, and do not break or go on for long.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/check/*.txtar")
	for _, file := range append(files, "definitiontest/shop.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if strings.HasSuffix(part.Name, "yaml") {
				f.Add(part.Data, []byte("select 1"))
			}
		}
	}
	view := "kind: feature_view\nname: v\nentities: []\nsql: v.sql\nfeatures: [{name: x, type: int64}]\n"
	for _, s := range [][2]string{
		{"kind: entity\n? [a]\n: b", ""},
		{"&a kind: *a\n<<: {b: c}", ""},
		{"\ufeff" + view, "\ufeffselect\r\n\t1"},
		{view, "select '\xff'"},
		{view, "\x00"},
		{view + "default: [1, [2, {a: 3}]]\nttl: 1d\nttl: 2d\n---\n...\n---\n- a\n--- |\n  text\n", "select ü"},
		{"kind: entity\nname: >-\n  x\n  y\njoin_keys: [{name: \"\\u0000\", type: !!str int64}]\n", ""},
		{"kind: source\nname: s\npath: \"${A:-${B}}$${C\"\nrename: {a: b, a: c, [d]: e}\n", ""},
		{"%YAML 1.2\n---\nkind: entity # ü\n\tname: x\n", ""},
		{onDemand + "    expression: price * n + other.x // ü\n", ""},
		{onDemand + "    expression: |2-\n      price\n\n       * nope\n", ""},
		{onDemand + "    expression: \"hours(at - event(other)) \\\n      + \\u00e4 ${A} $${ ${B:-x}\"\n", ""},
		{onDemand + "    expression: 'length(''ä'') ? 1u : [1].map(x, x)'\n---\nkind: feature_service\nname: s\nfeatures: [v.*, {ref: other.x, keys: {a: b}}]\nrequest: {price: cost, n: v, c: d}\n", ""},
		{strings.Repeat("- ", 60) + strings.Repeat("{a: ", 60), ""},
	} {
		f.Add([]byte(s[0]), []byte(s[1]))
	}
	f.Add([]byte(onDemand+"    expression: >\n\n      price\n        + matches('x', '(a')\n"), []byte("select x from v"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, yaml, sql []byte) {
		text := map[string]string{"d.yaml": string(yaml), "v.sql": string(sql)}
		for name, content := range text {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		first := loadAndCheck(t, dir)
		if took := time.Since(start); took > slow {
			t.Errorf("it took %s", took)
		}
		for _, p := range first {
			checkProblem(t, p, text)
		}
		again := loadAndCheck(t, dir)
		if a, b := first.Error(), again.Error(); a != b {
			t.Errorf("one time it says\n%s\nanother time\n%s", a, b)
		}
	})
}

// onDemand is a repo with on-demand views, up to the expression of the last feature.
const onDemand = `kind: on_demand_view
name: other
uses: [v.f]
features: [{name: x, type: int64, expression: "1"}]
---
kind: on_demand_view
name: v
request: [{name: price, type: float64, default: 1}, {name: n, type: int64}]
uses: [other.*, {ref: other.x, as: again}]
features:
  - name: f
    type: float64
`

func loadAndCheck(t *testing.T, dir string) definition.Problems {
	t.Helper()
	repo, err := definition.Load(dir, func(name string) (string, bool) { return "x", name != "B" })
	if err != nil {
		t.Fatal(err)
	}
	_, err = definition.Check(context.Background(), repo, definitiontest.NoEngine{})
	problems, _ := err.(definition.Problems)
	if err != nil && problems == nil {
		t.Errorf("an error that is not among the problems of the repo: %v", err)
	}
	if err == nil && len(repo.Problems) > 0 {
		t.Error("the problems of the loader are lost")
	}
	return problems
}

// checkProblem holds a problem to what all of them promise: words that are text, not the whole file again, and a place
// in a file, where an editor can go.
func checkProblem(t *testing.T, p definition.Problem, text map[string]string) {
	t.Helper()
	for _, s := range []string{p.Message, p.Hint} {
		if !utf8.ValidString(s) || len(s) > 1000 {
			t.Errorf("%d bytes of words: %.2000q", len(s), s)
		}
	}
	content, ok := text[p.Pos.File]
	if p.Message == "" || !ok {
		t.Errorf("a problem without words or without a file: %+v", p)
		return
	}
	if p.Pos.Line == 0 {
		return
	}
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(content, "\r\n", "\n"), "\r", "\n"), "\n")
	switch {
	case p.Pos.Line < 1 || p.Pos.Line > len(lines)+1 || p.Pos.Col < 1:
		t.Errorf("%s: the file has %d lines", p, len(lines))
	case p.Pos.Col > len(content)+2: // where a value would stand, behind the blank of "key: "
		t.Errorf("%s: the file has %d bytes", p, len(content))
	}
}
