package trainset

import (
	"os"
	"testing"
)

// TestScratchFoldersMadeTogetherAllLive makes folders while others look for abandoned ones: one that was made and is not
// yet locked looks abandoned.
func TestScratchFoldersMadeTogetherAllLive(t *testing.T) {
	dir, done := t.TempDir(), make(chan error)
	work := func() error {
		for range 200 {
			s, err := NewScratch(dir, "spill-")
			if err != nil {
				return err
			}
			if _, err := os.Stat(s.Path()); err != nil {
				return err
			}
			if err := s.Remove(); err != nil {
				return err
			}
		}
		return nil
	}
	const workers = 8
	for range workers {
		go func() { done <- work() }()
	}
	for range workers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d folders are left: %v", len(left), err)
	}
}
