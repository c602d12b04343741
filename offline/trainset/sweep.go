package trainset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// Sweep has the copies in an archive that no lock needs. Nothing is added to the archive until Close is called.
type Sweep struct {
	Unreferenced []Blob // in name order
	archive      *Archive
	lock         *os.File
}

// Sweep finds the copies that no lock needs. It calls locks, which returns all locks, once nobody can add a copy. A lock
// that cannot be read is an error, because it might need any copy. The error is ErrConflict while a training set with a
// snapshot is being made. The caller closes the sweep.
func (a *Archive) Sweep(locks func() ([][]byte, error)) (*Sweep, error) {
	w := &Sweep{archive: a, Unreferenced: []Blob{}}
	if _, err := os.Stat(a.dir); errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	var err error
	if w.lock, err = a.lock(syscall.LOCK_EX | syscall.LOCK_NB); err != nil {
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

// Blobs returns the copies that no lock needs. A nil Sweep has none.
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
	folders, err := os.ReadDir(w.archive.dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if !folder.IsDir() || !blobFolder.MatchString(folder.Name()) {
			continue
		}
		files, err := os.ReadDir(filepath.Join(w.archive.dir, folder.Name()))
		if err != nil {
			return err
		}
		for _, file := range files {
			sha := file.Name()
			if !file.Type().IsRegular() || !blobName.MatchString(sha) || sha[:2] != folder.Name() || needed[sha] {
				continue
			}
			info, err := file.Info()
			if err != nil {
				return err
			}
			w.Unreferenced = append(w.Unreferenced, Blob{sha, info.Size()})
		}
	}
	return nil
}

var (
	blobFolder = regexp.MustCompile("^[0-9a-f]{2}$")
	blobName   = regexp.MustCompile("^[0-9a-f]{64}$")
)

// Remove deletes the copies in Unreferenced.
func (w *Sweep) Remove() error {
	for _, b := range w.Blobs() {
		path := w.archive.path(b.SHA256)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.Remove(filepath.Dir(path)) // succeeds if the folder is empty now
	}
	return nil
}

// Close lets other processes add copies again.
func (w *Sweep) Close() error {
	if w == nil || w.lock == nil {
		return nil
	}
	return w.lock.Close()
}
