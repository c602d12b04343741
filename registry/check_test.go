package registry_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Each file of testdata/check is a repo, the columns of its data files, and what Check says about it.
func TestCheck(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := report(check(t, archive))
			for i := range archive.Files {
				f := &archive.Files[i]
				if f.Name != "want" {
					continue
				}
				if *update {
					f.Data = []byte(got)
					if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

// check writes the archive's repo to a folder, loads and checks it.
func check(t testing.TB, archive *txtar.Archive) (*registry.Definitions, error) {
	t.Helper()
	e := newEngine(t)
	dir := t.TempDir()
	for _, f := range archive.Files {
		switch f.Name {
		case "want":
		case "tables":
			e.files = parseTables(string(f.Data))
		default:
			path := filepath.Join(dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	repo, err := registry.Load(dir, func(name string) (string, bool) { return "from-" + name, strings.HasPrefix(name, "SET") })
	if err != nil {
		t.Fatal(err)
	}
	return registry.Check(context.Background(), repo, e)
}

// report writes what Check says as commands show it.
func report(d *registry.Definitions, err error) string {
	var b strings.Builder
	var problems registry.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintf(&b, "%s: %s\n", p.Pos, p.Message)
			if p.Hint != "" {
				fmt.Fprintf(&b, "\t%s\n", p.Hint)
			}
		}
		return b.String()
	}
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(&b, "warning: %s: %s\n\t%s\n", w.Pos, w.Message, w.Hint)
	}
	for _, v := range d.Views {
		fmt.Fprintf(&b, "view %s reads %s; keys %s; event %q created %q available %s\n", v.Ref.Name, strings.Join(v.View.Inputs, ", "),
			fields(v.View.Keys), v.View.Event, v.View.Created, v.View.Available)
	}
	for _, s := range d.Services {
		for _, o := range s.Outputs {
			u := s.Uses[o.Use]
			fmt.Fprintf(&b, "service %s: %s = %s.%s by %v\n", s.Ref.Name, o.Name, u.View.Name, o.Feature, u.Keys)
		}
	}
	return b.String()
}

func fields(fs []fstore.Field) string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.Name + " " + f.Type.String()
	}
	return strings.Join(parts, ", ")
}
