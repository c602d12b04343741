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

// begunAt returns when a file of the log was begun, by its name, or false if it is not the log's.
func begunAt(name string) (time.Time, bool) {
	if !slices.Contains([]string{streamSuffix, sealedSuffix, sumsSuffix}, filepath.Ext(name)) {
		return time.Time{}, false
	}
	begun, _, _ := strings.Cut(name, "-")
	at, err := time.Parse(nameTime, begun)
	return at, err == nil
}

// keep deletes the sealed files that are too old, and then the oldest as long as all files are too large.
func (l *Log) keep(files []file) {
	size := int64(0)
	for _, f := range files {
		size += f.size
	}
	oldest := l.options.Clock().Add(-l.options.Keep)
	for _, f := range files {
		old := l.options.Keep > 0 && hourOf(f.begun).Add(time.Hour).Before(oldest)
		large := l.options.MaxBytes > 0 && size > l.options.MaxBytes
		if !strings.HasSuffix(f.path, sealedSuffix) || !old && !large {
			continue
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.options.Logger.Error("a file of the served log cannot be deleted", "file", f.path, "error", err)
			continue
		}
		size -= f.size
		_ = os.Remove(filepath.Dir(f.path)) // if nothing is left in it
	}
}
