package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

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
	made := newRepo(t, "apply --yes", "materialize --to 2025-12-01",
		"training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet",
		"training-set create churn_2024 --service churn --labels data/labels.parquet --out churn_2024.parquet --as-of 2025-01-01",
		"model pin fraud 2 --service churn", "model pin fraud 3 --service churn", "model alias fraud champion 3", "model alias fraud former 3")
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
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(cmd.Example, "\\\n      ", ""), "\n") {
			command, _, _ := strings.Cut(strings.TrimSpace(line), "     ") // what it does stands behind it
			if path == "serve" || strings.Contains(command, "--grpc") || command == "fstore apply" {
				continue // they wait for a signal, for a server, or for an answer: serve.txtar, apply.txtar
			}
			sh.run(command)
		}
	})
}

// docs/cli.md names every member of the JSON that commands print, and prints none that is not there.
func TestTheJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	sh := newRepo(t, "apply --yes", "materialize --to 2025-12-01",
		"training-set create quick --features 'customer_orders.*' --labels data/labels.parquet --out quick.parquet")
	sh.run("fstore model pin fraud 1 --service churn && fstore model alias fraud champion 1")
	sh.run("sed -i.old 's/ttl: 30d/ttl: 60d/' customer.yaml; rm customer.yaml.old")
	for _, command := range []string{
		"init other", "validate", "plan", "list", "list entities", "list sources", "list views", "list services", "list commits",
		"show shop", "show churn", "show customer", "show lines", "training-set list", "training-set show quick",
		"training-set create again --service churn --labels data/labels.parquet --out again.parquet",
		"training-set verify quick", "training-set rebuild quick --out quick_again.parquet", "training-set diff quick again",
		"apply --yes", "materialize --to 2025-12-01", "get --service churn --entity customer_id=12003 --event-timestamps",
		"get --model fraud@champion --entity customer_id=12003",
		"model pin fraud 2 --training-set again", "model list", "model show fraud@1", "model show fraud", "model alias fraud champion 2", "list models",
		"model unpin fraud 1", "verify", "verify --model fraud@champion --sample 5", "gc --dry-run --grace 0s", "gc --grace 0s", "doctor", "version",
	} {
		names := map[string]bool{}
		for line := range bytes.Lines(sh.json(command)) {
			var v any
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatalf("%s: %v in %s", command, err, line)
			}
			members(v, 0, names)
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !bytes.Contains(page, []byte(`"`+name+`"`)) {
				t.Errorf("%s prints %q, of which docs/cli.md does not tell", command, name)
			}
		}
	}
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

// members collects the names of members, but not within what has its form elsewhere: definitions, as YAML has
// them, the lock, the key columns of get, and the stages of a run.
func members(v any, depth int, into map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			members(e, depth, into)
		}
	case map[string]any:
		for name, inner := range v {
			into[name] = true
			opaque := slices.Contains([]string{"lock", "entities", "seconds", "tags", "service", "entity", "source", "publish", "available"}, name) ||
				name == "view" && depth == 0
			if !opaque {
				members(inner, depth+1, into)
			}
		}
	}
}
