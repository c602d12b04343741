package github

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// parsed reads a line as a runner does: spaces before it, the command up to the next ::, properties between commas.
func parsed(t testing.TB, line string) (command string, properties map[string]string, message string) {
	t.Helper()
	line, ends := strings.CutSuffix(line, "\n")
	if !ends || strings.ContainsAny(line, "\r\n") {
		t.Fatalf("%q is not one line", line)
	}
	rest, begins := strings.CutPrefix(strings.TrimSpace(line), "::")
	head, message, found := strings.Cut(rest, "::")
	if !begins || !found {
		t.Fatalf("%q is no command", line)
	}
	unescape := strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
	command, list, _ := strings.Cut(head, " ")
	properties = map[string]string{}
	for _, p := range strings.Split(list, ",") {
		name, value, _ := strings.Cut(p, "=")
		properties[name] = unescape.Replace(value)
	}
	return command, properties, strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(message)
}

func TestAnAnnotationSaysWhatIsWrongAndWhere(t *testing.T) {
	a := Annotations{Repo: "/w/tree/repo", Root: "/w/tree"}
	for _, c := range []struct {
		level   Level
		problem definition.Problem
		want    string
	}{
		{Error, definition.Problem{Pos: fstore.Pos{File: "a.yaml", Line: 3, Col: 5}, Message: "wrong", Hint: "right"}, "::error file=repo/a.yaml,line=3,col=5,title=fstore::repo/a.yaml:3:5: wrong%0Ahint: right\n"},
		{Warning, definition.Problem{Pos: fstore.Pos{File: "sql/a.sql", Line: 3}, Message: "100%"}, "::warning file=repo/sql/a.sql,line=3,title=fstore::repo/sql/a.sql:3: 100%25\n"},
		{Error, definition.Problem{Pos: fstore.Pos{File: "a.yaml"}, Message: "wrong"}, "::error file=repo/a.yaml,title=fstore::repo/a.yaml: wrong\n"},
		{Error, definition.Problem{Message: "wrong\r\n::error::x"}, "::error title=fstore::wrong%0D%0A::error::x\n"},
		{Error, definition.Problem{Pos: fstore.Pos{File: "/elsewhere/tokens.yaml", Line: 1}, Message: "wrong"}, "::error title=fstore::/elsewhere/tokens.yaml:1: wrong\n"},
		{Error, definition.Problem{Pos: fstore.Pos{File: "../../x.yaml", Line: 1}, Message: "wrong"}, "::error title=fstore::../../x.yaml:1: wrong\n"},
		{Error, definition.Problem{Pos: fstore.Pos{File: "a,b::c%\nd.yaml", Line: 1}, Message: "wrong"}, "::error file=repo/a%2Cb%3A%3Ac%25%0Ad.yaml,line=1,title=fstore::repo/a,b::c%25%0Ad.yaml:1: wrong\n"},
	} {
		if got := a.Command(c.level, c.problem); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func FuzzAnAnnotationIsOneCommand(f *testing.F) {
	f.Add("a.yaml", "wrong", "right", 1, 2)
	f.Add("a,line=9::b\r\n.yaml", "%0A::set-env::x\n##[error]", "%25", 0, 7)
	f.Fuzz(func(t *testing.T, file, message, hint string, line, col int) {
		a := Annotations{Repo: "/tree/repo", Root: "/tree"}
		command, properties, text := parsed(t, a.Command(Error, definition.Problem{Pos: fstore.Pos{File: file, Line: line, Col: col}, Message: message, Hint: hint}))
		known := []string{"file", "line", "col", "title"}
		for name := range maps.Keys(properties) {
			if !slices.Contains(known, name) {
				t.Errorf("property %q", name)
			}
		}
		if command != "error" || properties["title"] != "fstore" || !strings.Contains(text, strings.TrimSpace(message)) { // white space around a message is not kept
			t.Errorf("%q %q %q", command, properties, text)
		}
		if name, ok := properties["file"]; ok && name != filepath.ToSlash(filepath.Join("repo", file)) && !filepath.IsAbs(file) {
			t.Errorf("file %q became %q", file, name)
		}
	})
}

func TestTheRootOfTheWorkTree(t *testing.T) {
	base := t.TempDir()
	base, err := filepath.EvalSymlinks(base)
	if err != nil {
		t.Fatal(err)
	}
	mkdir := func(name string) string {
		dir := filepath.Join(base, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	mkdir("tree/.git")
	inTree, plain, linked := mkdir("tree/a/repo"), mkdir("plain/repo"), mkdir("linked/repo")
	link := filepath.Join(base, "link")
	if err := errors.Join(os.WriteFile(filepath.Join(base, "linked/.git"), []byte("gitdir: elsewhere\n"), 0o644), os.Symlink(inTree, link)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, repo, workspace, want string }{
		{"above the repo", inTree, "", "a/repo/x.yaml"},
		{"a worktree of Git has a file", linked, "", "repo/x.yaml"},
		{"through a link", link, "", "a/repo/x.yaml"},
		{"checked out into a folder of the workspace", inTree, base, "a/repo/x.yaml"},
		{"no Git", plain, filepath.Join(base, "plain"), "repo/x.yaml"},
		{"neither", plain, "", "x.yaml"},
		{"another workspace", plain, inTree, ""},
		{"no repo", "", base, ""},
	} {
		a := NewAnnotations(c.repo, func(name string) (string, bool) { return c.workspace, name == "GITHUB_WORKSPACE" })
		_, properties, _ := parsed(t, a.Command(Error, definition.Problem{Pos: fstore.Pos{File: "x.yaml"}}))
		if properties["file"] != c.want {
			t.Errorf("%s: file %q, want %q", c.name, properties["file"], c.want)
		}
	}
}

func TestEveryErrorIsAnAnnotation(t *testing.T) {
	pos := fstore.Pos{File: "fstore.yaml", Line: 2, Col: 1}
	joined := errors.Join(fstore.ErrorAt(fstore.ErrDefinition, pos, "x is not a setting").WithHint("y"), errors.New("b"))
	for _, c := range []struct {
		err  error
		want []definition.Problem
	}{
		{definition.Problems{{Pos: pos, Message: "wrong"}}, []definition.Problem{{Pos: pos, Message: "wrong"}}},
		{fmt.Errorf("open: %w", fstore.Errorf(fstore.ErrUsage, "no repo").WithHint("init")), []definition.Problem{{Message: "open: no repo", Hint: "init"}}},
		{joined, []definition.Problem{{Pos: pos, Message: "x is not a setting", Hint: "y"}, {Message: "b"}}},
	} {
		if got := ProblemsOf(c.err); !slices.Equal(got, c.want) {
			t.Errorf("%v\ngot  %v\nwant %v", c.err, got, c.want)
		}
	}
}
