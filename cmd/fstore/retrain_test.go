package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stand is a command that notes what it was called with. DRIFT and GATE are the exit statuses of fstore drift and gate.py.
const stand = `#!/bin/sh
echo "NAME $*" >>"$RUNNER_TEMP/called"
case "$1" in model) echo '{"training_set": "returns_1"}' ;; */train.py) printf 'a line of MLflow\n7\n' ;; esac
case "$1" in drift) exit "${DRIFT:-0}" ;; */gate.py) exit "${GATE:-0}" ;; esac
`

// The workflow that retrains runs the commands of the loop in their order, after drift only, and a gate that refuses ends it.
func TestTheRetrainWorkflow(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip(err)
	}
	alert := []string{"fstore model show", "fstore drift --reference returns_1 --current store"}
	trained := append(slices.Clone(alert), "python ../window.py returns_", "dvc repro", "dvc push",
		"git add params.yaml dvc.lock sets", "git -c user.name=retrain",
		"git push --quiet https://x-access-token:secret@github.com/shop/features HEAD:refs/tags/returns_",
		"python ../train.py returns_", "python ../gate.py 7 --training-set returns_")
	moved := append(slices.Clone(trained), "fstore materialize", "fstore verify --model returns@7", "fstore model sync returns", "fstore training-set verify returns_")
	for _, c := range []struct {
		name        string
		drift, gate int
		failed      string
		want        []string
	}{
		{"no_drift", 0, 0, "", alert},
		{"drift", 4, 0, "", moved},
		{"refused", 4, 4, "Gate", trained},
		{"the_store_is_away", 6, 0, "Has it drifted?", alert},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t)
			j.skip = "Install what training needs, and fetch the data"
			for _, name := range []string{"fstore", "python", "dvc", "git"} {
				if err := os.WriteFile(filepath.Join(j.temp, name), []byte(strings.ReplaceAll(stand, "NAME", name)), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			j.path = j.temp + string(os.PathListSeparator) + j.path
			j.context["github.token"] = "secret"
			j.env = append(j.env, fmt.Sprint("DRIFT=", c.drift), fmt.Sprint("GATE=", c.gate))
			j.workflow("loop.yml")
			if j.failed != c.failed {
				t.Errorf("step %q failed, not %q\n%s", j.failed, c.failed, &j.log)
			}
			got := strings.Split(strings.TrimSpace(j.read("called")), "\n")
			parsed(t, j.env, got)
			for i := range got {
				if i < len(c.want) && strings.HasPrefix(got[i], c.want[i]) {
					got[i] = c.want[i]
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("commands (-want +got)\n%s", d)
			}
		})
	}
}

// parsed runs the calls of fstore among commands in a repo that has nothing: each may fail, but not because of how it is called.
func parsed(t *testing.T, env, commands []string) {
	t.Helper()
	dir := t.TempDir()
	settings := []byte("project: shop\nregistry: sqlite://registry.db\nonline: redis://127.0.0.1:1/0\n")
	if err := os.WriteFile(filepath.Join(dir, "fstore.yaml"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		args, ok := strings.CutPrefix(command, "fstore ")
		if !ok {
			continue
		}
		cmd := exec.Command("fstore", strings.Fields(args)...)
		cmd.Dir, cmd.Env = dir, append(slices.Clone(env), "PATH="+os.Getenv("PATH"), "MLFLOW_TRACKING_URI=http://127.0.0.1:1")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if cmd.ProcessState.ExitCode() == statusUsage {
			t.Errorf("%s: usage error\n%s", command, out)
		}
	}
}
