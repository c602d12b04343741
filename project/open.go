package project

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
	registrysqlite "github.com/fstore-dev/fstore/registry/sqlite"
)

// registry opens a registry that has been applied to. The caller must close it. It is open for one operation only,
// because its file may be replaced, for example by a restored copy. It returns ErrNotReady if there is none yet.
func (p *Project) registry(ctx context.Context) (*registry.Store, error) {
	if err := registryExists(p.Settings); err != nil {
		return nil, err
	}
	return openRegistry(ctx, p.Settings.Registry)
}

// openRegistry opens a registry for reading and writing, and creates it if there is none. Only it, readRegistry and
// watchRegistry know which backend a URL means.
func openRegistry(ctx context.Context, url URL) (*registry.Store, error) {
	b, err := registrysqlite.Open(ctx, url.reveal())
	if err != nil {
		return nil, err
	}
	return registry.New(b), nil
}

// readRegistry opens a registry for reading. A registry that does not exist is empty, and is not created.
func readRegistry(ctx context.Context, url URL) (*registry.Store, error) {
	b, err := registrysqlite.OpenReadOnly(ctx, url.reveal())
	if err != nil {
		return nil, err
	}
	return registry.New(b), nil
}

// watchRegistry follows a project of a registry. It holds no file open.
func watchRegistry(url URL, project string) (*registry.Follower, error) {
	w, err := registrysqlite.Watch(url.reveal(), project)
	if err != nil {
		return nil, err
	}
	return registry.Follow(w, project), nil
}

func registryExists(s *Settings) error {
	if _, err := os.Stat(s.Registry.path()); errors.Is(err, fs.ErrNotExist) {
		return fstore.Errorf(fstore.ErrNotReady, "there is no registry yet at %s", s.Registry).WithHint("run fstore apply")
	}
	return nil
}

// nothingApplied is the error for a project that is not in the registry.
func (s *Settings) nothingApplied() error {
	return fstore.Errorf(fstore.ErrNotReady, "nothing has been applied to project %s at %s yet", s.Project, s.Registry).WithHint("run fstore apply")
}

// openedEngine returns the offline engine of the repo.
func (p *Project) openedEngine() (*offline.Engine, error) {
	p.once.Do(func() { p.options.BeforeEngine(p.Settings) })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.engine != nil || p.closed {
		return p.engine, p.usable()
	}
	s := p.Settings
	o := offline.Options{Threads: s.Threads, MemoryLimit: s.MemoryLimit, TempDir: s.TempDir, Dir: s.Dir, Lookup: p.options.Lookup}
	if s.State != "" {
		o.Digests = filepath.Join(s.State, "digests.json")
	}
	engine, err := offline.Open(o)
	if err != nil {
		return nil, err
	}
	p.engine = engine
	return engine, nil
}

// openedStore returns the online store, which may not be connected yet.
func (p *Project) openedStore() (*online.Store, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.store != nil || p.closed {
		return p.store, p.usable()
	}
	store, err := p.Settings.openStore()
	if err != nil {
		return nil, err
	}
	p.store = store
	p.store.Limits = online.Limits{} // the limits protect servers: here the caller only blocks itself
	return p.store, nil
}

func (s *Settings) openStore() (*online.Store, error) {
	b, err := s.openBackend()
	if err != nil {
		return nil, err
	}
	return online.New(b, s.Project), nil
}

func (s *Settings) openBackend() (online.Backend, error) {
	b, err := openBackend(s.Online)
	if err != nil {
		return nil, fmt.Errorf("open the online store %s: %w", s.Online, err)
	}
	return b, nil
}

// openBackend is the only function that knows which backend a URL means.
func openBackend(url URL) (online.Backend, error) {
	switch {
	case url.scheme() == "sqlite":
		return sqlite.Open(url.path())
	case url.isRedis():
		return redis.Open(url.reveal())
	}
	return nil, fstore.Errorf(fstore.ErrInvalid, "%q is not an online store's URL", url)
}
