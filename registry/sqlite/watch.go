package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Watcher is a registry.Watcher. It holds no file open between two looks, and opens none if nothing was written since the
// last looks: SQLite keeps a log beside a file that is open anywhere, and whoever replaces the file would leave the old
// log to the new file.
type Watcher struct {
	url, path string
	project   string

	files [2]written  // the registry and its log, as they were at the last look
	still bool        // they were the same at the look before, so nothing can have been written unseen
	info  os.FileInfo // of the file that was read last; nil: none yet
	seen  record.Seen // what that file said
}

// written is what changes with a file's content.
type written struct {
	there bool
	size  int64
	at    time.Time
}

// Watch returns a Watcher of a project in the registry of a URL. It opens nothing. The error is ErrInvalid for any other
// URL.
func Watch(url, project string) (*Watcher, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	return &Watcher{url: url, path: path, project: project}, nil
}

// Look implements registry.Watcher.
func (w *Watcher) Look(ctx context.Context) (record.Seen, error) {
	info, err := os.Stat(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		w.still = false
		return record.Seen{}, fstore.Errorf(fstore.ErrUnavailable, "registry %s: the file is gone", w.url).WithHint("restore it from a backup, or run fstore apply")
	}
	if err != nil {
		return record.Seen{}, fstore.Errorf(fstore.ErrUnavailable, "registry %s: %s", w.url, err)
	}
	same := w.info != nil && os.SameFile(w.info, info)
	now := [2]written{writtenAt(w.path), writtenAt(w.path + "-wal")}
	if same && w.still && now == w.files {
		return w.seen, nil
	}
	w.still = same && now == w.files
	w.files = now
	var p record.Project
	err = w.Read(ctx, func(tx record.Tx) error {
		_, err := tx.Get(ctx, &p)
		return about("read registry "+w.url, err)
	})
	if err == nil && p.Revision == 0 && w.seen.Revision > 0 { // the file is being made, or is that of another registry
		err = fstore.Errorf(fstore.ErrNotReady, "registry %s: nothing has been applied to project %s in this file", w.url, w.project).
			WithHint("restore the registry from a backup, or run fstore apply")
	}
	if err != nil {
		w.still = false
		return record.Seen{}, err
	}
	if w.seen.Revision = p.Revision; !same {
		w.seen.Storage++
	}
	w.info = info
	return w.seen, nil
}

func writtenAt(path string) written {
	info, err := os.Stat(path)
	if err != nil {
		return written{}
	}
	return written{true, info.Size(), info.ModTime()}
}

// Read implements registry.Watcher.
func (w *Watcher) Read(ctx context.Context, do func(record.Tx) error) error {
	b, err := OpenReadOnly(ctx, w.url)
	if err != nil {
		return err
	}
	defer b.Close()
	return b.Read(ctx, w.project, do)
}
