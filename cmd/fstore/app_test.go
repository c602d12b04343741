package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/project"
)

// newApp returns an app in a repo whose fstore.yaml has a text.
func newApp(t *testing.T, yaml string, env map[string]string) *app {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, project.SettingsFile), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	a := &app{stdout: &bytes.Buffer{}, lookup: os.LookupEnv, environ: os.Environ, now: time.Now}
	a.stderr = newScreen(&bytes.Buffer{}, a.mask)
	a.command()
	a.repo = dir
	return a
}

// settings returns those that a command has.
func (a *app) settings(t *testing.T) (*project.Settings, error) {
	p, err := project.Open(t.Context(), a.repo, a.options())
	if err != nil {
		return nil, err
	}
	return p.Settings, p.Close()
}

func TestFlagsStandOverFileAndEnvironment(t *testing.T) {
	a := newApp(t, "project: file\noffline: {threads: 2}\n", map[string]string{"FSTORE_PROJECT": "environment"})
	dir := a.repo
	root := a.command()
	root.SetArgs([]string{"version", "--project", "flag", "--repo", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	if s, err := a.settings(t); err != nil || s.Project != "flag" || s.Threads != 2 {
		t.Errorf("got %+v, %v", s, err)
	}
	root = a.command()
	root.SetArgs([]string{"version", "--project", "Flag", "--repo", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	a.repo = dir
	_, err := a.settings(t)
	if message, _ := fstore.Explain(err); message != `--project: "Flag" is not a name` || status(err) != statusUsage {
		t.Errorf("got %v, exit status %d", err, status(err))
	}
}

func TestWrongSettingsAreWrongDefinitions(t *testing.T) {
	if _, err := newApp(t, "onlin: x\n", nil).settings(t); status(err) != statusDefinition {
		t.Errorf("exit status %d of %v", status(err), err)
	}
}

func TestPasswordsAreNeverLogged(t *testing.T) {
	a := newApp(t, "project: shop\nonline: redis://:s3cret@127.0.0.1:1/0\n", nil)
	if _, err := a.settings(t); err != nil {
		t.Fatal(err)
	}
	a.logger().Error("cannot connect", "url", "redis://:s3cret@127.0.0.1:1/0")
	if out := a.stderr.(*screen).to.(*bytes.Buffer).String(); strings.Contains(out, "s3cret") || !strings.Contains(out, "***") {
		t.Errorf("logged %s", out)
	}
}

// No answer is no, and the next line begins on its own.
func TestTheQuestionOfApply(t *testing.T) {
	for answer, want := range map[string]bool{"yes\n": true, "yes": true, "no\n": false, "y\n": false, "\n": false, "": false} {
		var stderr bytes.Buffer
		a := &app{stdin: strings.NewReader(answer), stderr: &stderr}
		if got := a.confirm(t.Context()); got != want {
			t.Errorf("%q is taken for %v", answer, got)
		}
		// a terminal shows the answer, its end of line included
		if shown := strings.HasSuffix(answer, "\n"); shown == strings.HasSuffix(stderr.String(), "\n") {
			t.Errorf("%q leaves the line open, or ends it twice: %q", answer, stderr.String())
		}
	}
}

// Progress is a line that is written over: of a share without amounts, of amounts with a share where the whole is known.
func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	var out bytes.Buffer
	p := &progress{out: newScreen(&out, nil), now: func() time.Time { now = now.Add(time.Second); return now }}
	p.percent("join", 0.256)
	p.show("customer_orders@1 compute", 1200, 0)
	p.show("write", 1, 4)
	p.clear()
	const start = "\r\x1b[K"
	if want := start + "join   26%" + start + "customer_orders@1 compute  1,200" + start + "write   25%  1 of 4" + start; out.String() != want {
		t.Errorf("%q", out.String())
	}
	(&progress{now: p.now}).percent("nowhere", 1) // no terminal: no line
}
