package trainset

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// Digests returns the digests of files and remembers them, so that a big source is read once for all its training sets.
// A remembered digest counts as long as the file's size, times and inode are what they were. It is safe for concurrent
// use.
type Digests struct {
	file  string        // where digests are saved; empty: nowhere
	probe string        // a file that is written to learn the file system's time
	rest  time.Duration // Settled, except in tests

	mu    sync.Mutex            // guards the fields below
	files map[string]remembered // by path; nil: the file has not been loaded
	dirty bool                  // files has entries that are not saved
	clock time.Time             // the file system's time when it was last asked
}

// remembered is what Digests knows of a file, for as long as the file keeps its identity.
type remembered struct {
	FileID
	SHA256 string   `json:"sha256,omitempty"` // empty: the file was never digested
	Right  []string `json:"right,omitempty"`  // columns that passed CheckColumns
}

// FileID changes whenever a file changes, except within the resolution of the file system's times.
type FileID struct {
	Size    int64  `json:"size"`
	Changed int64  `json:"changed"` // ctime in nanoseconds
	Written int64  `json:"written"` // mtime in nanoseconds
	Inode   uint64 `json:"inode"`
}

// Identify returns the identity of a file.
func Identify(info os.FileInfo) FileID {
	changed, inode := changedAt(info)
	return FileID{Size: info.Size(), Changed: changed, Written: info.ModTime().UnixNano(), Inode: inode}
}

// IsSettled reports whether, at an instant by the file system's clock, a file had been left alone for so long that any
// further change shows in its identity.
func (id FileID) IsSettled(now time.Time) bool { return id.hasRested(now, Settled) }

func (id FileID) hasRested(now time.Time, rest time.Duration) bool {
	return now.Sub(time.Unix(0, max(id.Changed, id.Written))) > rest
}

// Settled is how long nothing must have written a file before its identity is relied on. File systems tell times so
// coarsely that a second change soon after the first could go unseen.
const Settled = 2 * time.Second

// maxCacheBytes limits the file of remembered digests: room for 500,000 files. A larger file is ignored.
const maxCacheBytes = 128 << 20

// NewDigests returns the digests that a file remembers; an empty name remembers none. It loads the file when the first
// digest is asked for. scratch is a folder for a file that tells the time.
func NewDigests(file, scratch string) *Digests {
	return &Digests{file: file, probe: filepath.Join(scratch, "now"), rest: Settled}
}

// TrustAfter changes how long a file must have been left alone before its identity is relied on, for tests.
func (d *Digests) TrustAfter(rest time.Duration) { d.rest = rest }

// lookup returns what is remembered of a path.
func (d *Digests) lookup(path string) (remembered, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		d.files = d.load()
	}
	k, ok := d.files[path]
	return k, ok
}

// remember adds to what is remembered of a file.
func (d *Digests) remember(path string, k remembered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		d.files = d.load()
	}
	d.files[path], d.dirty = k.merge(d.files[path]), true
}

// merge adds what was remembered of the same file before.
func (k remembered) merge(before remembered) remembered {
	if before.FileID != k.FileID {
		return k
	}
	if k.SHA256 == "" {
		k.SHA256 = before.SHA256
	}
	for _, c := range before.Right {
		if !slices.Contains(k.Right, c) {
			k.Right = append(slices.Clone(k.Right), c)
		}
	}
	return k
}

// load reads the file of remembered digests. A file that cannot be read counts as empty.
func (d *Digests) load() map[string]remembered {
	var files map[string]remembered
	if text, err := regular.Read(d.file, maxCacheBytes); err != nil || json.Unmarshal(text, &files) != nil || files == nil {
		return map[string]remembered{}
	}
	return files
}

// Of returns the digest of a file as it is now.
func (d *Digests) Of(ctx context.Context, path string) (*lock.File, error) {
	info, err := regular.Stat(path)
	if err != nil {
		return nil, err
	}
	if k, ok := d.lookup(path); ok && k.SHA256 != "" && k.FileID == Identify(info) {
		return &lock.File{Path: path, Size: k.Size, SHA256: k.SHA256}, nil
	}
	return d.Read(ctx, path)
}

// Known returns the remembered SHA-256 of a file with an identity; empty: none is remembered.
func (d *Digests) Known(path string, id FileID) string {
	if k, ok := d.lookup(path); ok && k.FileID == id {
		return k.SHA256
	}
	return ""
}

// Read reads a file for its digest, whatever is remembered.
func (d *Digests) Read(ctx context.Context, path string) (*lock.File, error) {
	f, info, err := digestFile(ctx, path, io.Discard)
	if err != nil {
		return nil, err
	}
	if d.file != "" && d.isSettled(info) {
		d.remember(path, remembered{FileID: Identify(info), SHA256: f.SHA256})
	}
	return f, nil
}

// CheckColumns calls check with those columns of a file that have not passed it yet. It remembers the columns that pass,
// for as long as the file does not change.
func (d *Digests) CheckColumns(path string, columns []string, check func(columns []string) error) error {
	info, err := os.Stat(path)
	if err != nil {
		return regular.ReadError(path, err)
	}
	k, _ := d.lookup(path)
	if k.FileID != Identify(info) {
		k = remembered{FileID: Identify(info)}
	}
	columns = slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return slices.Contains(k.Right, c) })
	if len(columns) == 0 {
		return nil
	}
	if err := check(columns); err != nil {
		return err
	}
	if now, err := os.Stat(path); err == nil && Identify(now) == k.FileID && d.isSettled(now) {
		k.Right = append(slices.Clone(k.Right), columns...)
		d.remember(path, k)
	}
	return nil
}

// isSettled reports whether a file was left alone for so long that any further change shows in its identity.
func (d *Digests) isSettled(info os.FileInfo) bool {
	id := Identify(info)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !id.hasRested(d.clock, d.rest) { // it may have by now
		if now, err := d.Now(); err == nil {
			d.clock = now
		}
	}
	return id.hasRested(d.clock, d.rest)
}

// Now returns the file system's time, with which it stamps files.
func (d *Digests) Now() (time.Time, error) {
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

// Save writes the file of remembered digests. It keeps what other processes have saved meanwhile, and forgets files that
// are gone.
func (d *Digests) Save() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dirty || d.file == "" {
		return nil
	}
	all := d.load()
	for path, k := range d.files {
		all[path] = k.merge(all[path])
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
	if err := regular.Replace(d.file, text); err != nil {
		return err
	}
	d.dirty = false
	return nil
}
