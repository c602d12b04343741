package trainset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// Settle finishes what killed processes have left of training sets in a folder. If recorded knows a training set by its
// lock, Settle puts it into the place that recorded returns; it removes everything else. It returns the places. It leaves
// alone what a running process works on.
func Settle(ctx context.Context, dir string, recorded func(lock []byte) (out string, ok bool, err error)) ([]string, error) {
	var finished []string
	err := eachAbandoned(dir, func(s *Scratch) error {
		out, err := s.settle(ctx, recorded)
		if err != nil {
			return fmt.Errorf("finish what is left in %s: %w", s.path, err)
		}
		if out != "" {
			finished = append(finished, out)
		}
		_ = os.RemoveAll(s.path) // if that fails, a later Settle tries again
		return nil
	})
	return finished, err
}

// removeUnready removes the staging folders of killed processes that nobody can have recorded.
func removeUnready(dir string) error {
	return eachAbandoned(dir, func(s *Scratch) error {
		if _, err := os.Lstat(filepath.Join(s.path, stagedLock)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.RemoveAll(s.path) // if that fails, a later process tries again
		return nil
	})
}

// eachAbandoned calls do with each staging folder in dir that no process uses. The folder is locked meanwhile.
func eachAbandoned(dir string, do func(*Scratch) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), ".") || !strings.Contains(e.Name(), unfinished) {
			continue
		}
		s, err := lockFolder(filepath.Join(dir, e.Name()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue // a process works on the folder, or has just removed it
		}
		if err := errors.Join(do(s), s.lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// settle puts the training set in a staging folder into its place, if it is recorded.
func (s *Scratch) settle(ctx context.Context, recorded func(lock []byte) (out string, ok bool, err error)) (string, error) {
	file, staged := filepath.Join(s.path, stagedFile), filepath.Join(s.path, stagedLock)
	text, err := regular.Read(staged, lock.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // the training set was not ready, or file and lock are in their places
	}
	if err != nil {
		return "", err
	}
	out, ok, err := recorded(bytes.TrimSpace(text))
	if err != nil || !ok {
		return "", err
	}
	out = filepath.Join(filepath.Dir(s.path), filepath.Base(out)) // the folder may have been moved since
	release, err := lockPlaces(out)
	if err != nil {
		return "", err
	}
	defer release()
	if _, err := os.Lstat(file); err == nil {
		return out, installBoth(file, out, staged, lock.Path(out))
	}
	var l lock.Lock
	if err := json.Unmarshal(text, &l); err != nil {
		return "", fstore.Errorf(fstore.ErrCorrupt, "%s: %v", staged, err)
	}
	if have, err := Digest(ctx, out); err != nil || have.SHA256 != l.Output.SHA256 {
		return "", nil // the file was put into place, and another one has replaced it since: this lock is of no use
	}
	return out, moveDurably(staged, lock.Path(out))
}
