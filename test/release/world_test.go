package release

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// root is the folder of the project.
const root = "../.."

// dist is what make dist has made, unpacked.
type dist struct {
	archive string                // the path of the archive
	folder  string                // the folder that holds what the archive has
	entries map[string]tar.Header // by name, below the one folder of the archive
}

// built returns what make dist has made for this platform. make release-test runs it first, and names its folder in FSTORE_DIST.
func built(t *testing.T) dist {
	t.Helper()
	folder := os.Getenv("FSTORE_DIST")
	if folder == "" {
		t.Skip("make release-test runs this, after make dist (FSTORE_DIST)")
	}
	d := dist{archive: one(t, filepath.Join(folder, "fstore_*_"+runtime.GOOS+"_"+runtime.GOARCH+".tar.gz")), folder: t.TempDir(), entries: map[string]tar.Header{}}
	f, err := os.Open(d.archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	top := strings.TrimSuffix(filepath.Base(d.archive), ".tar.gz") + "/"
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return d
		} else if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, top)
		if !ok || !filepath.IsLocal(name) {
			t.Fatalf("%s has %q, which is not in its folder %s", d.archive, h.Name, top)
		}
		d.entries[name] = *h
		unpack(t, filepath.Join(d.folder, name), h, files)
	}
}

func unpack(t *testing.T, path string, h *tar.Header, text io.Reader) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, h.FileInfo().Mode())
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// one returns the one file that a pattern matches.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s matches %q, want one file (%v)", pattern, found, err)
	}
	return found[0]
}

// command is the path of the fstore command in the archive.
func (d dist) command() string { return filepath.Join(d.folder, "fstore") }

// run runs a command in a folder. It has to succeed, and run returns what it printed.
func run(t *testing.T, dir, command string, args ...string) string {
	t.Helper()
	cmd := exec.Command(command, args...)
	cmd.Dir = dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", command, strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}
