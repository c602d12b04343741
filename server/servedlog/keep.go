package servedlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is a file of the log.
type file struct {
	path  string
	begun time.Time
	size  int64
}

// listFiles returns the files in the folder of a log, the oldest first. Files with other names are not the log's, and stay.
func listFiles(folder string) (files []file, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		at, ours := begunAt(d.Name())
		if !ours {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			files = append(files, file{path, at, info.Size()})
		}
		return err
	})
	slices.SortFunc(files, func(a, b file) int { return a.begun.Compare(b.begun) })
	return files, err
}

// suffixes are those of the log's files. The longest of two that fit comes first.
var suffixes = []string{damagedSuffix, sumsSuffix, streamSuffix, sealingSuffix, sealedSuffix}

// base returns the path that a stream, its sums and its sealed file have in common.
func (f file) base() string {
	path := f.path
	for _, s := range suffixes {
		path = strings.TrimSuffix(path, s)
	}
	return path
}

// begunAt returns when a file of the log was begun, by its name, or false if it is not the log's.
func begunAt(name string) (time.Time, bool) {
	if !slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
		return time.Time{}, false
	}
	begun, _, _ := strings.Cut(name, "-")
	at, err := time.Parse(nameTime, begun)
	return at, err == nil
}

// keep deletes the sealed and the damaged files that are too old, and then the oldest as long as all files are too large.
func (l *Log) keep(now time.Time, files []file) {
	size := int64(0)
	for _, f := range files {
		size += f.size
	}
	oldest := now.Add(-l.options.Keep)
	for _, f := range files {
		old := l.options.Keep > 0 && hourOf(f.begun).Add(time.Hour).Before(oldest)
		large := l.options.MaxBytes > 0 && size > l.options.MaxBytes
		finished := strings.HasSuffix(f.path, sealedSuffix) || strings.HasSuffix(f.path, damagedSuffix)
		if !finished || !old && !large {
			continue
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.sweeping.fail(now, deleting, err, "file", f.path)
			continue
		}
		size -= f.size
		_ = os.Remove(filepath.Dir(f.path)) // if nothing is left in it
	}
}
