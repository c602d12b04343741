package fstore_test

import (
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fstore-dev/fstore"

// layers says which packages of fstore each package may import, tests aside. A name stands for the package and
// those beneath it; "" is the root, which everything may import. registry, offline, online and materialize never
// see each other: project sees them all.
var layers = map[string][]string{
	"":             {},
	"regular":      {},
	"functions":    {},
	"sqltype":      {},
	"registry":     {"registry", "regular", "sqltype"},
	"offline":      {"offline", "regular", "functions", "sqltype"},
	"online":       {"online", "regular"},
	"materialize":  {"materialize", "regular"},
	"verify":       {"verify"},
	"proto":        {},
	"server":       {"server", "online", "proto"},
	"client":       {"client", "online", "proto"},
	"feature_repo": {"feature_repo"},
	"docs":         {},
	"project":      {"project", "registry", "offline", "online", "materialize", "verify", "server", "feature_repo", "docs", "regular", "internal"},
	"cmd":          {"cmd", "project", "registry", "offline", "online", "materialize", "verify", "server", "client", "internal"},
	"examples":     {"examples"},
	"internal":     {"internal"},
	"test":         {"test", "client", "project", "registry", "offline", "online", "materialize", "server", "proto", "feature_repo"},

	// Packages within a folder that may import less, or more, than the folder.
	"registry/sqlgate":                   {"functions"},
	"registry/definition/definitiontest": {"registry"},
}

// homes says where a dependency may be imported from: cgo and every wire format stay in one place.
var homes = map[string][]string{
	"github.com/duckdb/":                             {"offline", "test", "registry/definition/definitiontest"},
	"google.golang.org/protobuf":                     {"proto", "server", "test"},
	"google.golang.org/grpc":                         {"proto", "server", "client", "test"},
	"github.com/redis/go-redis":                      {"online/redis", "test"},
	"modernc.org/sqlite":                             {"registry", "online/sqlite"},
	"github.com/prometheus/client_golang":            {"server", "cmd"},
	"github.com/spf13/":                              {"cmd", "project", "internal/usage"},
	"github.com/goccy/go-yaml":                       {"registry", "project"},
	"github.com/parquet-go/parquet-go":               {"offline", "materialize", "feature_repo", "cmd", "test"},
	"github.com/google/go-cmp":                       {"online/onlinetest"}, // else tests only
	"pgregory.net/rapid":                             {"online/onlinetest", "internal/columntest"},
	"github.com/rogpeppe/go-internal":                {}, // tests only
	"github.com/fstore-dev/fstore/online/onlinetest": {},

	"github.com/fstore-dev/fstore/registry/definition/definitiontest": {},
}

func TestEveryPackageImportsOnlyWhatItMay(t *testing.T) {
	for dir, imports := range packages(t) {
		allowed, known := layersOf(dir)
		if !known {
			t.Errorf("%s: say in layers what it may import", dir)
		}
		for _, path := range imports {
			inner, ours := strings.CutPrefix(path, module+"/")
			if ours && !under(inner, allowed) {
				t.Errorf("%s imports %s", dir, path)
			}
			if dir == "" && strings.Contains(path, ".") {
				t.Errorf("the root imports %s: it has the standard library only", path)
			}
			for dependency, where := range homes {
				if strings.HasPrefix(path, dependency) && !under(dir, where) {
					t.Errorf("%s imports %s, which only %v may", dir, path, where)
				}
			}
		}
	}
}

// layersOf returns the entry of layers for a package: its own, or that of the nearest folder above it.
func layersOf(dir string) (allowed []string, known bool) {
	for at := dir; ; at = path.Dir(at) {
		if allowed, known = layers[at]; known || !strings.Contains(at, "/") {
			return allowed, known
		}
	}
}

// packages returns the imports of every package, tests aside, by folder; the root is "".
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if _, none := err.(*build.NoGoError); none {
			return nil
		}
		if err != nil {
			return err
		}
		if path == "." {
			path = ""
		}
		out[filepath.ToSlash(path)] = pkg.Imports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// under reports whether a path is one of dirs or beneath one.
func under(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		return path == dir || strings.HasPrefix(path, dir+"/")
	})
}

// The clock is a parameter everywhere but in cmd: two runs over the same input at the same now are the same.
func TestNoLibraryReadsTheClock(t *testing.T) {
	for dir := range packages(t) {
		if strings.HasPrefix(dir, "cmd") || strings.HasPrefix(dir, "test/bench") {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(text), "\n") {
				code, _, _ := strings.Cut(line, "//")
				if strings.Contains(code, "time.Now(") || strings.Contains(code, "time.Since(") {
					t.Errorf("%s:%d reads the clock", file, i+1)
				}
			}
		}
	}
}
