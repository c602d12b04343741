package offline

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

// A training set is a file, the lock beside it and what the caller records of it. They appear together whatever stops
// the process:
//
//  1. File and lock are made complete and durable in a folder beside their places. When the lock has its last name
//     there, the folder is ready.
//  2. The caller records the training set. From here on it exists.
//  3. A lock that is in the way is removed, the file is renamed into its place, and then the lock. A file without a lock
//     is no training set: nobody ever takes a file and the lock of another one for a whole.
//
// What is stopped before 2 leaves everything as it was; behind it, Settle does the rest of 3.

const (
	unfinished = ".parquet-unfinished-" // in the names of the folders
	readyFile  = "out.parquet"
	readyLock  = "out.lock.json"
)

// install goes through the steps above, for files that are written.
func (t *training) install(temp, tempLock string) error {
	dir := filepath.Dir(temp)
	ready := filepath.Join(dir, readyLock)
	if err := moveDurably(tempLock, ready); err != nil {
		return err
	}
	if err := errors.Join(fsync(temp), fsync(dir), fsync(filepath.Dir(dir))); err != nil {
		return err
	}
	release, err := lockPlaces(t.req.Out)
	if err != nil {
		return err
	}
	defer release()
	if t.req.Record != nil {
		if err := t.req.Record(t.summary); err != nil {
			return err
		}
		t.recorded = true
	}
	if err := installBoth(temp, t.req.Out, ready, t.summary.LockFile); err != nil {
		if t.recorded {
			return fmt.Errorf("it is recorded, but not yet in its place: %w", err)
		}
		return err
	}
	t.recorded = false
	return nil
}

// lockPlaces lets one process at a time put files into the folder of out.
func lockPlaces(out string) (release func(), err error) {
	s, err := lockFolder(filepath.Dir(out), syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", out, err)
	}
	return func() { _ = s.lock.Close() }, nil
}

// leave ends the use of the folder in which a training set was made. One that is recorded and not in its place is left
// to Settle.
func (t *training) leave(f *outFolder) {
	if t.recorded {
		_ = f.lock.Close()
		return
	}
	_ = f.remove()
}

// Settle finishes what processes that were killed have left of training sets in a folder: one that recorded knows by its
// lock is put into its place, which recorded returns; all else is removed. It returns the places. What a process that
// lives works on is left alone.
func Settle(ctx context.Context, dir string, recorded func(lock []byte) (out string, ok bool, err error)) ([]string, error) {
	var finished []string
	err := eachAbandoned(dir, func(s *scratch) error {
		out, err := s.settle(ctx, recorded)
		if err != nil {
			return fmt.Errorf("finish what is left in %s: %w", s.path, err)
		}
		if out != "" {
			finished = append(finished, out)
		}
		_ = os.RemoveAll(s.path) // if that fails the next one may succeed
		return nil
	})
	return finished, err
}

// removeUnready removes what killed processes have left that nobody can have recorded.
func removeUnready(dir string) error {
	return eachAbandoned(dir, func(s *scratch) error {
		if _, err := os.Lstat(filepath.Join(s.path, readyLock)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.RemoveAll(s.path) // if that fails the next one may succeed
		return nil
	})
}

// eachAbandoned calls do with each folder of an unfinished training set in dir that no process uses, locked.
func eachAbandoned(dir string, do func(*scratch) error) error {
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
			continue // somebody works on it, or has just removed it
		}
		if err := errors.Join(do(s), s.lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// settle puts the folder's training set into its place, if it is recorded.
func (s *scratch) settle(ctx context.Context, recorded func(lock []byte) (out string, ok bool, err error)) (string, error) {
	temp, ready := filepath.Join(s.path, readyFile), filepath.Join(s.path, readyLock)
	text, err := regular.Read(ready, lock.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // it was not ready, or is all in its place
	}
	if err != nil {
		return "", err
	}
	out, ok, err := recorded(bytes.TrimSpace(text))
	if err != nil || !ok {
		return "", err
	}
	out = filepath.Join(filepath.Dir(s.path), filepath.Base(out)) // wherever the folder was moved to
	release, err := lockPlaces(out)
	if err != nil {
		return "", err
	}
	defer release()
	if _, err := os.Lstat(temp); err == nil {
		return out, installBoth(temp, out, ready, lock.Path(out))
	}
	var l lock.Lock
	if err := json.Unmarshal(text, &l); err != nil {
		return "", fstore.Errorf(fstore.ErrCorrupt, "%s: %v", ready, err)
	}
	if have, err := digest(ctx, out); err != nil || have.SHA256 != l.Output.SHA256 {
		return "", nil // the file was in its place, and is another by now: its lock is of no use
	}
	return out, moveDurably(ready, lock.Path(out))
}

// installBoth moves a finished training set and its lock to their places. What can be found wrong is found before
// anything is changed.
func installBoth(temp, out, tempLock, lock string) error {
	if err := errors.Join(fsync(temp), fsync(tempLock)); err != nil {
		return err
	}
	if err := os.Remove(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := fsync(filepath.Dir(lock)); err != nil {
		return err
	}
	if err := moveDurably(temp, out); err != nil {
		return err
	}
	return moveDurably(tempLock, lock)
}

// moveDurably renames a file, which is on disk before its new name is.
func moveDurably(from, to string) error {
	if err := fsync(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return fsync(filepath.Dir(to))
}

// fsync makes a file, or the names in a folder, durable.
func fsync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
