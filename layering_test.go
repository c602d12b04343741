package fstore_test

import (
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
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
	"packed":       {},
	"stats":        {},
	"window":       {"packed"},
	"registry":     {"registry/definition", "registry/sqlgate", "registry/record"},
	"offline":      {"offline", "ondemand", "regular", "functions", "sqltype", "stats", "window", "internal/english"},
	"ondemand":     {"ondemand"},
	"online":       {"online", "ondemand", "regular", "packed", "window"},
	"materialize":  {"materialize", "regular", "internal/english"},
	"verify":       {"verify", "window"},
	"monitor":      {"monitor", "stats", "regular", "internal/english"},
	"proto":        {},
	"tracing":      {"tracing", "internal/certfile"},
	"server":       {"server", "online", "proto", "internal/certfile", "tracing"},
	"client":       {"client", "regular", "online/answers", "proto", "internal/certfile"},
	"feature_repo": {"feature_repo"},
	"docs":         {},
	"project":      {"project", "sqltype", "stats", "registry", "offline", "online", "materialize", "monitor", "verify", "server", "tracing", "feature_repo", "docs", "regular", "internal"},
	"cmd":          {"cmd", "project", "registry", "offline", "online", "materialize", "monitor", "stats", "verify", "server", "client", "regular", "internal"},
	"examples":     {"examples"},
	"internal":     {"internal"},
	"test":         {"test", "client", "project", "registry", "offline", "online", "materialize", "server", "proto", "feature_repo"},

	// Packages within a folder that may import less, or more, than the folder.
	"online/answers":         {},
	"online/cache":           {},
	"online/redis/redistest": {"internal/certfile/certtest"},
	"offline/lock":           {"ondemand", "regular", "sqltype", "stats"},
	"offline/trainset":       {"offline/lock", "regular"},
	"offline/duckdb":         {},
	"registry/sqlgate":       {"functions"},
	"registry/definition":    {"registry/definition", "registry/sqlgate", "ondemand", "regular", "sqltype", "window"},
	"registry/record":        {},
	"registry/sqlite":        {"registry/record", "regular"},
	"registry/memory":        {"registry/record"},

	"registry/registrytest": {"registry"},

	"monitor/report": {"monitor/drift", "monitor/performance", "stats", "internal/english", "internal/terminal"},

	"server/access": {},
	"server/flight": {"server", "internal/english"},
	"server/audit":  {},

	"server/servedlog": {"online/answers", "regular"},

	"ondemand/vector": {"ondemand/mathx", "ondemand/zone"},
	"ondemand/mathx":  {},
	"ondemand/zone":   {},

	"internal/certfile": {"regular"},
	"internal/connect":  {"client", "internal/usage"},
}

// homes says where a dependency may be imported from: cgo and every wire format stay in one place.
var homes = map[string][]string{
	"C":                                              {"offline/duckdb"},
	"github.com/duckdb/":                             {"offline/duckdb", "test", "registry/definition/definitiontest"},
	"google.golang.org/protobuf":                     {"proto", "server", "test", "tracing"},
	"google.golang.org/grpc":                         {"proto", "server", "client", "test", "tracing"},
	"go.opentelemetry.io/":                           {"tracing"},
	"github.com/redis/go-redis":                      {"online/redis", "test"},
	"github.com/maypok86/otter/":                     {"online/cache"},
	"github.com/failsafe-go/":                        {"online/breaker", "server/admission"},
	"modernc.org/sqlite":                             {"registry/sqlite", "online/sqlite"},
	"database/sql":                                   {"registry/sqlite", "online/sqlite", "registry/definition/definitiontest"},
	"github.com/prometheus/client_golang":            {"server", "cmd"},
	"github.com/apache/arrow-go/":                    {"server/flight", "server/servedlog", "test"},
	"github.com/google/flatbuffers":                  {"server/flight"},
	"github.com/spf13/":                              {"cmd", "project", "internal/usage", "internal/connect"},
	"cel.dev/":                                       {"ondemand"},
	"github.com/golang-jwt/":                         {"server/access"},
	"github.com/MicahParks/":                         {"server/access"},
	"github.com/goccy/go-yaml":                       {"registry", "project"},
	"github.com/parquet-go/parquet-go":               {"offline", "materialize", "monitor/expect", "server/flight", "server/servedlog", "feature_repo", "cmd", "test"},
	"github.com/google/go-cmp":                       {"online/onlinetest", "registry/registrytest"}, // else tests only
	"pgregory.net/rapid":                             {"online/onlinetest", "internal/columntest"},
	"github.com/rogpeppe/go-internal":                {}, // tests only
	"github.com/fstore-dev/fstore/offline/duckdb":    {"offline"},
	"github.com/fstore-dev/fstore/online/onlinetest": {},

	"github.com/fstore-dev/fstore/registry/registrytest":              {},
	"github.com/fstore-dev/fstore/registry/definition/definitiontest": {"registry/registrytest"},
	"github.com/fstore-dev/fstore/server/servertest":                  {},
	"github.com/fstore-dev/fstore/internal/certfile/certtest":         {"online/redis/redistest"},
	"github.com/fstore-dev/fstore/internal/mlflow/mlflowtest":         {},
}

