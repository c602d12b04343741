package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// newApp returns an app in a repo whose fstore.yaml has a text.
func newApp(t *testing.T, yaml string, env map[string]string) (a *app, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, settingsFile), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		t.Setenv(name, value) // viper looks there itself
	}
	a = &app{stdout: &bytes.Buffer{}, lookup: os.LookupEnv, environ: os.Environ}
	a.stderr = newScreen(&bytes.Buffer{}, a.mask)
	a.command()
	a.repo = dir
	return a, dir
}

func TestSettingsOfAnEmptyRepoAreTheDefaults(t *testing.T) {
	a, dir := newApp(t, "project: shop\n", nil)
	got, err := a.settings()
	if err != nil {
		t.Fatal(err)
	}
	want := &Settings{
		Dir: dir, Project: "shop", Registry: URL{"sqlite://" + dir + "/.fstore/registry.db"}, Online: URL{"sqlite://" + dir + "/.fstore/online.db"},
		State: dir + "/.fstore/state", Snapshots: dir + "/.fstore/snapshots", MemoryLimit: "4GB", TempDir: dir + "/.fstore/tmp", GRPC: "127.0.0.1:6566", HTTP: "127.0.0.1:6567", MaxInFlight: 192e6, Grace: 24 * time.Hour,
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(URL{}), cmpopts.IgnoreUnexported(Settings{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestEnvironmentStandsOverTheFileAndFlagsOverBoth(t *testing.T) {
	a, _ := newApp(t, "project: file\nstate: ${STATE:-/a}\noffline: {threads: 2}\n",
		map[string]string{"FSTORE_PROJECT": "environment", "FSTORE_OFFLINE_THREADS": "3", "STATE": "/b"})
	s, err := a.settings()
	if err != nil {
		t.Fatal(err)
	}
	if s.Project != "environment" || s.Threads != 3 || s.State != "/b" {
		t.Errorf("got %+v", s)
	}
	root := a.command()
	root.SetArgs([]string{"version", "--project", "flag", "--repo", s.Dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	if s, err = a.settings(); err != nil || s.Project != "flag" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestMistakesInSettingsAreFoundAllAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"unknown_keys_name_the_nearest": {
			"project: shop\nonlin: x\noffline:\n  thread: 4\n",
			"fstore.yaml:2:1: onlin is not a setting (did you mean \"online\"?)\nfstore.yaml:4:3: offline.thread is not a setting (did you mean \"offline.threads\"?)",
		},
		"values_that_do_not_fit": {
			"project: Shop\nregistry: mysql://x\noffline: {threads: many, memory_limit: lots}\n",
			"fstore.yaml:1:10: project: \"Shop\" is not a name\nfstore.yaml:2:11: registry: \"mysql://x\" is not a registry URL\n" +
				"fstore.yaml:3:20: offline.threads: \"many\" is not a number of threads\n" +
				"fstore.yaml:3:40: offline.memory_limit: \"lots\" is not an amount of memory",
		},
		"a_list_is_not_a_value":   {"project: [a]\n", "fstore.yaml:1:10: project: expected one value"},
		"a_value_is_not_a_group":  {"project: a\nserve: 6566\n", "fstore.yaml:2:8: expected keys and values in serve"},
		"a_variable_is_not_set":   {"project: ${NOT_SET_ANYWHERE}\n", "fstore.yaml:1:10: project: the variable NOT_SET_ANYWHERE is not set"},
		"the_project_is_missing":  {"state: x\n", "fstore.yaml: project: is missing"},
		"a_file_that_is_not_yaml": {"project: [\n", "fstore.yaml:1:10: "},
		"a_key_given_twice":       {"project: a\nproject: b\n", "fstore.yaml:2:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := newApp(t, c.yaml, nil)
			_, err := a.settings()
			if err == nil {
				t.Fatal("no error")
			}
			got, _ := explain(err)
			if strings.HasSuffix(c.want, ": ") && strings.HasPrefix(got, c.want) {
				got = c.want
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if status(err) != statusDefinition {
				t.Errorf("exit status %d", status(err))
			}
		})
	}
}

func TestPasswordsAreNeverPrinted(t *testing.T) {
	for url, want := range map[string]string{
		"redis://:s3cret@host:6379/0":      "redis://:***@host:6379/0",
		"redis://user:s3cret@host/0":       "redis://user:***@host/0",
		"rediss://user:a@b:c/d@host/0":     "rediss://user:***@host/0",
		"redis://host:6379/0":              "redis://host:6379/0",
		"unix://user:s3cret@/tmp/s?db=1":   "unix://user:***@/tmp/s?db=1",
		"sqlite:///tmp/online.db":          "sqlite:///tmp/online.db",
		"redis://user:s3%20cret@host:1/zz": "redis://user:***@host:1/zz",
	} {
		if got := (URL{url}).String(); got != want {
			t.Errorf("%s prints as %s, want %s", url, got, want)
		}
	}
	a, _ := newApp(t, "project: shop\nonline: redis://:s3cret@127.0.0.1:1/0\n", nil)
	if _, err := a.settings(); err != nil {
		t.Fatal(err)
	}
	a.logger().Error("cannot connect", "url", "redis://:s3cret@127.0.0.1:1/0")
	if out := a.stderr.(*screen).to.(*bytes.Buffer).String(); strings.Contains(out, "s3cret") || !strings.Contains(out, "***") {
		t.Errorf("logged %s", out)
	}
}

// docs/configuration.md must name every setting.
func TestEverySettingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range settingKeys {
		for _, want := range []string{"`" + k.name + "`", "`" + envName(k.name) + "`", "`" + k.fallback + "`", k.doc} {
			if want != "``" && !strings.Contains(string(text), want) {
				t.Errorf("docs/configuration.md does not have %s", want)
			}
		}
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
