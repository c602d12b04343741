package registry_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore/registry"
)

// Whatever a file holds, the loader says where what is wrong and does not break.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/check/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if strings.HasSuffix(part.Name, "yaml") {
				f.Add(part.Data)
			}
		}
	}
	f.Add([]byte("kind: entity\n? [a]\n: b"))
	f.Add([]byte("&a kind: *a\n<<: {b: c}"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "d.yaml"), content, 0o644); err != nil {
			t.Fatal(err)
		}
		repo, err := registry.Load(dir, func(string) (string, bool) { return "x", true })
		if err != nil {
			t.Fatal(err)
		}
		lines := 1 + strings.Count(string(content), "\n") + strings.Count(string(content), "\r")
		for _, p := range repo.Problems {
			if p.Message == "" || p.Pos.File == "" || p.Pos.Line > lines+1 {
				t.Errorf("%d lines: %s", lines, p)
			}
		}
		_, _ = registry.Check(context.Background(), repo, noEngine{})
	})
}

// Whatever a tree holds, the gate does not break.
func FuzzGate(f *testing.F) {
	e := newEngine(f)
	for _, sql := range []string{
		"from a", "with r as (from b limit 3) select sum(x) over (order by y) from r asof join c using (t)",
		"select distinct on (a) a, now() from range(3) where x in (select y from t tablesample 3%)", "select 'x' union select $1", "describe t",
	} {
		tree, err := e.ParseSQL(context.Background(), sql)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tree)
	}
	f.Fuzz(func(t *testing.T, tree []byte) { registry.Inspect(tree) })
}
