package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the commands print into the pages")

// What differs from run to run: generations, and seconds.
var volatile = regexp.MustCompile(`\b([0-9a-f]{16}|[0-9]\.[0-9]{2})\b`)

//go:generate go test . -run IsTrue -update

func TestTheReadmeIsTrue(t *testing.T) {
	const path = "../../README.md"
	pageIsTrue(t, path)
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(readme), "\n"); n > 100 {
		t.Errorf("the README has %d lines", n)
	}
}

func TestGettingStartedIsTrue(t *testing.T) {
	pageIsTrue(t, "../../docs/getting-started.md")
}

func TestOutcomesIsTrue(t *testing.T) {
	sh := &shell{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() { // the page ends its server
			_ = exec.Command("sh", "-c", "kill $(cat "+filepath.Join(sh.dir, "pid")+")").Run()
		}
	})
	pageIsTrueIn(t, "../../docs/outcomes.md", sh)
}

// pageIsTrue runs the commands in the console blocks of a page, one after another in a new folder, and compares what
// they print with what the page says. A command begins with "$ " and goes on in lines that begin with "> ".
func pageIsTrue(t *testing.T, path string) {
	t.Helper()
	pageIsTrueIn(t, path, &shell{t: t, dir: t.TempDir()})
}

func pageIsTrueIn(t *testing.T, path string, sh *shell) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got, command strings.Builder
	run := func() {
		if command.Len() > 0 {
			got.WriteString(sh.run(command.String()))
			command.Reset()
		}
	}
	inside := false
	for line := range strings.Lines(string(page)) {
		first, begins := strings.CutPrefix(line, "$ ")
		next, goesOn := strings.CutPrefix(line, "> ")
		switch {
		case strings.HasPrefix(line, "```"):
			run()
			inside = line == "```console\n"
			got.WriteString(line)
		case !inside:
			got.WriteString(line)
		case begins:
			run()
			got.WriteString(line)
			command.WriteString(first)
		case goesOn && command.Len() > 0:
			got.WriteString(line)
			command.WriteString(next)
		}
	}
	want := volatile.ReplaceAllString(string(page), "…")
	switch d := cmp.Diff(want, volatile.ReplaceAllString(got.String(), "…")); {
	case d == "":
	case *update:
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("go test ./cmd/fstore -run IsTrue -update writes %s again (-page +printed)\n%s", path, d)
	}
}

// shell runs commands one after another; each begins in the folder the last one ended in.
type shell struct {
	t   *testing.T
	dir string
}

// run returns what a command printed. A command that fails ends the test.
func (s *shell) run(command string) string {
	s.t.Helper()
	pwd := filepath.Join(s.t.TempDir(), "pwd")
	cmd := exec.Command("sh", "-c", command+"\nstatus=$?\npwd > "+pwd+"\nexit $status")
	cmd.Dir = s.dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FSTORE_") && !strings.HasPrefix(v, "SHOP_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		s.t.Fatalf("%s: %v\n%s", command, err, stderr.String())
	}
	dir, err := os.ReadFile(pwd)
	if err != nil {
		s.t.Fatal(err)
	}
	s.dir = strings.TrimSpace(string(dir))
	return string(out)
}
