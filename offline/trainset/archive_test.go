package trainset

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Copies of private files, such as those of a served log, are private.
func TestACopyIsReadByThoseWhoMayReadTheOriginal(t *testing.T) {
	for original, want := range map[os.FileMode]os.FileMode{0o600: 0o400, 0o640: 0o440, 0o400: 0o400} {
		dir := t.TempDir()
		from := filepath.Join(dir, "original")
		if err := errors.Join(os.WriteFile(from, []byte("rows"), 0o600), os.Chmod(from, original)); err != nil {
			t.Fatal(err)
		}
		f, err := Digest(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		archive := NewArchive(filepath.Join(dir, "snapshots"))
		if err := archive.Keep(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		copied, ok := archive.find(*f)
		info, err := os.Stat(copied)
		if err != nil || !ok || info.Mode().Perm()&^want != 0 || info.Mode().Perm()&0o400 == 0 {
			t.Errorf("the copy of a file with mode %o: %v, %v", original, info, err)
		}
	}
}
