package trainset

import (
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

// A training set is a Parquet file, the lock beside it and the caller's record of it. They appear together, whenever the
// process dies:
//
//  1. File and lock are made complete and durable in a staging folder beside their places. Once the lock has its final
//     name in there, the folder is ready.
//  2. The caller records the training set. From now on the training set exists.
//  3. An old lock in its place is removed. Then the file is renamed into its place, and then the lock. A file without a
//     lock is not a training set, so nobody ever takes a file and another file's lock for one.
//
// A process that dies before step 2 leaves everything as it was. If it dies later, Settle completes step 3.

// Names in a staging folder, and what the names of the folders contain.
const (
	stagedFile = "out.parquet"
	stagedLock = "out.lock.json"
	unfinished = ".parquet-unfinished-"
)

// Staging is a folder, on the file system of the file to be written, for files that are not complete yet.
type Staging struct {
	scratch  *Scratch
	out      string   // the file to be written
	what     string   // what errors call it
	made     []string // folders above out that were made for it, the innermost first
	recorded bool     // and not yet in its place
}

// NewStaging makes a staging folder for a training set, and the folders above the training set that are missing.
func NewStaging(out string) (*Staging, error) {
	for _, path := range []string{out, lock.Path(out)} {
		if info, err := os.Lstat(path); err == nil && info.IsDir() {
			return nil, fstore.Errorf(fstore.ErrInvalid, "write %s: it is a folder", path).WithHint("name a file that is not there yet")
		}
	}
	dir := filepath.Dir(out)
	s := &Staging{out: out, what: out}
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		s.made = append(s.made, d)
	}
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = removeUnready(dir)
	}
	if err == nil {
		s.scratch, err = makeScratch(dir, "."+strings.TrimSuffix(filepath.Base(out), ".parquet")+unfinished)
	}
	if err != nil {
		s.removeMade()
		return nil, s.failed(err)
	}
	return s, nil
}

// newComparison makes a staging folder for a training set that is only compared with another one, and never installed.
func newComparison(dir string) (*Staging, error) {
	scratch, err := NewScratch(dir, "rebuild-")
	return &Staging{scratch: scratch, what: "the training set that is made to be compared"}, err
}

// Folder returns the staging folder.
func (s *Staging) Folder() string { return s.scratch.path }

// File returns where the training set's file is written until it is installed.
func (s *Staging) File() string { return filepath.Join(s.scratch.path, stagedFile) }

// Install puts the file and a lock for it into place, in the steps above. It calls record for step 2; an error of record
// leaves everything as it was. A nil record records nothing.
func (s *Staging) Install(lockText []byte, record func() error) error {
	temp, staged := s.File()+".lock", filepath.Join(s.Folder(), stagedLock)
	if err := os.WriteFile(temp, lockText, 0o644); err != nil {
		return err
	}
	if err := moveDurably(temp, staged); err != nil {
		return err
	}
	if err := errors.Join(regular.Sync(s.File()), regular.Sync(s.Folder()), regular.Sync(filepath.Dir(s.Folder()))); err != nil {
		return err
	}
	release, err := lockPlaces(s.out)
	if err != nil {
		return err
	}
	defer release()
	if record != nil {
		if err := record(); err != nil {
			return err
		}
		s.recorded = true
	}
	if err := installBoth(s.File(), s.out, staged, lock.Path(s.out)); err != nil {
		if s.recorded {
			return fmt.Errorf("it is recorded, but not yet in its place: %w", err)
		}
		return err
	}
	s.recorded = false
	return nil
}

// InstallCopy puts the file into place with a copy of the lock of another training set. Nothing is recorded, so the folder
// never becomes ready: Settle would take the copy for the recorded training set.
func (s *Staging) InstallCopy(lockText []byte) error {
	temp := s.File() + ".lock"
	if err := os.WriteFile(temp, lockText, 0o644); err != nil {
		return err
	}
	return installBoth(s.File(), s.out, temp, lock.Path(s.out))
}

// InstallWithoutLock puts the file into place and removes the lock there, which would describe another file.
func (s *Staging) InstallWithoutLock() error {
	if err := os.Remove(lock.Path(s.out)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return moveDurably(s.File(), s.out)
}

// Close removes the staging folder, and the folders that were made for a file that is not there. It leaves a training
// set that is recorded and not in its place to Settle.
func (s *Staging) Close() error {
	if s.recorded {
		return s.scratch.lock.Close()
	}
	err := s.scratch.Remove()
	s.removeMade()
	return err
}

func (s *Staging) removeMade() {
	for _, dir := range s.made {
		if os.Remove(dir) != nil { // the folder is not empty
			return
		}
	}
}

// Explain rewrites an error about a staged file, whose name means nothing to users, as one about the file to be written.
// It returns other errors as they are.
func (s *Staging) Explain(err error) error {
	if err == nil || !strings.Contains(err.Error(), s.Folder()) {
		return err
	}
	return s.failed(err)
}

func (s *Staging) failed(err error) error {
	reason := err.Error()
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		reason = path.Err.Error()
	case errors.As(err, &link):
		reason = link.Err.Error()
	default: // the engine writes the name of the file in quotes
		if _, after, ok := strings.Cut(reason, "\": "); ok {
			reason = after
		}
	}
	hint := "name a file in a folder that can be written"
	for _, full := range []string{"no space left", "file too large", "quota exceeded"} {
		if strings.Contains(strings.ToLower(reason), full) {
			hint = "free space on its disk, or write it to another"
		}
	}
	return fstore.Errorf(fstore.ErrInvalid, "write %s: %s", s.what, reason).WithHint("%s", hint)
}

// lockPlaces lets one process at a time put files into the folder of out.
func lockPlaces(out string) (release func(), err error) {
	s, err := lockFolder(filepath.Dir(out), syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", out, err)
	}
	return func() { _ = s.lock.Close() }, nil
}

// installBoth moves a finished training set and its lock to their places. It makes both durable before it changes
// anything.
func installBoth(file, out, stagedLock, lock string) error {
	if err := errors.Join(regular.Sync(file), regular.Sync(stagedLock)); err != nil {
		return err
	}
	if err := os.Remove(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := regular.Sync(filepath.Dir(lock)); err != nil {
		return err
	}
	if err := moveDurably(file, out); err != nil {
		return err
	}
	return moveDurably(stagedLock, lock)
}

// moveDurably renames a file, after its content is on disk, and makes its new name durable.
func moveDurably(from, to string) error {
	if err := regular.Sync(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return regular.Sync(filepath.Dir(to))
}
