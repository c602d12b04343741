package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheAction runs action.yml on a repo in which a view has changed since it was applied.
func TestTheAction(t *testing.T) {
	t.Parallel()
	sample := newRepo(t, "apply --yes", "materialize --to 2025-12-01")
	sample.run("sed -i.old 's/ttl: 180d/ttl: 90d/' customer.yaml && rm *.old")
	for name, test := range map[string]func(*testing.T, *job){
		"CommentsThePlanOnce":              commentsThePlanOnce,
		"SaysWhatBreaks":                   saysWhatBreaks,
		"MarksMistakes":                    marksMistakes,
		"PassesWithoutPermissionToComment": passesWithoutPermissionToComment,
		"RunsNoTextOfThePullRequest":       runsNoTextOfThePullRequest,
		"FailsWithoutSettings":             failsWithoutSettings,
		"InstallsTheVersionThatIsAskedFor": installsTheVersion,
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			if err := os.CopyFS(filepath.Join(j.workspace, "features"), os.DirFS(sample.dir)); err != nil {
				t.Fatal(err)
			}
			test(t, j)
		})
	}
}

func (j *job) mustSucceed() {
	j.t.Helper()
	if j.failed != "" {
		j.t.Fatalf("step %s failed:\n%s", j.failed, &j.log)
	}
}

func (j *job) logged(texts ...string) {
	j.t.Helper()
	for _, text := range texts {
		if !strings.Contains(j.log.String(), text) {
			j.t.Errorf("the log lacks %q:\n%s", text, &j.log)
		}
	}
}

func (c *comments) expect(t *testing.T, n int, at int, texts ...string) {
	t.Helper()
	if len(c.wrong) > 0 || len(c.bodies) != n {
		t.Fatalf("there are %d comments, expected %d; wrong requests: %q", len(c.bodies), n, c.wrong)
	}
	for _, text := range texts {
		if !strings.Contains(c.bodies[at].Body, text) {
			t.Errorf("the comment lacks %q:\n%s", text, c.bodies[at].Body)
		}
	}
}

const shopMarker = "<!-- fstore-plan:shop -->\n"

func installsTheVersion(t *testing.T, j *job) {
	j.offerWheel("1.2.3")
	j.action(map[string]string{"version": "1.2.3", "commands": ""})
	j.mustSucceed()
	if want := j.file("fstore/bin") + string(os.PathListSeparator); !strings.HasPrefix(j.path, want) {
		t.Errorf("PATH is %s", j.path)
	}
	j.action(map[string]string{"version": "$(touch here)", "commands": ""})
	if _, err := os.Stat(filepath.Join(j.workspace, "here")); j.failed == "" || err == nil {
		t.Errorf("a version was taken as it is:\n%s", &j.log)
	}
	j.logged("::error title=fstore::version must be a version")
}

func commentsThePlanOnce(t *testing.T, j *job) {
	// Only the comment of this token counts: somebody else can write the marker, too.
	c := j.pullRequest(comment{1, false, shopMarker + "not from here"}, comment{2, true, "another workflow"}, comment{3, true, "<!-- fstore-plan:shop_eu -->\nanother project"})
	run := map[string]string{"version": "none", "repo": "features"}
	j.action(run)
	j.mustSucceed()
	c.expect(t, 4, 3, shopMarker, "2 to change", "feature view `customer_large_orders`", "@1 → @2", "```mermaid\n")
	if got := j.context["steps.plan.outputs.changes"]; got != "true" {
		t.Errorf("changes is %q", got)
	}
	if summary := j.read("summary"); summary != c.bodies[3].Body {
		t.Errorf("the summary has another plan:\n%s", summary)
	}
	j.shell("cd features && fstore apply --yes")
	j.action(run)
	j.mustSucceed()
	c.expect(t, 4, 3, shopMarker, "no changes")
	if got := j.context["steps.plan.outputs.changes"]; got != "false" {
		t.Errorf("changes is %q", got)
	}
}

