package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
)

// A job runs the steps of action.yml, and of the workflows in examples/github, as a runner of GitHub Actions does: each
// script by bash, with the variables and files that the runner gives it. Steps that use other actions are skipped.
type job struct {
	t         *testing.T
	workspace string            // what is checked out
	temp      string            // RUNNER_TEMP
	context   map[string]string // the values of expressions, such as inputs.repo
	env       []string
	path      string
	log       strings.Builder
	failed    string // the step that failed
	skip      string // a step that does not run
}

// newJob returns a job with an empty work tree.
func newJob(t *testing.T) *job {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	j := &job{t: t, workspace: t.TempDir(), temp: t.TempDir(), path: os.Getenv("PATH"), context: map[string]string{}}
	j.context["runner.temp"] = j.temp
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "PATH" && !strings.HasPrefix(name, "FSTORE_") && !strings.HasPrefix(name, "SHOP_") && !strings.HasPrefix(name, "GITHUB_") {
			j.env = append(j.env, v)
		}
	}
	j.env = append(j.env, "RUNNER_TEMP="+j.temp, "GITHUB_WORKSPACE="+j.workspace, "GITHUB_REPOSITORY=shop/features",
		"GITHUB_STEP_SUMMARY="+j.file("summary"))
	return j
}

func (j *job) file(name string) string { return filepath.Join(j.temp, name) }

// read returns the text of a file of the runner; "" if no step has written it.
func (j *job) read(name string) string {
	text, err := os.ReadFile(j.file(name))
	if err != nil && !os.IsNotExist(err) {
		j.t.Fatal(err)
	}
	return string(text)
}

// write writes a file of the work tree.
func (j *job) write(name, text string) {
	j.t.Helper()
	path := filepath.Join(j.workspace, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		j.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		j.t.Fatal(err)
	}
}

// shell runs a command in the work tree, before the job.
func (j *job) shell(command string) {
	j.t.Helper()
	(&shell{t: j.t, dir: j.workspace}).run(command)
}

type step struct {
	ID, Name, If, Uses, Run string
	Env                     map[string]string
}

// action runs action.yml with inputs.
func (j *job) action(inputs map[string]string) {
	j.t.Helper()
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct{ Steps []step }
	}
	readYAML(j.t, "../../action.yml", &action)
	for name, input := range action.Inputs {
		j.context["inputs."+name] = j.expand(input.Default)
	}
	for name, value := range inputs {
		j.context["inputs."+name] = value
	}
	j.run(action.Runs.Steps)
}

// workflow runs the steps of the only job of an example, or those that are named.
func (j *job) workflow(name string, only ...string) {
	j.t.Helper()
	var workflow struct {
		Jobs map[string]struct {
			Env   map[string]string
			Steps []step
		}
	}
	readYAML(j.t, "../../examples/github/"+name, &workflow)
	for _, job := range workflow.Jobs {
		for name, value := range job.Env {
			if value = j.expand(value); !strings.HasPrefix(name, "FSTORE_") || value != "" {
				j.env = append(j.env, name+"="+value)
			}
		}
		j.run(slices.DeleteFunc(job.Steps, func(s step) bool { return only != nil && !slices.Contains(only, s.Name) }))
	}
}

func readYAML(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (j *job) run(steps []step) {
	j.t.Helper()
	for _, s := range steps {
		if s.Uses != "" || s.Name == j.skip && j.skip != "" {
			continue
		}
		if s.If == "" && j.failed != "" || s.If != "" && !j.holds(s.If) {
			j.context["steps."+s.ID+".outcome"] = "skipped"
			continue
		}
		outcome := "success"
		if err := j.runStep(s); err != nil {
			j.failed, outcome = s.Name, "failure"
		}
		j.context["steps."+s.ID+".outcome"] = outcome
	}
}

// runStep runs a script as the runner does with shell: bash.
func (j *job) runStep(s step) error {
	script, output, variables, path := j.file("script"), j.file("output"), j.file("env"), j.file("path")
	for _, name := range []string{output, variables, path} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			j.t.Fatal(err)
		}
	}
	if err := os.WriteFile(script, []byte(s.Run), 0o644); err != nil {
		j.t.Fatal(err)
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir = j.workspace
	cmd.Env = append(slices.Clone(j.env), "PATH="+j.path, "GITHUB_OUTPUT="+output, "GITHUB_ENV="+variables, "GITHUB_PATH="+path)
	for name, value := range s.Env {
		cmd.Env = append(cmd.Env, name+"="+j.expand(value))
	}
	out, err := cmd.CombinedOutput()
	fmt.Fprintf(&j.log, "## %s\n%s", s.Name, out)
	for line := range strings.Lines(j.read("output")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		j.context["steps."+s.ID+".outputs."+name] = value
	}
	for line := range strings.Lines(j.read("env")) {
		j.env = append(j.env, strings.TrimSpace(line))
	}
	for line := range strings.Lines(j.read("path")) {
		j.path = strings.TrimSpace(line) + string(os.PathListSeparator) + j.path
	}
	return err
}

var expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

