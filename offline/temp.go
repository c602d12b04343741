package offline

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// scratch is a folder for what does not outlive this process. As long as it is used it is locked, so that another
// process, on this machine, in another container or across a network, knows that it is not to be removed.
type scratch struct {
	path string
	lock *os.File
}

// newScratch makes a folder in dir whose name begins with a prefix, and removes those with that prefix which
// processes left behind that are gone.
func newScratch(dir, prefix string) (*scratch, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			removeAbandoned(filepath.Join(dir, e.Name()))
		}
	}
	return makeScratch(dir, prefix)
}

// makeScratch makes a folder in dir whose name begins with a prefix.
func makeScratch(dir, prefix string) (*scratch, error) {
	for {
		path, err := os.MkdirTemp(dir, prefix)
		if err != nil {
			return nil, err
		}
		s, err := lockFolder(path, syscall.LOCK_EX)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process took it for abandoned before it was opened
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		if _, err := os.Stat(path); err == nil {
			return s, nil
		}
		_ = s.lock.Close() // likewise, before it was locked
	}
}

// lockFolder locks a folder; how is as flock has it.
func lockFolder(path string, how int) (*scratch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &scratch{path, f}, nil
}

// removeAbandoned removes a folder that no process has locked. If that fails the next one may succeed.
func removeAbandoned(path string) {
	if s, err := lockFolder(path, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		_ = s.remove()
	}
}

func (s *scratch) remove() error { return errors.Join(os.RemoveAll(s.path), s.lock.Close()) }