// apart are packages that never import each other, because each is one way of doing the same.
var apart = [][]string{{"server/feast", "server/flight", "server/grpcapi", "server/httpapi"}}

func TestEveryPackageImportsOnlyWhatItMay(t *testing.T) {
	for dir, pkg := range packages(t) {
		imports := pkg.Imports
		allowed, known := layersOf(dir)
		if !known {
			t.Errorf("%s: say in layers what it may import", dir)
		}
		for _, path := range imports {
			inner, ours := strings.CutPrefix(path, module+"/")
			for _, siblings := range apart {
				if dir != inner && slices.Contains(siblings, dir) && slices.Contains(siblings, inner) {
					t.Errorf("%s imports %s: the two stay apart", dir, path)
				}
			}
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

// beneath has what only a backend of the registry may know: how it stores records, and which processes there are.
var beneath = regexp.MustCompile(`(?i)\b(select|insert into|delete from|update \w+ set|create table|pragma)\s|sqlite|-wal|os\.Getpid|/proc/`)

// The rules of the registry are the same over every backend.
func TestTheRegistryKnowsNoBackend(t *testing.T) {
	for _, dir := range []string{"registry", "registry/record"} {
		eachCode(t, dir, func(place, code string) {
			if what := beneath.FindString(code); what != "" {
				t.Errorf("%s: %q belongs in a backend", place, what)
			}
		})
	}
}

// eachCode visits every line of a package, tests and comments aside. A place is file:line.
func eachCode(t *testing.T, dir string, visit func(place, code string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, files, err)
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
			visit(fmt.Sprintf("%s:%d", file, i+1), code)
		}
	}
}

// engineless are packages that programs use which have no use for the engine: they come without DuckDB and cgo.
var engineless = []string{"offline/lock", "offline/trainset", "client"}

func TestPackagesWithoutTheEngine(t *testing.T) {
	all := packages(t)
	for _, dir := range engineless {
		seen := map[string]bool{}
		var walk func(dir string)
		walk = func(dir string) {
			if seen[dir] {
				return
			}
			seen[dir] = true
			if all[dir] == nil {
				t.Errorf("there is no package %s", dir)
				return
			}
			for _, path := range all[dir].Imports {
				if inner, ours := strings.CutPrefix(path, module+"/"); ours {
					walk(inner)
				}
				if path == "C" || strings.HasPrefix(path, "github.com/duckdb/") {
					t.Errorf("%s imports %s", dir, path)
				}
			}
		}
		walk(dir)
	}
}

// packages returns every package by its folder; the root is "". Imports are those without tests.
func packages(t *testing.T) map[string]*build.Package {
	t.Helper()
	out := map[string]*build.Package{}
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
		out[filepath.ToSlash(path)] = pkg
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
		eachCode(t, dir, func(place, code string) {
			if strings.Contains(code, "time.Now(") || strings.Contains(code, "time.Since(") {
				t.Errorf("%s reads the clock", place)
			}
		})
	}
}

// A package that starts goroutines or holds locks is tested under the race detector: make race names it.
func TestMakeRaceCoversWhatIsConcurrent(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var raced, trees []string // packages, and trees of them
	lines := strings.ReplaceAll(string(makefile), "\\\n", " ")
	for _, m := range regexp.MustCompile(`(?m)^(?:RACE |\t\$\(RACE_TEST\)).*`).FindAllString(lines, -1) {
		for _, word := range strings.Fields(m) {
			if dir, ok := strings.CutPrefix(word, "./"); !ok {
				continue
			} else if tree, ok := strings.CutSuffix(dir, "/..."); ok {
				trees = append(trees, tree)
			} else {
				raced = append(raced, dir)
			}
		}
	}
	concurrent := regexp.MustCompile(`"sync(/atomic)?"|\bgo func\b|\bgo [\w.]+\(`)
	for dir := range packages(t) {
		if slices.Contains(raced, dir) || under(dir, trees) || under(dir, []string{"test"}) { // test holds programs that watch others
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				code, _, _ := strings.Cut(line, "//")
				if !strings.HasSuffix(file, "_test.go") && concurrent.MatchString(code) {
					t.Errorf("%s is concurrent (%s), and make race does not run its tests", file, strings.TrimSpace(code))
				}
			}
		}
	}
}
