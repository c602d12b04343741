package release

import (
	"path/filepath"
	"runtime"
	"testing"
)

// The same commit gives the same archive, SBOM and checksums, byte for byte, wherever it is checked out.
func TestTheSameCommitGivesTheSameArchive(t *testing.T) {
	built(t) // or the test is left out
	if runtime.GOOS != "linux" {
		t.Skip("promised on Linux only: nobody has compared what the linker of macOS makes")
	}
	goreleaser, err := filepath.Abs(filepath.Join(root, "bin/tools/goreleaser"))
	if err != nil {
		t.Fatal(err)
	}
	files := func(checkout string) map[string]string {
		run(t, ".", "git", "clone", "-q", root, checkout)
		run(t, checkout, "git", "remote", "set-url", "origin", "https://github.com/fstore-dev/fstore") // goreleaser parses it
		run(t, checkout, goreleaser, "release", "--snapshot", "--skip", "publish")
		digests := map[string]string{}
		for _, kind := range []string{".tar.gz", ".tar.gz.cdx.json", ".sha256"} {
			path := one(t, filepath.Join(checkout, "dist", "fstore_*"+kind))
			digests[filepath.Base(path)] = digest(t, path)
		}
		return digests
	}
	first, second := files(filepath.Join(t.TempDir(), "a")), files(filepath.Join(t.TempDir(), "another", "checkout"))
	for name, sum := range first {
		if second[name] != sum {
			t.Errorf("%s is %s in one checkout and %q in the other", name, sum, second[name])
		}
	}
}