// expand replaces expressions: a name, or a || 'b'.
func (j *job) expand(text string) string {
	return expression.ReplaceAllStringFunc(text, func(whole string) string {
		first, other, _ := strings.Cut(expression.FindStringSubmatch(whole)[1], " || ")
		if value := j.context[first]; value != "" {
			return value
		}
		return strings.Trim(other, "'")
	})
}

var (
	contains = regexp.MustCompile(`^contains\(([a-z._]+), '([^']*)'\)$`)
	compared = regexp.MustCompile(`^([a-z._]+) (==|!=) '([^']*)'$`)
)

// holds evaluates a condition: terms joined by &&. A condition that does not ask whether the job was cancelled is false
// after a step has failed.
func (j *job) holds(condition string) bool {
	condition = expression.ReplaceAllString(condition, "$1")
	if !strings.Contains(condition, "cancelled()") && j.failed != "" {
		return false
	}
	for term := range strings.SplitSeq(condition, " && ") {
		holds := j.context[term] != ""
		if m := contains.FindStringSubmatch(term); m != nil {
			holds = strings.Contains(j.context[m[1]], m[2])
		} else if m := compared.FindStringSubmatch(term); m != nil {
			holds = (j.context[m[1]] == m[3]) == (m[2] == "==")
		} else if term == "!cancelled()" {
			holds = true
		}
		if !holds {
			return false
		}
	}
	return true
}

// comments are the comments of a pull request, behind a server that answers as GitHub's API does.
type comments struct {
	mu     sync.Mutex
	bodies []comment
	denied bool // the token may not write
	wrong  []string
}

type comment struct {
	ID   int    `json:"databaseId"`
	Own  bool   `json:"viewerDidAuthor"`
	Body string `json:"body"`
}

// pullRequest makes a job run for pull request 7, which has some comments. A page of comments has two.
func (j *job) pullRequest(has ...comment) *comments {
	c := &comments{bodies: has}
	server := httptest.NewServer(c)
	j.t.Cleanup(server.Close)
	j.env = append(j.env, "GITHUB_API_URL="+server.URL, "GITHUB_GRAPHQL_URL="+server.URL+"/graphql")
	j.context["github.token"], j.context["github.event.pull_request.number"] = "secret", "7"
	return c
}

func (c *comments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sent struct {
		Body      string
		Variables struct {
			Owner, Name string
			Number      int
			After       *string
		}
	}
	err := json.NewDecoder(r.Body).Decode(&sent)
	if err != nil || r.Header.Get("Authorization") != "Bearer secret" {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: %v, %q", r.URL, err, r.Header.Get("Authorization")))
	}
	var id int
	updates := func() bool {
		n, _ := fmt.Sscanf(r.URL.Path, "/repos/shop/features/issues/comments/%d", &id)
		return n == 1
	}
	switch {
	case r.Method == "POST" && r.URL.Path == "/graphql" && sent.Variables.Owner == "shop" && sent.Variables.Name == "features" && sent.Variables.Number == 7:
		c.list(w, sent.Variables.After)
	case c.denied:
		http.Error(w, `{"message": "Resource not accessible by integration"}`, http.StatusForbidden)
	case r.Method == "POST" && r.URL.Path == "/repos/shop/features/issues/7/comments":
		c.bodies = append(c.bodies, comment{len(c.bodies) + 1, true, sent.Body})
		w.WriteHeader(http.StatusCreated)
	case r.Method == "PATCH" && updates():
		i := slices.IndexFunc(c.bodies, func(b comment) bool { return b.ID == id })
		c.bodies[i].Body = sent.Body
	default:
		c.wrong = append(c.wrong, r.Method+" "+r.URL.Path)
		http.NotFound(w, r)
	}
}

// list answers a query for the comments after a cursor, which is the number of comments before it.
func (c *comments) list(w http.ResponseWriter, after *string) {
	from := 0
	if after != nil {
		_, _ = fmt.Sscan(*after, &from)
	}
	to := min(from+2, len(c.bodies))
	type object = map[string]any
	_ = json.NewEncoder(w).Encode(object{"data": object{"repository": object{"pullRequest": object{"comments": object{
		"nodes":    append([]comment{}, c.bodies[from:to]...),
		"pageInfo": object{"hasNextPage": to < len(c.bodies), "endCursor": fmt.Sprint(to)},
	}}}}})
}

// offerWheel lets pip find a wheel fstore-bin of a version, whose command is the one under test.
func (j *job) offerWheel(version string) {
	j.t.Helper()
	dir := j.t.TempDir()
	command, err := exec.LookPath("fstore")
	if err != nil {
		j.t.Fatal(err)
	}
	info := "fstore_bin-" + version + ".dist-info/"
	file, err := os.Create(filepath.Join(dir, "fstore_bin-"+version+"-py3-none-any.whl"))
	if err != nil {
		j.t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	for name, text := range map[string]string{
		info + "METADATA": "Metadata-Version: 2.1\nName: fstore-bin\nVersion: " + version + "\n",
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
		info + "RECORD":   "",
		"fstore_bin-" + version + ".data/scripts/fstore": "#!/bin/sh\nexec '" + command + "' \"$@\"\n",
	} {
		w, err := archive.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			j.t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		j.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		j.t.Fatal(err)
	}
	j.env = append(j.env, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+dir)
}
