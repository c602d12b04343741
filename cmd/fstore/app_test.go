package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/terminal"
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
	messages := &bytes.Buffer{}
	a.stderr = testScreen{terminal.NewScreen(messages, a.mask), messages}
	a.command()
	a.repo = dir
	return a
}

// testScreen remembers what was printed.
type testScreen struct {
	*terminal.Screen
	messages *bytes.Buffer
}

// printed returns what a printed to stderr.
func printed(a *app) string { return a.stderr.(testScreen).messages.String() }

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
	if out := printed(a); strings.Contains(out, "s3cret") || !strings.Contains(out, "***") {
		t.Errorf("logged %s", out)
	}
}

// A format escapes some characters of a password. It is masked before.
func TestPasswordsAreMaskedInEveryFormatOfLogs(t *testing.T) {
	const secret = `s3c"r\et`
	for _, format := range []project.LogFormat{project.LogText, project.LogJSON} {
		a := newApp(t, "project: shop\n", nil)
		a.addSecret(secret)
		a.setLog(project.LogSettings{Format: format})
		a.logger().Error("cannot use "+secret, "url", "redis://:"+secret+"@h", "error", errors.New("refused "+secret))
		a.warn("the password is " + secret)
		a.fail(fstore.Errorf(fstore.ErrInvalid, "no %s", secret).WithHint("not %s", secret))
		if out := printed(a); strings.Contains(out, "s3c") || strings.Count(out, "***") != 6 {
			t.Errorf("%s: logged %s", format, out)
		}
	}
}

// The last line of a stopped command has the form of the others.
func TestTheLastLineOfAStoppedCommand(t *testing.T) {
	a := newApp(t, "project: shop\n", nil)
	if got := a.stopped(); got != "fstore: stopped" {
		t.Errorf("as text: %s", got)
	}
	a.setLog(project.LogSettings{Format: project.LogJSON, Level: slog.LevelError})
	if got := a.stopped(); !strings.HasPrefix(got, `{"time":"`) || !strings.HasSuffix(got, `"level":"ERROR","msg":"stopped","kind":"stopped"}`) {
		t.Errorf("as a log: %s", got)
	}
	a.progressMode = progressJSON
	if got := a.stopped(); got != `{"error":{"kind":"stopped","message":"stopped"}}` {
		t.Errorf("as a message: %s", got)
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

// A store's URL may be mistyped. What could be a password is not printed, wherever it stands.
func TestMistypedURLsPrintNoPassword(t *testing.T) {
	for _, url := range []string{
		"redis:s3cr3t@host:6379/0", "redis:/:s3cr3t@host", "redis//:s3cr3t@host", "://:s3cr3t@host", "s3cr3t@host:6379",
		"redis://:s3cr3t", "redis://user:s3cr3t", "redis://user:s3cr3t/0", "redis:user:s3cr3t", "redis=//u:s3cr3t@h",
		"redis://host:6379?password=s3cr3t", "redis:host;password=s3cr3t", "redis://host/0&token=s3cr3t", "redis://s3cr3t@",
		"redis://user:p@s3cr3t@host", "redis://user:s3cr3t#x@host", "rediss:\\\\u:s3cr3t@h", "sqlite:x.db?key=s3cr3t", "redis ://u:s3cr3t@h",
	} {
		a := newApp(t, "project: shop\n", map[string]string{"FSTORE_ONLINE": url})
		s, err := a.settings(t)
		if err == nil {
			if shown := s.Online.String(); strings.Contains(shown, "s3cr3t") {
				t.Errorf("%s prints as %s", url, shown)
			}
			continue
		}
		a.fail(err)
		if out := printed(a); strings.Contains(out, "s3cr3t") {
			t.Errorf("%s: printed %s", url, out)
		}
	}
}

// Text from outside may have several lines. None of them begins as a message of fstore does.
func TestNoLineOfAMessageIsForged(t *testing.T) {
	a := newApp(t, "project: shop\n", nil)
	forged := fstore.Errorf(fstore.ErrInvalid, "no file x\nfstore: all is well").WithHint("try y\nhint: run it")
	a.fail(errors.Join(fmt.Errorf("read: %w", forged), errors.New("another")))
	got := printed(a)
	const want = "fstore: read: no file x\n        fstore: all is well\nhint: try y\n        hint: run it\nanother\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
