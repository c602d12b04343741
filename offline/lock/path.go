package lock

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Bounds of a path in a lock: no file system that fstore runs on opens a longer one.
const (
	maxPath = 4096 // bytes of a path
	maxStep = 255  // bytes of a folder's or file's name
)

// check returns an error that begins with the wrong field, unless a file is as fstore writes it.
func (f *File) check() error {
	if err := checkPath(f.Path); err != nil {
		return fmt.Errorf("path: %.300q %w", f.Path, err)
	}
	if !sha256Name.MatchString(f.SHA256) {
		return fmt.Errorf("sha256: %.80q is not 64 hexadecimal digits in lower case", f.SHA256)
	}
	if f.Size < 0 {
		return fmt.Errorf("size: %d is negative", f.Size)
	}
	return nil
}

// checkPath returns an error unless a path names one place: it is absolute, and has no steps such as .. that lead out of
// a folder to which it may be joined.
func checkPath(path string) error {
	switch {
	case strings.ContainsRune(path, 0):
		return errors.New("contains a zero byte")
	case len(path) > maxPath:
		return fmt.Errorf("is longer than %d bytes", maxPath)
	case !filepath.IsAbs(path) || filepath.Clean(path) != path:
		return errors.New("is not a clean absolute path: it has to begin at the root and must not contain . or .. or an empty step")
	}
	for _, step := range strings.Split(path, string(filepath.Separator)) {
		if len(step) > maxStep {
			return fmt.Errorf("has a step longer than %d bytes", maxStep)
		}
	}
	return nil
}

// sha256Name is a digest as fstore writes it.
var sha256Name = regexp.MustCompile("^[0-9a-f]{64}$")
