// Package regular opens files that a user, a lock or a definition names, and only regular files. A named pipe would
// wait forever for a writer. A device has no end, and opening it may have effects.
package regular

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/fstore-dev/fstore"
)

// AnySize is for readers that accept any size because they do not hold the file in memory.
const AnySize = 0

// Open opens a regular file of at most most bytes for reading. The error is an *fs.PathError. It wraps the system's
// error, or ErrInvalid with what the path names instead.
func Open(path string, most int64) (*os.File, error) {
	if _, err := Stat(path); err != nil {
		return nil, err
	}
	// The path may name something else by now. O_NONBLOCK opens a pipe without a writer, and the descriptor tells
	// what it is. O_NOCTTY keeps a terminal from becoming this process's controlling terminal.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if err := check(f, path, most); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func check(f *os.File, path string, most int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := refuse(path, info.Mode()); err != nil {
		return err
	}
	if most != AnySize && info.Size() > most {
		return tooLarge(path, info.Size(), most)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var blocking error
	err = raw.Control(func(fd uintptr) { blocking = syscall.SetNonblock(int(fd), false) })
	return errors.Join(err, blocking)
}

func refuse(path string, mode fs.FileMode) error {
	what := What(mode)
	if what == "" {
		return nil
	}
	err := fstore.Errorf(fstore.ErrInvalid, "is %s", what)
	if !mode.IsDir() {
		err = err.WithHint("name a file: a pipe or a device cannot be read twice")
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}

func tooLarge(path string, size, most int64) error {
	return &fs.PathError{Op: "open", Path: path, Err: fstore.Errorf(fstore.ErrInvalid, "has %d MB; the limit is %d", size>>20, most>>20)}
}

// Read returns the contents of a regular file of at most most bytes.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path, most)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, most)
}

func readAll(f *os.File, path string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most { // the file has grown
		err = tooLarge(path, int64(len(text)), most)
	}
	return text, err
}

// ReadGuarded is Read for a file that decides who is trusted. It refuses one that users other than its owner may write,
// as sshd refuses such a list of keys.
func ReadGuarded(path string, most int64) ([]byte, error) {
	f, err := Open(path, most)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 && runtime.GOOS != "windows" {
		refused := fstore.Errorf(fstore.ErrInvalid, "can be changed by other users of this machine: its mode is %#o", mode).WithHint("run: chmod go-w %s", path)
		return nil, &fs.PathError{Op: "open", Path: path, Err: refused}
	}
	return readAll(f, path, most)
}

// IsExposed reports whether all users of this machine may read a file.
func IsExposed(path string) bool {
	info, err := Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}

// Stat describes a regular file, for readers that open it by its path. Its errors are those of Open.
func Stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return info, refuse(path, info.Mode())
}

// ReadError says why a file cannot be opened or read, in one sentence that names it. The error is ErrInvalid.
func ReadError(path string, err error) error {
	var bad *fstore.Error
	if errors.As(err, &bad) {
		return fstore.Errorf(fstore.ErrInvalid, "%s %s", path, bad.Message).WithHint("%s", bad.Hint)
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s cannot be read: %v", path, err)
}

// What describes a file that is not regular, such as "a folder". It is empty for a regular file.
func What(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "not a file but a named pipe"
	case mode&fs.ModeSocket != 0:
		return "not a file but a socket"
	case mode&fs.ModeDevice != 0:
		return "not a file but a device"
	case mode&fs.ModeSymlink != 0:
		return "not a file but a link"
	}
	return "not a file"
}

// Database checks the files of an SQLite database before SQLite opens them by name: the file itself, its journal, its
// log and the log's index. Missing files are fine. Its errors are those of Open.
func Database(path string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		_, err := Stat(path + suffix)
		var bad *fstore.Error
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
		case suffix != "" && errors.As(err, &bad):
			return &fs.PathError{Op: "open", Path: path, Err: fstore.Errorf(fstore.ErrInvalid, "cannot be opened: %s %s", path+suffix, bad.Message)}
		default:
			return err
		}
	}
	return nil
}

// DirFS is os.DirFS, but opens only folders and regular files. It lists other files.
func DirFS(dir string) fs.FS { return folder{os.DirFS(dir), dir} }

type folder struct {
	fs.FS
	dir string
}

// Open opens a folder or a regular file.
func (f folder) Open(name string) (fs.File, error) {
	info, err := fs.Stat(f.FS, name)
	if err != nil || info.IsDir() {
		return f.FS.Open(name)
	}
	return Open(filepath.Join(f.dir, filepath.FromSlash(name)), AnySize)
}

// Stat describes a file of any kind, without opening it.
func (f folder) Stat(name string) (fs.FileInfo, error) { return fs.Stat(f.FS, name) }

// ReadDir lists a folder.
func (f folder) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(f.FS, name) }

// Cause returns the cause of a file error without operation and path, which the message gives in its own words. Any
// other error stays as it is.
func Cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
