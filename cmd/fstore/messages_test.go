package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/internal/schematest"
)

// messages runs a command with --progress json and returns the lines of its stderr, and its exit status.
func (s *shell) messages(args ...string) (lines []map[string]any, status int) {
	s.t.Helper()
	cmd := exec.Command("fstore", append([]string{"--progress", "json"}, args...)...)
	cmd.Dir = s.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run()
	for line := range bytes.Lines(stderr.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil || len(m) != 1 {
			s.t.Errorf("%q: %v: %s", args, err, line)
		}
		lines = append(lines, m)
	}
	return lines, cmd.ProcessState.ExitCode()
}

// With --progress json every line of stderr is a message that its schema allows, and every member of the schema occurs.
func TestMessagesAreAsTheirSchemaSays(t *testing.T) {
	sh := newRepo(t)
	schemas := schematest.New()
	check := func(kind string, status int, args ...string) map[string]any {
		t.Helper()
		lines, got := sh.messages(args...)
		for _, m := range lines {
			if wrong := schemas.Violations(schemasOfOutput+"messages.json", m); len(wrong) > 0 {
				t.Errorf("%q: %v\n%s", args, m, strings.Join(wrong, "\n"))
			}
		}
		var failure map[string]any
		if len(lines) > 0 {
			failure, _ = lines[len(lines)-1]["error"].(map[string]any)
		}
		if got != status || kind != "" && failure["kind"] != kind || kind == "" && failure != nil {
			t.Errorf("%q ended with status %d and %v, want %d and an error of kind %q", args, got, failure, status, kind)
		}
		return failure
	}
	check("not_ready", 1, "query", "lines")
	check("", 0, "apply", "--yes")
	check("usage", 2, "apply", "--yes", "--nope")
	check("", 0, "training-set", "list") // a note: there are none
	check("", 0, "materialize", "--to", "2025-12-01")
	create := []string{"training-set", "create", "one", "--labels", "data/labels.parquet", "--out", "one.parquet", "--service"}
	check("", 0, append(create, "churn")...)
	differs := check("conflict", 5, append(create, "recommend")...)
	if text, _ := differs["message"].(string); !strings.Contains(text, "service: churn@1 → recommend@1") {
		t.Errorf("the conflict does not say what differs: %s", text)
	}
	check("not_found", 1, "training-set", "show", "two")
	sh.run("printf 'select a, sum(b' > shop.sql")
	wrong := check("definition", 3, "plan")
	if problems, _ := wrong["problems"].([]any); len(problems) == 0 {
		t.Errorf("there are no problems in %v", wrong)
	}
	for _, member := range schemas.Unmet(schemasOfOutput + "messages.json") {
		if !slices.Contains([]string{"messages.warning", "messages.warning.message", "messages.warning.hints", "messages.warning.position", "messages.note.hints", "messages.note.position"}, member) {
			t.Errorf("no command wrote %s", member)
		}
	}
}

// With --progress none, or if stderr is not a terminal, no progress is shown.
func TestProgressIsForTerminalsAndPrograms(t *testing.T) {
	sh := newRepo(t, "apply --yes")
	for _, mode := range []string{"none", "auto"} {
		cmd := exec.Command("fstore", "materialize", "--progress", mode, "--to", "2025-12-01")
		cmd.Dir = sh.dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil || strings.Contains(stderr.String(), "compute") {
			t.Errorf("--progress %s: %v, %s", mode, err, &stderr)
		}
	}
}