func saysWhatBreaks(t *testing.T, j *job) {
	c := j.pullRequest()
	j.shell("cd features && sed -i.old 's/as: last_large_order/as: large/' services.yaml && rm *.old")
	j.action(map[string]string{"version": "none", "repo": "features"})
	j.mustSucceed()
	c.expect(t, 1, 0, "> **Breaking:** callers of", "`churn@1`", "output `last_large_order (float64)` is removed", "**yes**")
}

func marksMistakes(t *testing.T, j *job) {
	c := j.pullRequest(comment{1, true, shopMarker + "a plan of the commit before"})
	j.shell("git init -q . && cd features && sed -i.old 's/type: float64/type: flaot64/' customer.yaml && rm *.old")
	j.action(map[string]string{"version": "none", "repo": "features"})
	if j.failed != "Plan" {
		t.Errorf("the last step that failed is %q:\n%s", j.failed, &j.log)
	}
	j.logged("\n::error file=features/customer.yaml,line=", ",title=fstore::features/customer.yaml:", "flaot64")
	c.expect(t, 1, 0, shopMarker, "fstore has no plan of", "flaot64")
	if !strings.Contains(j.read("summary"), "flaot64") {
		t.Errorf("the summary lacks the mistake:\n%s", j.read("summary"))
	}
}

// What fails before the project has a name leaves no comment, but it fails.
func failsWithoutSettings(t *testing.T, j *job) {
	c := j.pullRequest()
	j.write("features/fstore.yaml", "project: shop\nonlin: x\n")
	j.action(map[string]string{"version": "none", "repo": "features"})
	if j.failed != "Plan" {
		t.Errorf("the last step that failed is %q:\n%s", j.failed, &j.log)
	}
	j.logged("\n::error file=features/fstore.yaml,line=2,col=1,title=fstore::", "onlin is not a setting")
	c.expect(t, 0, 0)
}

// A pull request from a fork has a token that only reads.
func passesWithoutPermissionToComment(t *testing.T, j *job) {
	c := j.pullRequest()
	c.denied = true
	j.action(map[string]string{"version": "none", "repo": "features"})
	j.mustSucceed()
	j.logged("::warning title=fstore::The plan is in the summary of the job only")
}

// Names and texts of a pull request are never commands, neither of the shell nor of the runner.
func runsNoTextOfThePullRequest(t *testing.T, j *job) {
	c := j.pullRequest()
	const hostile = "it's $(touch here); `touch here`"
	j.shell(`fstore init 'it'"'"'s $(touch here); ` + "`touch here`" + `'`)
	j.write(hostile+"/x.yaml", "kind: entity\nname: \"::add-mask::x\\n::error::x\\n##[error]x\"\n")
	j.action(map[string]string{"version": "none", "repo": hostile})
	if _, err := os.Stat(filepath.Join(j.workspace, "here")); err == nil {
		t.Error("a text of the pull request ran")
	}
	paused := ""
	for line := range strings.Lines(j.log.String()) {
		line = strings.TrimSpace(line)
		switch token, pauses := strings.CutPrefix(line, "::stop-commands::"); {
		case pauses:
			paused = "::" + token + "::"
		case line == paused:
			paused = ""
		case paused == "" && (strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::error file=") || strings.Contains(line, "##[") && !strings.HasPrefix(line, "::")):
			t.Errorf("the runner obeys %q", line)
		}
	}
	c.expect(t, 1, 0, shopMarker)
}

// Every workflow has the least permissions, a limit of time, actions pinned by their commit, and no expression in a script.
func TestWorkflowsAreHardened(t *testing.T) {
	pinned := regexp.MustCompile(`^(\./.*|[\w/-]+@[0-9a-f]{40}|fstore-dev/fstore@v[\d.]+)$`)
	for _, path := range append(pages(t, "../../examples/github/*.yml", "../../.github/workflows/*.yml"), "../../action.yml") {
		var w struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Uses    string
				Steps   []step
				Timeout int `yaml:"timeout-minutes"`
			}
			Runs struct{ Steps []step }
		}
		readYAML(t, path, &w)
		steps := w.Runs.Steps
		for name, job := range w.Jobs {
			if job.Timeout == 0 && job.Uses == "" {
				t.Errorf("%s: job %s has no timeout-minutes", path, name)
			}
			steps = append(steps, job.Steps...)
		}
		if w.Jobs != nil && w.Permissions["contents"] != "read" {
			t.Errorf("%s: permissions are %v", path, w.Permissions)
		}
		for _, s := range steps {
			if strings.Contains(s.Run, "${{") && path != "../../.github/workflows/ci.yml" { // make ${{ matrix.target }}, which is a list there
				t.Errorf("%s: step %q has an expression in its script: give it a variable", path, s.Name)
			}
			if s.Uses != "" && !pinned.MatchString(s.Uses) {
				t.Errorf("%s uses %s: pin its commit", path, s.Uses)
			}
		}
	}
}

