package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/sqlite"
	"github.com/fstore-dev/fstore/registry"
)

// openEngine opens the offline engine of a repo.
func (a *app) openEngine(s *Settings) (*offline.Engine, error) {
	o := offline.Options{Threads: s.Threads, MemoryLimit: s.MemoryLimit, TempDir: s.TempDir, Dir: s.Dir, Lookup: a.lookup}
	if s.State != "" {
		o.Digests = filepath.Join(s.State, "digests.json")
	}
	if megabytes, ok := parseMemory(s.MemoryLimit); ok {
		a.watched.Do(func() { a.watchMemory(megabytes) })
	}
	return offline.Open(o)
}

// openExisting opens a registry that something was applied to.
func openExisting(ctx context.Context, s *Settings) (*registry.DB, error) {
	if _, err := os.Stat(s.Registry.path()); errors.Is(err, fs.ErrNotExist) {
		return nil, fstore.Errorf(fstore.ErrNotReady, "there is no registry yet at %s", s.Registry).WithHint("run fstore apply")
	}
	return registry.Open(ctx, s.Registry.reveal())
}

// openRegistry opens the registry of the repo, to which something was applied, and returns its settings, too.
func (a *app) openRegistry(ctx context.Context) (*Settings, *registry.DB, error) {
	s, err := a.settings()
	if err != nil {
		return nil, nil, err
	}
	db, err := openExisting(ctx, s)
	return s, db, err
}

// nothingApplied is the error of commands that have nothing to do for a project that the registry does not know.
func nothingApplied(s *Settings) error {
	return fstore.Errorf(fstore.ErrNotReady, "nothing was applied to project %s at %s yet", s.Project, s.Registry).WithHint("run fstore apply")
}

// withSnapshot reads the registry as it is now.
func withSnapshot(ctx context.Context, s *Settings, f func(*registry.Snapshot) error) error {
	db, err := openExisting(ctx, s)
	if err != nil {
		return err
	}
	defer db.Close()
	snap, err := db.Snapshot(ctx, s.Project)
	if err != nil {
		return err
	}
	return f(snap)
}

// openStore opens the online store. It does not connect yet.
func openStore(s *Settings) (*online.Store, error) {
	b, err := openBackend(s.Online)
	if err != nil {
		return nil, fmt.Errorf("open the online store %s: %w", s.Online, err)
	}
	return online.New(b, s.Project), nil
}

// openBackend is the one place that knows which backend a URL means.
func openBackend(url URL) (online.Backend, error) {
	switch url.scheme() {
	case "sqlite":
		return sqlite.Open(url.path())
	case "redis", "rediss", "unix":
		return redis.Open(url.reveal())
	}
	return nil, fstore.Errorf(fstore.ErrInvalid, "%q is not an online store's URL", url)
}
