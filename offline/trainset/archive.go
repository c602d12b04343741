package trainset

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// Archive is a folder with copies of the inputs of training sets (training-set create --snapshot), so that a lock
// outlives changes of its sources. Copies are addressed by content, DIR/ab/abcd… by SHA-256, so training sets share them.
//
// Archive copies files and never links them: a source that is written again in place would change a linked copy too.
// File systems that can (Btrfs, XFS) share the blocks of a copy.
type Archive struct{ dir string }

// NewArchive returns the archive in a folder. Keep makes the folder when it keeps the first file.
func NewArchive(dir string) *Archive { return &Archive{dir} }

// Blob is a file in an archive.
type Blob struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

func (a *Archive) path(sha string) string { return filepath.Join(a.dir, sha[:2], sha) }

// find returns where the copy of a file is, and whether there is one. It does not check that the copy is undamaged.
func (a *Archive) find(f lock.File) (string, bool) {
	if a == nil {
		return "", false
	}
	info, err := os.Stat(a.path(f.SHA256))
	return a.path(f.SHA256), err == nil && info.Size() == f.Size
}

// Keep copies a file into the archive, unless an undamaged copy is there already. The error is ErrConflict if the file
// no longer has the digest that f says.
func (a *Archive) Keep(ctx context.Context, f *lock.File) error {
	to := a.path(f.SHA256)
	if _, ok := a.find(*f); ok {
		have, err := Digest(ctx, to)
		if err != nil || have.SHA256 == f.SHA256 {
			return err
		} // otherwise the copy is damaged, and is replaced
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return cannotMakeArchive(err)
	}
	scratch, err := NewScratch(a.dir, partialCopy)
	if err != nil {
		return err
	}
	temp := filepath.Join(scratch.path, f.SHA256)
	err = copyFile(ctx, f.Path, temp)
	if err == nil {
		var copied *lock.File
		if copied, err = Digest(ctx, temp); err == nil && copied.SHA256 != f.SHA256 {
			err = hasChanged(f.Path)
		}
	}
	if err == nil {
		err = moveDurably(temp, to)
	}
	return errors.Join(err, scratch.Remove())
}

// partialCopy begins the names of folders with copies that are not complete.
const partialCopy = ".unfinished-"

func cannotMakeArchive(err error) error {
	return fstore.Errorf(fstore.ErrInvalid, "make the folder of the snapshots: %v", err).WithHint("set snapshots in fstore.yaml to a folder that can be written")
}

// copyFile copies a file to a new file that is only for reading, by those who may read the original. The system shares the blocks where
// it can.
func copyFile(ctx context.Context, from, to string) error {
	in, err := regular.Open(from, regular.AnySize)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()&0o444|0o400)
	if err != nil {
		return err
	}
	for err == nil { // copies in parts, so that a cancelled context stops it
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(out, in, 256<<20)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, out.Close())
}

// Hold keeps Sweep from removing anything until release is called. Whoever makes a training set holds the archive from
// the first Keep until the lock is recorded: before that, nothing says that the copies are needed.
func (a *Archive) Hold() (release func() error, err error) {
	folder, err := a.lock(syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return folder.Close, nil
}

// lock locks the folder, and makes it if necessary. how is an operation of flock.
func (a *Archive) lock(how int) (*os.File, error) {
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return nil, cannotMakeArchive(err)
	}
	s, err := lockFolder(a.dir, how)
	if err != nil {
		return nil, err
	}
	return s.lock, nil
}
