package definition_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore/registry/definition"
)

// What cannot be read as a file is a mistake of the repo like any other: it has a place, the others are reported
// beside it, and nothing waits for the end of what has none.
func TestFilesThatCannotBeRead(t *testing.T) {
	const cannot = "\n\tmake it a file that can be read, or remove it\n"
	link := func(to string) func(string) error {
		return func(path string) error { return os.Symlink(to, path) }
	}
	pipe := func(path string) error { return syscall.Mkfifo(path, 0o644) }
	folder := func(path string) error { return os.Mkdir(path, 0o755) }
	huge := func(path string) error { return os.WriteFile(path, make([]byte, 5<<20), 0o644) }
	for _, c := range []struct {
		name, file string
		make       func(path string) error
		want       string
	}{
		{"link to itself", "x.yaml", link("x.yaml"), "x.yaml: cannot be read: too many levels of symbolic links" + cannot},
		{"link to nothing", "x.yaml", link("nowhere.yaml"), "x.yaml: cannot be read: no such file or directory" + cannot},
		{"link to a folder", "x.yaml", link("/"), "x.yaml: cannot be read: it is a folder" + cannot},
		{"pipe", "x.yaml", pipe, "x.yaml: cannot be read: it is not a file but a named pipe" + cannot},
		{"endless", "x.yaml", link("/dev/zero"), "x.yaml: cannot be read: it is not a file but a device" + cannot},
		{"folder", "x.yaml", folder, ""},
		{"link to the folder above", "x", link("."), ""},
		{"SQL that is a pipe", "v.sql", pipe, "d.yaml:13:6: v.sql cannot be read: it is not a file but a named pipe\n\tknown: other.sql\n"},
		{"SQL that is a folder", "v.sql", folder, "d.yaml:13:6: v.sql cannot be read: it is a folder\n\tknown: other.sql\n"},
		{"SQL that is endless", "v.sql", link("/dev/zero"), "d.yaml:13:6: v.sql cannot be read: it is not a file but a device\n\tknown: other.sql\n"},
		{"SQL that is huge", "v.sql", huge, "v.sql:1:1: the file has 5242880 bytes; the limit is 4194304\n\tsplit it into several files\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			archive := oneView("select id, ts, x from events")
			archive.Files = append(archive.Files, txtar.File{Name: "other.sql"})
			e, dir := newEngine(t), t.TempDir()
			for _, f := range archive.Files {
				if f.Name == "tables" {
					e.Files = parseTables(string(f.Data))
				} else if f.Name != c.file {
					if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := c.make(filepath.Join(dir, c.file)); err != nil {
				t.Fatal(err)
			}
			repo, err := definition.Load(dir, func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			got := report(definition.Check(t.Context(), repo, e))
			if c.want == "" {
				c.want = "view v reads events; keys id int64; event \"ts\" created \"\" available event\n"
			}
			if got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestAFolderThatCannotBeRead(t *testing.T) {
	_, err := definition.Load(filepath.Join(t.TempDir(), "nowhere"), func(string) (string, bool) { return "", false })
	if err == nil || !strings.Contains(err.Error(), "load definitions: ") {
		t.Errorf("got %v", err)
	}
}

// SQL that is nested too deep for the engine is a mistake with words that say so.
func TestDeepSQL(t *testing.T) {
	for name, c := range map[string]struct{ x, want string }{
		"brackets": {strings.Repeat("(", 20_000) + "x" + strings.Repeat(")", 20_000), "v.sql:1:72: nested too deep: more than 64 nested brackets\n"},
		"a chain":  {strings.Repeat("1+", 2_000) + "x", "v.sql: an expression nested more than 1,000 levels deep\n"},
	} {
		got := report(check(t, oneView("select "+c.x+" as x, id, ts from events")))
		if place, _, _ := strings.Cut(got, "\t"); place != c.want || !strings.Contains(got, "WITH name AS") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// A long value is not repeated in full in what is said of it.
func TestLongValuesAreCut(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for _, text := range []string{
		"kind: entity\nname: " + long + "\njoin_keys: [{name: id, type: int64}]\n",
		"kind: entity\nname: user\njoin_keys: " + long + "\n",
		"kind: entity\nname: user\n" + long + ": 1\njoin_keys: [{name: id, type: " + long + "}]\n",
		"kind: " + long + "\n",
	} {
		got := report(check(t, &txtar.Archive{Files: []txtar.File{{Name: "d.yaml", Data: []byte(text)}}}))
		if len(got) == 0 || len(got) > 3000 {
			t.Errorf("%d bytes are said of %.40q", len(got), text)
		}
	}
}

// Ten thousand definitions with thirty thousand mistakes are checked without comparing each wrong name with each name of
// the repo: suggestions end once a million names have been compared.
func TestTenThousandWrongNames(t *testing.T) {
	const n = 10_000
	var entities, views, services strings.Builder
	services.WriteString("kind: feature_service\nname: s\nfeatures:\n")
	for i := range n {
		fmt.Fprintf(&entities, "---\nkind: entity\nname: entity_number_%d\njoin_keys: [{name: id_%d, type: int64}]\n", i, i)
		fmt.Fprintf(&views, "---\nkind: feature_view\nname: view_number_%d\nentities: [entity_nummer_%d]\nsource: evnts\nfeatures: [{name: x, type: float64}]\n", i, i)
		fmt.Fprintf(&services, "  - view_nummer_%d.x\n", i)
	}
	archive := &txtar.Archive{Files: []txtar.File{
		{Name: "entities.yaml", Data: []byte(entities.String())},
		{Name: "views.yaml", Data: []byte(views.String())},
		{Name: "services.yaml", Data: []byte(services.String())},
	}}
	_, err := check(t, archive)
	problems, _ := err.(definition.Problems)
	if len(problems) != 3*n {
		t.Fatalf("%d problems, want %d", len(problems), 3*n)
	}
	if problems[n].Hint != `did you mean "entity_number_0"?` {
		t.Errorf("the first of them says %s", problems[n])
	}
	suggested := 0
	for _, p := range problems {
		if strings.HasPrefix(p.Hint, "did you mean") {
			suggested++
		}
	}
	if most := 1_000_000/n + 1; suggested > most {
		t.Errorf("%d names are suggested, each after a comparison with %d; at most %d may be", suggested, n, most)
	}
}
