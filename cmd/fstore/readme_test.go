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

var update = flag.Bool("update", false, "write what the commands print into the README")

// What differs from run to run: generations, and seconds.
var volatile = regexp.MustCompile(`\b([0-9a-f]{16}|[0-9]\.[0-9]{2})\b`)

// TestTheReadmeIsTrue runs the commands of the README's console blocks, one after another in a new folder, and
// compares what they print with what the README says.
func TestTheReadmeIsTrue(t *testing.T) {
	const path = "../../README.md"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sh := &shell{t: t, dir: t.TempDir()}
	var got strings.Builder
	inside := false
	for line := range strings.Lines(string(readme)) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console\n"
			got.WriteString(line)
		case !inside:
			got.WriteString(line)
		case isCommand:
			got.WriteString(line)
			got.WriteString(sh.run(strings.TrimSpace(command)))
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := volatile.ReplaceAllString(string(readme), "…")
	if d := cmp.Diff(want, volatile.ReplaceAllString(got.String(), "…")); d != "" {
		t.Errorf("go test ./cmd/fstore -run Readme -update writes it anew (-README +printed)\n%s", d)
	}
	if n := strings.Count(string(readme), "\n"); n > 100 {
		t.Errorf("the README has %d lines", n)
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
