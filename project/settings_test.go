package project

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/servedlog"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// write writes the fstore.yaml of a new repo.
func write(t *testing.T, yaml string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, SettingsFile), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// settings returns the settings of a repo in an environment.
func settings(t *testing.T, dir string, environment map[string]string, given map[string]Setting) (*Settings, error) {
	t.Helper()
	p, err := Open(t.Context(), dir, Options{Settings: given, Lookup: func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}})
	if err != nil {
		return nil, err
	}
	return p.Settings, p.Close()
}

func TestSettingsOfAnEmptyRepoAreTheDefaults(t *testing.T) {
	dir := write(t, "project: shop\n")
	got, err := settings(t, dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Settings{
		Dir: dir, Project: "shop", Registry: URL{"sqlite://" + dir + "/.fstore/registry.db"}, Online: URL{"sqlite://" + dir + "/.fstore/online.db"},
		State: dir + "/.fstore/state", Snapshots: dir + "/.fstore/snapshots", MemoryLimit: "4GB", TempDir: dir + "/.fstore/tmp", GRPC: "127.0.0.1:6566", HTTP: "127.0.0.1:6567", Metrics: "127.0.0.1:6568", MaxInFlight: 192e6, Auth: AuthSettings{ClockSkew: time.Minute}, Grace: 24 * time.Hour,
		Offline: OfflineSettings{TrainingSets: dir + "/training_sets", Runs: 1, Queue: 10, Labels: 20e9},
		Log:     LogSettings{Format: LogText},
		Served:  ServedLogSettings{Sample: 0.01, By: servedlog.ByRequest, Keys: servedlog.PlainKeys, Inputs: servedlog.WithInputs, Keep: 30 * 24 * time.Hour, MaxBytes: 10e9},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(URL{}), cmpopts.IgnoreUnexported(Settings{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestEnvironmentStandsOverTheFileAndTheCallerOverBoth(t *testing.T) {
	dir := write(t, "project: file\nstate: ${STATE:-/a}\noffline: {threads: 2}\n")
	environment := map[string]string{"FSTORE_PROJECT": "environment", "FSTORE_OFFLINE_THREADS": "3", "STATE": "/b", "FSTORE_ONLINE": ""}
	s, err := settings(t, dir, environment, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Project != "environment" || s.Threads != 3 || s.State != "/b" || s.Online.scheme() != "sqlite" {
		t.Errorf("got %+v", s)
	}
	if s, err = settings(t, dir, environment, map[string]Setting{"project": {Value: "caller"}}); err != nil || s.Project != "caller" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestMistakesNameWhereASettingWasGiven(t *testing.T) {
	dir := write(t, "project: shop\n")
	for _, c := range []struct {
		environment map[string]string
		given       map[string]Setting
		want        string
	}{
		{map[string]string{"FSTORE_PROJECT": "A"}, nil, `FSTORE_PROJECT: "A" is not a name`},
		{nil, map[string]Setting{"project": {Value: "A", From: "--project"}}, `--project: "A" is not a name`},
		{nil, map[string]Setting{"project": {Value: "A"}}, `project: "A" is not a name`},
		{nil, map[string]Setting{"windows": {}}, `windows is not a setting (docs/configuration.md lists the settings)`},
		{nil, map[string]Setting{"projct": {}}, `projct is not a setting (did you mean "project"?)`},
	} {
		kind := fstore.ErrUsage
		if c.environment != nil {
			kind = fstore.ErrDefinition
		}
		_, err := settings(t, dir, c.environment, c.given)
		if !errors.Is(err, kind) {
			t.Errorf("want %s, got %v", c.want, err)
			continue
		}
		if got, _ := fstore.Explain(err); got != c.want {
			t.Errorf("want %s, got %s", c.want, got)
		}
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
			_, err := settings(t, write(t, c.yaml), nil, nil)
			if err == nil {
				t.Fatal("no error")
			}
			got, _ := fstore.Explain(err)
			if strings.HasSuffix(c.want, ": ") && strings.HasPrefix(got, c.want) {
				got = c.want
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if !errors.Is(err, fstore.ErrDefinition) {
				t.Errorf("%v is not of the kind ErrDefinition", err)
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

		"redis+sentinel://user:s3cret@h1:26379,h2:26379/features/0":           "redis+sentinel://user:***@h1:26379,h2:26379/features/0",
		"rediss+sentinel://:s3cret@h1,[::1]:1/m?read_from=replica&tls_ca=a/b": "rediss+sentinel://:***@h1,[::1]:1/m?read_from=replica&tls_ca=a/b",
		"redis+sentinel://h1/m?sentinel_username=u&sentinel_password=s3cret":  "redis+sentinel://h1/m?sentinel_username=u&sentinel_password=***",
		"redis+sentinel://h1/m?read_from=s3cret&pool_size=s3cret&tls_ca=a@b":  "redis+sentinel://***",
		"redis+sentinel://h1/m?read_from=s3cret&pool_size=40":                 "redis+sentinel://h1/m?read_from=***&pool_size=40",
		"redis+sentinel://user:s3cret:h1,h2/m":                                "redis+sentinel://user:***",
		"redis://user:a?s3cret@host":                                          "redis://user:***",
		"redis://host?db=1&s3cret":                                            "redis://host?db=1&***",
	} {
		if got := (URL{url}).String(); got != want {
			t.Errorf("%s prints as %s, want %s", url, got, want)
		}
	}
	var secrets []string
	p, err := Open(t.Context(), write(t, "project: shop\nonline: redis://:s3cret@127.0.0.1:1/0\n"), Options{Secret: func(s string) { secrets = append(secrets, s) }})
	if err != nil || !slices.Equal(secrets, []string{"s3cret"}) {
		t.Errorf("told of %q (%v)", secrets, err)
	}
	p.Close()
}

func TestFilesOfURLsAreRelativeToTheRepo(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite://a/b.db": "sqlite:///repo/a/b.db",
		"rediss://u:p,tls_ca=x@host/0?tls_ca=certs/ca.pem&pool_size=4&tls_cert=/etc/c.pem&tls_key=a%20b.key": "rediss://u:p,tls_ca=x@host/0?tls_ca=/repo/certs/ca.pem&pool_size=4&tls_cert=/etc/c.pem&tls_key=/repo/a+b.key",
		"rediss+sentinel://h1:1,h2/m?tls_ca=ca.pem":                                                          "rediss+sentinel://h1:1,h2/m?tls_ca=/repo/ca.pem",
		"redis://host?tls_server_name=x":                                                                     "redis://host?tls_server_name=x",
		"http://host?tls_ca=x":                                                                               "http://host?tls_ca=x",
	} {
		if got := (URL{url}).absolute("/repo"); got.raw != want {
			t.Errorf("%s is %s, want %s", url, got.raw, want)
		}
	}
}

// docs/configuration.md must name every setting.
func TestEverySettingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/configuration.md")
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
