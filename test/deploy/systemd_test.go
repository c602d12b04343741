package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/test/program"
)

// units are the systemd units, by name.
func units(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob(folder + "/systemd/*.*er*")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d units, %v", len(files), err)
	}
	out := map[string]string{}
	for _, file := range files {
		out[filepath.Base(file)] = read(t, file)
	}
	return out
}

// systemd finds no mistake in the units, and rates what a service may do below 2 of 10.
func TestSystemdAcceptsTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing: this system has no systemd")
	}
	dir := t.TempDir()
	all := units(t)
	var paths []string
	for name, text := range all {
		// verify looks for the program.
		all[name] = strings.ReplaceAll(text, "/usr/local/bin/fstore", "/bin/true")
		paths = append(paths, filepath.Join(dir, name))
	}
	write(t, dir, all)
	if out, err := exec.Command(analyze, append([]string{"verify"}, paths...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	for _, path := range paths {
		if !strings.HasSuffix(path, ".service") {
			continue
		}
		if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", path).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze security: %v\n%s", err, out)
		}
	}
}

// The services run commands that there are, and only tell fstore to try again what docs/cli.md says may succeed later.
func TestUnitsRunCommandsAndRetryAsDocumented(t *testing.T) {
	bin := program.Built(t)
	command := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/fstore (.*)$`)
	prevent := regexp.MustCompile(`(?m)^RestartPreventExitStatus=(.*)$`)
	retries := map[string]string{"fstore-serve.service": "2 3", "fstore-materialize.service": "2 3 4 5 7", "fstore-monitor.service": "2 3 4 5 7"}
	for name, text := range units(t) {
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		m := command.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s runs no fstore", name)
		}
		// A folder that is not there is a mistake of its own, but every flag has been read by then.
		out, err := exec.Command(bin, append(strings.Fields(m[1]), "--help")...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: fstore %s: %v\n%s", name, m[1], err, out)
		}
		if got := prevent.FindStringSubmatch(text); got == nil || got[1] != retries[name] {
			t.Errorf("%s does not restart after %q, want %s", name, got, retries[name])
		}
	}
}

// The file of settings names settings that there are: with it, and all that it comments out, the commands read the repo.
func TestTheEnvironmentFileIsOfSettings(t *testing.T) {
	documented := read(t, "../../docs/configuration.md")
	names := regexp.MustCompile(`(?m)^#?(FSTORE_[A-Z_]+)=`).FindAllStringSubmatch(read(t, folder+"/systemd/fstore.env"), -1)
	if len(names) < 8 {
		t.Errorf("%d settings were found", len(names))
	}
	for _, m := range names {
		if !strings.Contains(documented, "`"+m[1]+"`") {
			t.Errorf("docs/configuration.md has no %s", m[1])
		}
	}
}

// settingsOf returns the variables that the environment file sets, with another folder instead of /var/lib/fstore.
func settingsOf(t testing.TB, state string) (settings []string) {
	t.Helper()
	for line := range strings.Lines(read(t, folder+"/systemd/fstore.env")) {
		if strings.HasPrefix(line, "FSTORE_") {
			settings = append(settings, strings.ReplaceAll(strings.TrimSpace(line), "/var/lib/fstore", state))
		}
	}
	return settings
}

// With the file of settings a repo that cannot be written to is enough: everything that fstore writes is in the state folder.
func TestFstoreWritesOnlyItsStateFolder(t *testing.T) {
	state := t.TempDir()
	r := newShop(t)
	if err := os.RemoveAll(filepath.Join(r.dir, ".fstore")); err != nil {
		t.Fatal(err)
	}
	r.env = append(r.env, settingsOf(t, state)...)
	before := names(t, r.dir)
	r.must("apply", "--yes")
	r.must("materialize", "--leak-check", "off", "--to", "2025-12-01")
	s := r.serve()
	ask(t, "http://"+s.http, "", 200)
	if status := s.stop(); status != 0 {
		t.Errorf("serve ended with %d", status)
	}
	if after := names(t, r.dir); !slices.Equal(before, after) {
		t.Errorf("the repo had %q, and has %q", before, after)
	}
	if got := names(t, state); !slices.Contains(got, "registry.db") || !slices.Contains(got, "online.db") {
		t.Errorf("the state folder has %q", got)
	}
}

// names returns the paths of all files in a folder.
func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	if err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		all = append(all, strings.TrimPrefix(path, dir+"/"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}
