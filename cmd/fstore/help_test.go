package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/internal/mlflow/mlflowtest"
	"github.com/spf13/cobra"
)

// commands calls f with every command of fstore that does something itself, by its path.
func commands(f func(path string, cmd *cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			if c.HasSubCommands() {
				walk(c)
			} else {
				f(strings.TrimPrefix(c.CommandPath(), "fstore "), c)
			}
		}
	}
	walk((&app{lookup: os.LookupEnv}).command())
}

// newRepo returns a shell in a new repo in which commands of fstore have run.
func newRepo(t *testing.T, commands ...string) *shell {
	t.Helper()
	sh := &shell{t: t, dir: t.TempDir()}
	sh.run("fstore init shop && cd shop")
	for _, c := range commands {
		sh.run("fstore " + c)
	}
	return sh
}

// Every example in the help of a command runs as it is written in a repo that init has just written.
func TestTheExamplesOfTheHelpRun(t *testing.T) {
	t.Setenv("MLFLOW_TRACKING_URI", mlflowtest.New(t, map[string]*mlflowtest.Model{"fraud": {Versions: map[string]map[string]string{"7": {}}}}).URL)
	made := newRepo(t, "apply --yes", "materialize --to 2025-12-01",
		"training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet",
		"training-set create churn_2024 --service churn --labels data/labels.parquet --out churn_2024.parquet --as-of 2025-01-01",
		"model pin fraud 2 --service churn", "model pin fraud 3 --service churn", "model alias fraud champion 3", "model alias fraud former 3")
	made.run("mkdir served") // of drift: a log without rows
	commands(func(path string, cmd *cobra.Command) {
		if cmd.Example == "" {
			t.Errorf("%s has no example", path)
		}
		sh := made
		switch path {
		case "init":
			sh = &shell{t: t, dir: t.TempDir()}
		case "materialize", "training-set create":
			sh = newRepo(t, "apply --yes")
			sh.run("mkdir .dvc") // for --dvc
		case "notify":
			sh, _ = newNotified(t)
			sh.run("fstore freshness >/dev/null || true") // what is not published fires
		}
		clock := ""
		if path == "doctor" || path == "freshness" || path == "monitor" {
			clock = "2025-12-01T00:30:00Z" // nothing is late then
		}
		t.Setenv("CLOCK", clock)
		for line := range strings.SplitSeq(strings.ReplaceAll(cmd.Example, "\\\n      ", ""), "\n") {
			command, _, _ := strings.Cut(strings.TrimSpace(line), "     ") // what it does stands behind it
			if path == "serve" || path == "skew" || strings.HasPrefix(path, "outcomes") || strings.Contains(command, "--watch") || strings.Contains(command, "--every") || strings.Contains(command, "--grpc") || strings.Contains(command, "--from-feast") || command == "fstore apply" {
				continue // they wait for a signal, for a server, for a log, for Feast, or for an answer: serve.txtar, skew.txtar, outcomes.txtar, mlflow.txtar, python/tests/feast, apply.txtar
			}
			sh.run(command)
		}
	})
}

// json returns what a command prints with --output json, compacted to a line for each document.
func (s *shell) json(command string) []byte {
	cmd := exec.Command("fstore", append(strings.Fields(command), "--output", "json")...)
	cmd.Dir = s.dir
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	var lines bytes.Buffer
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			s.t.Fatalf("%s: %v", command, err)
		}
		if err := json.Compact(&lines, raw); err != nil {
			s.t.Fatal(err)
		}
		lines.WriteByte('\n')
	}
	return lines.Bytes()
}
