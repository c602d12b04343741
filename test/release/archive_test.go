package release

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An archive has the command, its licences, completions and all of deploy/, and nothing else. Files are root's, so that tar run by root
// leaves none to a stranger.
func TestAnArchiveHasWhatAnInstallationNeeds(t *testing.T) {
	d := built(t)
	want := []string{
		"fstore", "LICENSE", "THIRD_PARTY_LICENSES", "README.md", "CHANGELOG.md", "completions/fstore", "completions/_fstore", "completions/fstore.fish",
	}
	err := fs.WalkDir(os.DirFS(root), "deploy", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			want = append(want, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(d.entries))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for name, h := range d.entries {
		mode := fs.FileMode(0o644)
		if name == "fstore" {
			mode = 0o755
		}
		if h.Uname != "root" || h.Gname != "root" || h.Uid != 0 || h.Gid != 0 || h.FileInfo().Mode() != mode {
			t.Errorf("%s is of %s:%s (%d:%d) with mode %v, want root:root (0:0) and %v", name, h.Uname, h.Gname, h.Uid, h.Gid, h.FileInfo().Mode(), mode)
		}
	}
	for name, want := range map[string]string{
		"completions/fstore": "bash", "completions/_fstore": "#compdef fstore", "completions/fstore.fish": "complete -c fstore",
		"THIRD_PARTY_LICENSES": "github.com/duckdb/duckdb-go-bindings",
	} {
		text, err := os.ReadFile(filepath.Join(d.folder, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not have %q (%v)", name, want, err)
		}
		if name == "THIRD_PARTY_LICENSES" && !strings.Contains(string(text), "2020 Unicode, Inc.") { // of a library within DuckDB
			t.Errorf("%s does not have the licence of ICU", name)
		}
	}
}

// The file of checksums names the archive and its SBOM, as sha256sum --check reads it.
func TestTheChecksumsAreOfWhatIsPublished(t *testing.T) {
	d := built(t)
	sums, err := os.ReadFile(strings.TrimSuffix(d.archive, ".tar.gz") + ".sha256")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(sums)), "\n")
	slices.Sort(got)
	var want []string
	for _, path := range []string{d.archive, d.archive + ".cdx.json"} {
		want = append(want, digest(t, path)+"  "+filepath.Base(path))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checksums (-want +got):\n%s", diff)
	}
}

// digest returns the SHA-256 of a file, in hexadecimal.
func digest(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