// trainer writes the metrics of a model.
const trainer = `import sys; open(sys.argv[sys.argv.index("--out") + 1], "w").write('METRICS')`

// deploy runs the deploy gate for a version of a model.
func (j *job) deploy(version, metrics string) {
	j.t.Helper()
	j.write("requirements.txt", "")
	j.write("train.py", "")
	j.write("evaluate.py", strings.Replace(trainer, "METRICS", metrics, 1))
	j.context["inputs.version"] = version
	j.failed = ""
	j.workflow("deploy.yml")
}

func TestTheDeployGate(t *testing.T) {
	t.Parallel()
	j := newJob(t)
	j.shell("fstore init feature_repo && cd feature_repo && fstore apply --yes")
	models := func() string {
		return (&shell{t: t, dir: filepath.Join(j.workspace, "feature_repo")}).run("fstore model list")
	}
	j.deploy("1", `{"accuracy": 0.90, "champion": null}`)
	j.mustSucceed()
	first := models()
	if !strings.Contains(first, "champion") {
		t.Fatalf("no version is the champion:\n%s", first)
	}
	j.skip = "Install what training needs" // is there now
	j.deploy("2", `{"accuracy": 0.80, "champion": 0.90}`)
	if j.failed != "Gate" || models() != first {
		t.Errorf("step %q failed, and the models are\n%s%s", j.failed, models(), &j.log)
	}
	j.logged("::error title=deploy gate::")
	for metrics, holds := range map[string]bool{
		`{"accuracy": 0.896, "champion": 0.90}`:  true, // within the tolerance
		`{"accuracy": 0.894, "champion": 0.90}`:  false,
		`{"accuracy": "0.99", "champion": null}`: false,
		`{"accuracy": NaN, "champion": null}`:    false,
		`{"accuracy": null, "champion": null}`:   false,
		`{"accuracy": 0.99, "champion": "0.9"}`:  false,
		`{}`:                                     false,
		`"accuracy"`:                             false,
		``:                                       false,
	} {
		j.write("metrics.json", metrics)
		j.failed = ""
		j.workflow("deploy.yml", "Gate")
		if passed := j.failed == ""; passed != holds {
			t.Errorf("%s passes the gate: %v\n%s", metrics, passed, &j.log)
		}
	}
}

// The example of an apply registers what was merged, and materializes it.
func TestTheApplyWorkflow(t *testing.T) {
	t.Parallel()
	j := newJob(t)
	j.shell("fstore init feature_repo")
	j.context["github.event.head_commit.message"] = "-- it's $(touch here)\n\nmore"
	j.workflow("apply.yml")
	j.mustSucceed()
	if log := (&shell{t: t, dir: filepath.Join(j.workspace, "feature_repo")}).run("fstore list commits"); !strings.Contains(log, "-- it's $(touch here)") {
		t.Errorf("the commit has another message:\n%s", log)
	}
}
