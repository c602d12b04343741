package trainset

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore/offline/lock"
)

// TestSettleGivesNoFileALockThatIsNotIts puts another file in the place before the lock comes.
func TestSettleGivesNoFileALockThatIsNotIts(t *testing.T) {
	folder := t.TempDir()
	dir, out := filepath.Join(folder, ".out.parquet-unfinished-1"), filepath.Join(folder, "out.parquet")
	text := `{"output":{"sha256":"00"}}`
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, stagedLock), []byte(text+"\n"), 0o644), os.WriteFile(out, []byte("another"), 0o644)); err != nil {
		t.Fatal(err)
	}
	done, err := Settle(t.Context(), folder, func([]byte) (string, bool, error) { return out, true, nil })
	if err != nil || len(done) > 0 {
		t.Errorf("settled %v: %v", done, err)
	}
	if _, err := os.Stat(lock.Path(out)); !os.IsNotExist(err) {
		t.Errorf("the file has a lock: %v", err)
	}
}
