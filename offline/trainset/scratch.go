package trainset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Scratch is a folder for files that do not outlive this process. The process locks the folder for as long as it uses
// it. Other processes, in this machine, another container or across a network, then know not to remove it.
type Scratch struct {
	path string
	lock *os.File
}

// NewScratch makes a folder in dir whose name begins with a prefix. It also removes folders with that prefix whose
// processes have ended.
func NewScratch(dir, prefix string) (*Scratch, error) {
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

// Path returns where the folder is.
func (s *Scratch) Path() string { return s.path }

// Remove removes the folder and everything in it.
func (s *Scratch) Remove() error { return errors.Join(os.RemoveAll(s.path), s.lock.Close()) }

// makeScratch makes a folder in dir whose name begins with a prefix.
func makeScratch(dir, prefix string) (*Scratch, error) {
	for {
		path, err := os.MkdirTemp(dir, prefix)
		if err != nil {
			return nil, err
		}
		s, err := lockFolder(path, syscall.LOCK_EX)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process took the folder for abandoned before this one opened it
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		if _, err := os.Stat(path); err == nil {
			return s, nil
		}
		_ = s.lock.Close() // another process took it for abandoned before this one locked it
	}
}

// lockFolder locks a folder. how is an operation of flock.
func lockFolder(path string, how int) (*Scratch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Scratch{path, f}, nil
}

// removeAbandoned removes a folder that no process has locked. If that fails, a later process tries again.
func removeAbandoned(path string) {
	if s, err := lockFolder(path, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		_ = s.Remove()
	}
}
