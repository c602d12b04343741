package sqlite

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

func sqlitePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite://")
	if !ok || path == "" {
		return "", fstore.Errorf(fstore.ErrInvalid, "%q is not the URL of a registry", url).WithHint("registry: sqlite://.fstore/registry.db")
	}
	return path, nil
}

// regularFile returns the size of a file, 0 where there is none yet. It is an error if the path, or that of a file which
// SQLite keeps beside it, names anything but a regular file.
func regularFile(url, path string) (int64, error) {
	var bad *fstore.Error
	switch err := regular.Database(path); {
	case errors.As(err, &bad):
		return 0, fstore.Errorf(fstore.ErrInvalid, "open registry %s: it %s", url, bad.Message).WithHint(ownFile)
	case err != nil:
		return 0, fileError(url, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, fileError(url, err)
	}
	return info.Size(), nil
}

const ownFile = "registry: names a file of its own"

// fileError says why a file cannot be reached: the cause stays until somebody removes it, unless a disk is full or away.
func fileError(url string, err error) error {
	kind := fstore.ErrInvalid
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE) {
		kind = fstore.ErrUnavailable
	}
	return fstore.Errorf(kind, "open registry %s: %s", url, err).WithHint("registry: names a file in a folder that can be written")
}

func dsn(path string, pragmas ...string) string {
	s := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"
	for _, p := range pragmas {
		s += "&_pragma=" + p
	}
	return s
}

// about says what was being done.
func about(doing string, err error) error {
	var known *fstore.Error
	if err == nil || !errors.As(err, &known) {
		return err
	}
	c := *known
	c.Message = doing + ": " + c.Message
	return &c
}
