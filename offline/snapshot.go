package offline

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// Snapshots is a folder in which the inputs of training sets are kept by their content, so that a lock outlives what
// happens to its sources. What several locks were made from is there once: as DIR/ab/abcd…, named by its SHA-256.
//
// A file is copied, in which file systems that can share the blocks (Btrfs, XFS). It is never linked: a source that is
// written again in place would change the snapshot with it.
type Snapshots struct{ dir string }

// NewSnapshots returns the snapshots in a folder, which is made when the first file is kept.
func NewSnapshots(dir string) *Snapshots { return &Snapshots{dir} }

// Blob is a file that is kept.
type Blob struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

func (s *Snapshots) path(sha string) string { return filepath.Join(s.dir, sha[:2], sha) }

// find returns where the content of a file is kept; false where it is not. Whether it is still what it was is for the
// reader to see.
func (s *Snapshots) find(f lock.File) (string, bool) {
	if s == nil {
		return "", false
	}
	info, err := os.Stat(s.path(f.SHA256))
	return s.path(f.SHA256), err == nil && info.Size() == f.Size
}

// keep copies a file, unless its content is kept already. The error is ErrConflict if it is not what its digest says.
func (s *Snapshots) keep(ctx context.Context, f *lock.File) error {
	to := s.path(f.SHA256)
	if _, ok := s.find(*f); ok {
		have, err := digest(ctx, to)
		if err != nil || have.SHA256 == f.SHA256 {
			return err
		} // else it is damaged, and replaced
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "make the folder of the snapshot: %v", err).WithHint("set snapshots in fstore.yaml to a folder that can be written")
	}
	scratch, err := newScratch(s.dir, halfKept)
	if err != nil {
		return err
	}
	temp := filepath.Join(scratch.path, f.SHA256)
	err = copyFile(ctx, f.Path, temp)
	if err == nil {
		var copied *lock.File
		if copied, err = digest(ctx, temp); err == nil && copied.SHA256 != f.SHA256 {
			err = fstore.Errorf(fstore.ErrConflict, "%s has changed while it was read", f.Path).WithHint("run it again when nothing writes the file")
		}
	}
	if err == nil {
		err = moveDurably(temp, to)
	}
	return errors.Join(err, scratch.remove())
}

const halfKept = ".unfinished-"

// copyFile copies a file for reading only. The system shares the blocks where it can.
func copyFile(ctx context.Context, from, to string) error {
	in, err := regular.Open(from, regular.AnySize)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	for err == nil { // in parts, so that it can be stopped
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(out, in, 256<<20)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, out.Close())
}

// Hold keeps Sweep from removing anything until release is called: between keeping inputs and recording the lock that
// names them, nothing else says that they are needed.
func (s *Snapshots) Hold() (release func() error, err error) {
	lock, err := s.lock(syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}

// lock locks the folder, which is made; how is as flock has it.
func (s *Snapshots) lock(how int) (*os.File, error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "make the folder of the snapshots: %v", err).WithHint("set snapshots in fstore.yaml to a folder that can be written")
	}
	f, err := os.Open(s.dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Sweep is what no lock holds, while nothing is added: the caller closes it.
type Sweep struct {
	Unreferenced []Blob // by name
	snapshots    *Snapshots
	lock         *os.File
}

// Sweep finds what is kept and no lock needs. It calls locks, which returns the locks there are, when nothing can be
// kept any more; a lock that cannot be read is an error, as it might need anything. The error is ErrConflict while a
// training set with a snapshot is being made.
func (s *Snapshots) Sweep(locks func() ([][]byte, error)) (*Sweep, error) {
	w := &Sweep{snapshots: s, Unreferenced: []Blob{}}
	if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	var err error
	if w.lock, err = s.lock(syscall.LOCK_EX | syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fstore.Errorf(fstore.ErrConflict, "a training set with a snapshot is being made").WithHint("run it again when that is done")
		}
		return nil, err
	}
	if err := w.find(locks); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Blobs returns what there is to remove; nothing of a nil Sweep.
func (w *Sweep) Blobs() []Blob {
	if w == nil {
		return nil
	}
	return w.Unreferenced
}

func (w *Sweep) find(locks func() ([][]byte, error)) error {
	texts, err := locks()
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, text := range texts {
		l, err := lock.Read(text)
		if err != nil {
			return err
		}
		for _, f := range l.Files() {
			needed[f.SHA256] = true
		}
	}
	files, err := filepath.Glob(filepath.Join(escapedPath.Replace(w.snapshots.dir), "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, path := range files {
		sha := filepath.Base(path)
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if blobName.MatchString(sha) && sha[:2] == filepath.Base(filepath.Dir(path)) && info.Mode().IsRegular() && !needed[sha] {
			w.Unreferenced = append(w.Unreferenced, Blob{sha, info.Size()})
		}
	}
	return nil
}

var blobName = regexp.MustCompile("^[0-9a-f]{64}$")

// Remove deletes what Unreferenced names.
func (w *Sweep) Remove() error {
	for _, b := range w.Blobs() {
		path := w.snapshots.path(b.SHA256)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.Remove(filepath.Dir(path)) // if it is empty now
	}
	return nil
}

// Close lets training sets be made again.
func (w *Sweep) Close() error {
	if w == nil || w.lock == nil {
		return nil
	}
	return w.lock.Close()
}
