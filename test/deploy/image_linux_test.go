package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/test/program"
)

// The Dockerfile builds an image whose program runs as nobody, without capabilities, and can write only to its state folder and to
// /tmp. make test-image runs this: it needs root, buildah, and the images that the Dockerfile is from, or others
// in their place (GO_IMAGE, BASE_IMAGE).
func TestTheImageRunsReadOnlyAndUnprivileged(t *testing.T) {
	if os.Getenv("FSTORE_IMAGE") == "" {
		t.Skip("make test-image runs this (FSTORE_IMAGE)")
	}
	buildah := need(t, "buildah", "apt-get install buildah")
	args := []string{"build", "-q", "--build-arg", "VERSION=v0.0.0-test"}
	for _, name := range []string{"GO_IMAGE", "BASE_IMAGE"} {
		if v := os.Getenv(name); v != "" {
			args = append(args, "--build-arg", name+"="+v)
		}
	}
	image := output(t, buildah, append(args, "../..")...)
	t.Cleanup(func() { output(t, buildah, "rmi", image) })
	if got := output(t, buildah, "inspect", "--type", "image", "--format", "{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}}", image); got != "65532:65532 [/usr/local/bin/fstore]" {
		t.Errorf("the image runs %s", got)
	}
	from := output(t, buildah, "from", image)
	t.Cleanup(func() { output(t, buildah, "rm", from) })
	c := contained{t: t, root: output(t, buildah, "mount", from), state: t.TempDir(), repo: newShop(t).dir}
	c.env = []string{"PATH=" + os.Getenv("PATH")}
	c.env = append(c.env, strings.Fields(strings.Trim(output(t, buildah, "inspect", "--type", "image", "--format", "{{.OCIv1.Config.Env}}", image), "[]"))...)
	if err := os.RemoveAll(filepath.Join(c.repo, ".fstore")); err != nil {
		t.Fatal(err)
	}
	output(t, "chmod", "-R", "a+rX", c.repo)
	if err := os.Chown(c.state, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	if got := c.run("sh", "-c", "touch /x /features/x /usr/x 2>/dev/null; touch /tmp/x && id -u && ls /x /features/x 2>/dev/null | wc -l"); got != "65532\n0" {
		t.Errorf("got %s", got)
	}
	if got := c.run("/usr/local/bin/fstore", "version"); !strings.Contains(got, "v0.0.0-test") {
		t.Errorf("the version is %s", got)
	}
	c.run("/usr/local/bin/fstore", "apply", "--yes")
	c.run("/usr/local/bin/fstore", "materialize", "--leak-check", "off", "--to", "2025-12-01")
	if got := c.run("/usr/local/bin/fstore", "get", "--service", "churn", "--entity", "customer_id=12003", "--at", "2025-12-01"); !strings.Contains(got, "77.58") {
		t.Errorf("got %s", got)
	}
	c.run("sh", "-c", "cd /var/lib/fstore && sqlite3 registry.db \"VACUUM INTO '/tmp/registry.db'\" && cmp --version")
	for _, file := range []string{"LICENSE", "THIRD_PARTY_LICENSES"} {
		text, err := os.ReadFile(filepath.Join(c.root, "usr/share/doc/fstore", file))
		if err != nil || len(text) < 1000 {
			t.Errorf("the image lacks %s: %v", file, err)
		}
		if file == "THIRD_PARTY_LICENSES" && !strings.Contains(string(text), "2020 Unicode, Inc.") { // of a library within DuckDB
			t.Errorf("%s does not have the licence of ICU", file)
		}
	}
}

// contained runs commands in the file system of an image, as a container would: with it read-only, as user 65532, without capabilities,
// with a state folder and a repo.
type contained struct {
	t                 *testing.T
	root, state, repo string
	env               []string
}

func (c contained) run(args ...string) string {
	c.t.Helper()
	const script = `set -e
root=$1 state=$2 repo=$3
shift 3
mount --rbind "$root" "$root"
mount -o remount,ro,bind "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$state" "$root/var/lib/fstore"
mount --bind "$repo" "$root/features"
mount -o remount,ro,bind "$root/features"
mount -t proc proc "$root/proc"
exec chroot "$root" setpriv --reuid=65532 --regid=65532 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"`
	all := append([]string{"--mount", "--pid", "--fork", "sh", "-c", script, "sh", c.root, c.state, c.repo}, args...)
	cmd := exec.Command("unshare", all...)
	cmd.Env = c.env
	var errs program.Output
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%q: %v\n%s%s", args, err, out, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// output runs a command that has to succeed, and returns what it printed.
func output(t *testing.T, command string, args ...string) string {
	t.Helper()
	cmd := exec.Command(command, args...)
	var errs program.Output
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", command, args, err, out, errs.String())
	}
	return strings.TrimSpace(string(out))
}
