package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/fstore-dev/fstore"
)

// Follower looks at a project of a registry again and again, whatever becomes of the file: it may be away, and may be
// replaced by another one, such as a copy that is restored. No file is held open between two looks, and none is opened
// where nothing was written since the last ones: SQLite keeps a log beside a file that is open anywhere, and whoever
// replaced the file would leave the old one's log to it. One goroutine uses a Follower at a time.
type Follower struct {
	url, path string
	project   string

	files [2]written  // the registry and its log, as they were at the last look
	still bool        // they were so at the look before too, so that nothing can have been written since unseen
	info  os.FileInfo // of the file that was read last; nil: none yet
	seen  Seen        // what it said
}

// Seen is a state of a project that a Follower has seen.
type Seen struct {
	File     int64 // counts the files that were found under the registry's name
	Revision int64 // of the project in it
}

// written is what changes with a file's content.
type written struct {
	there bool
	size  int64
	at    time.Time
}

// Follow returns a Follower of a project in the registry of a URL. It opens nothing; ErrInvalid: it is no such URL.
func Follow(url, project string) (*Follower, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	return &Follower{url: url, path: path, project: project}, nil
}

// Look returns the state of the project. ErrUnavailable: the registry is away; ErrNotReady: it does not have the
// project, which an earlier one had; and the errors of OpenReadOnly.
func (f *Follower) Look(ctx context.Context) (Seen, error) {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.still = false
		return Seen{}, fstore.Errorf(fstore.ErrUnavailable, "registry %s: the file is gone", f.url).WithHint("restore it from a backup, or run fstore apply")
	}
	if err != nil {
		return Seen{}, fstore.Errorf(fstore.ErrUnavailable, "registry %s: %s", f.url, err)
	}
	same := f.info != nil && os.SameFile(f.info, info)
	now := [2]written{writtenAt(f.path), writtenAt(f.path + "-wal")}
	if same && f.still && now == f.files {
		return f.seen, nil
	}
	f.still = same && now == f.files
	f.files = now
	revision := int64(0)
	err = f.with(ctx, func(db *DB) (err error) {
		revision, err = db.Revision(ctx, f.project)
		return err
	})
	if err == nil && revision == 0 && f.seen.Revision > 0 { // it is being made, or is another one's
		err = fstore.Errorf(fstore.ErrNotReady, "registry %s: nothing was applied to project %s in this file", f.url, f.project).
			WithHint("restore the registry from a backup, or run fstore apply")
	}
	if err != nil {
		f.still = false
		return Seen{}, err
	}
	if f.seen.Revision = revision; !same {
		f.seen.File++
	}
	f.info = info
	return f.seen, nil
}

func writtenAt(path string) written {
	info, err := os.Stat(path)
	if err != nil {
		return written{}
	}
	return written{true, info.Size(), info.ModTime()}
}

// Snapshot reads the project as it is now.
func (f *Follower) Snapshot(ctx context.Context) (snap *Snapshot, err error) {
	err = f.with(ctx, func(db *DB) (err error) {
		snap, err = db.Snapshot(ctx, f.project)
		return err
	})
	return snap, err
}

// with calls do with the registry opened.
func (f *Follower) with(ctx context.Context, do func(*DB) error) error {
	db, err := OpenReadOnly(ctx, f.url)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}
