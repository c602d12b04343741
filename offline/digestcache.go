package offline

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	stdsync "sync"
	"time"

	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// digests gives the digests of files, and remembers them so that a big source is read once for all its training sets.
// A digest holds as long as a file's size, times and inode are what they were. Its ctime is among them: nobody can
// set it back, as tools do with the mtime.
type digests struct {
	file  string        // where they are kept; empty: nowhere
	probe string        // a file to learn the file system's time from
	rest  time.Duration // settled, or shorter in tests

	mu    stdsync.Mutex          // guards what follows
	known map[string]knownDigest // nil: not read yet
	news  bool
	clock time.Time // the file system's, at some time in the past
}

// knownDigest is what is known of a file as long as it stays what it was.
type knownDigest struct {
	fileID
	SHA256 string   `json:"sha256,omitempty"` // empty: it was not digested
	Right  []string `json:"right,omitempty"`  // columns of which the statistics in the footer are right (checkFooter)
}

// fileID tells whether a file is still what it was.
type fileID struct {
	Size    int64  `json:"size"`
	Changed int64  `json:"changed"` // ctime in nanoseconds
	Written int64  `json:"written"` // mtime in nanoseconds
	Inode   uint64 `json:"inode"`
}

// maxDigests bounds the file in which digests are remembered: that of 500,000 files. A larger one remembers nothing.
const maxDigests = 128 << 20

// settled is how long a file must have been left alone before its digest is remembered: within the resolution of a
// file system's times it could change again without that being seen.
const settled = 2 * time.Second

// newDigests returns the digests that a file remembers. It is read when one is asked for.
func newDigests(file, scratch string) *digests {
	return &digests{file: file, probe: filepath.Join(scratch, "now"), rest: settled}
}

// remembered returns what is known of a path.
func (d *digests) remembered(path string) (knownDigest, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = d.load()
	}
	k, ok := d.known[path]
	return k, ok
}

// remember adds what is known of a path to what is remembered of the same file.
func (d *digests) remember(path string, k knownDigest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = d.load()
	}
	d.known[path], d.news = k.with(d.known[path]), true
}

// with adds what was known of the same file before.
func (k knownDigest) with(was knownDigest) knownDigest {
	if was.fileID != k.fileID {
		return k
	}
	if k.SHA256 == "" {
		k.SHA256 = was.SHA256
	}
	for _, c := range was.Right {
		if !slices.Contains(k.Right, c) {
			k.Right = append(slices.Clone(k.Right), c)
		}
	}
	return k
}

// load reads the file. One that cannot be read remembers nothing.
func (d *digests) load() map[string]knownDigest {
	var known map[string]knownDigest
	if text, err := regular.Read(d.file, maxDigests); err != nil || json.Unmarshal(text, &known) != nil || known == nil {
		return map[string]knownDigest{}
	}
	return known
}

// of returns the digest of a file as it is now.
func (d *digests) of(ctx context.Context, path string) (*lock.File, error) {
	info, err := regular.Stat(path)
	if err != nil {
		return nil, err
	}
	if k, ok := d.remembered(path); ok && k.SHA256 != "" && k.fileID == known(info, "").fileID {
		return &lock.File{Path: path, Size: k.Size, SHA256: k.SHA256}, nil
	}
	return d.read(ctx, path)
}

// read reads a file for its digest, whatever is remembered.
func (d *digests) read(ctx context.Context, path string) (*lock.File, error) {
	f, info, err := digestFile(ctx, path, io.Discard)
	if err != nil {
		return nil, err
	}
	if k := known(info, f.SHA256); d.file != "" && d.isSettled(info) {
		d.remember(path, k)
	}
	return f, nil
}

// isSettled reports whether a file was left alone for so long that any further change shows in its times.
func (d *digests) isSettled(info os.FileInfo) bool {
	k := known(info, "")
	last := time.Unix(0, max(k.Changed, k.Written))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clock.Sub(last) <= d.rest { // it may be later by now
		if now, err := d.now(); err == nil {
			d.clock = now
		}
	}
	return d.clock.Sub(last) > d.rest
}

func known(info os.FileInfo, sha string) knownDigest {
	changed, inode := changedAt(info)
	return knownDigest{fileID: fileID{Size: info.Size(), Changed: changed, Written: info.ModTime().UnixNano(), Inode: inode}, SHA256: sha}
}

// now returns the time by the file system, which stamps the files.
func (d *digests) now() (time.Time, error) {
	if err := os.WriteFile(d.probe, nil, 0o600); err != nil {
		return time.Time{}, err
	}
	if err := os.Truncate(d.probe, 0); err != nil {
		return time.Time{}, err
	}
	info, err := os.Stat(d.probe)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), os.Remove(d.probe)
}

// save writes what is new. What another process has saved meanwhile stays, and files that are gone are forgotten.
func (d *digests) save() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.news || d.file == "" {
		return nil
	}
	all := d.load()
	for path, k := range d.known {
		all[path] = k.with(all[path])
	}
	for path := range all {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			delete(all, path)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.file), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(d.file), "."+filepath.Base(d.file)+"-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), d.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	d.news = false
	return nil
}
