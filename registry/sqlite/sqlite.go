// Package sqlite is a registry.Backend in one SQLite file, for one machine. Several processes may use the file at once:
// writers take turns, and readers never wait for one (WAL).
package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Backend is a registry in a file. It is safe for concurrent use.
type Backend struct {
	db     *sql.DB // nil: opened for reading, and there is no registry yet
	schema int     // that it had when it was opened
	self   func() (Holder, error)
	closed atomic.Bool

	// writing holds one while a transaction of this process writes. SQLite lets a writer that waits sleep for many
	// milliseconds; here it goes on at once.
	writing chan struct{}
}

// Open opens the registry of a URL, sqlite:///abs/path or sqlite://path, and creates it if there is none. The error is
// ErrInvalid for a URL or file that is not a registry, or one of a newer fstore, and ErrUnavailable where the file cannot
// be used now. A file that is not a registry is not changed.
func Open(ctx context.Context, url string) (*Backend, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	if _, err := regularFile(url, path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fileError(url, err)
	}
	b, err := open(url, dsn(path, "synchronous(full)"))
	if err != nil {
		return nil, err
	}
	if err := b.prepare(ctx); err != nil {
		_ = b.Close() // the first error is the one to tell
		return nil, about("open registry "+url, failed(ctx, err))
	}
	return b, nil
}

// OpenReadOnly opens a registry for reading. A registry that does not exist yet is empty, and is not created.
func OpenReadOnly(ctx context.Context, url string) (*Backend, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	size, err := regularFile(url, path)
	if err != nil {
		return nil, err
	}
	none := &Backend{self: sync.OnceValues(self)}
	if size == 0 {
		return none, nil
	}
	b, err := open(url, dsn(path, "query_only(1)")+"&mode=rw") // mode=rw: does not make a file that was removed just now
	if err != nil {
		return nil, err
	}
	b.schema, err = schemaOf(ctx, b.db)
	if err == nil && b.schema > 0 {
		return b, nil
	}
	_ = b.Close() // the first error is the one to tell
	if err != nil {
		return nil, about("open registry "+url, failed(ctx, err))
	}
	return none, nil
}

func open(url, dsn string) (*Backend, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "open registry %s: %s", url, err)
	}
	return &Backend{db: db, self: sync.OnceValues(self), writing: make(chan struct{}, 1)}, nil
}

// Close implements registry.Backend.
func (b *Backend) Close() error {
	if b.closed.Swap(true) || b.db == nil {
		return nil
	}
	return b.db.Close()
}

// usable returns ErrUnavailable once the backend is closed.
func (b *Backend) usable() error {
	if b.closed.Load() {
		return fstore.Errorf(fstore.ErrUnavailable, "the registry is closed")
	}
	return nil
}

// Read implements registry.Backend.
func (b *Backend) Read(ctx context.Context, project string, do func(record.Tx) error) error {
	if err := b.usable(); err != nil {
		return err
	}
	if b.db == nil {
		return do(&tx{})
	}
	return b.transact(ctx, &sql.TxOptions{ReadOnly: true}, func(in *sql.Tx) error {
		return do(&tx{in, project, b.schema})
	})
}

// Write implements registry.Backend. The transaction locks out other writers from its start.
func (b *Backend) Write(ctx context.Context, project string, do func(record.Tx) error) error {
	if err := b.usable(); err != nil {
		return err
	}
	if b.db == nil {
		return fstore.Errorf(fstore.ErrInvalid, "there is no registry to write to: it was opened for reading")
	}
	select {
	case b.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.writing }()
	return b.transact(ctx, &sql.TxOptions{}, func(in *sql.Tx) error {
		return do(&tx{in, project, b.schema})
	})
}

func (b *Backend) transact(ctx context.Context, opts *sql.TxOptions, do func(*sql.Tx) error) error {
	in, err := b.db.BeginTx(ctx, opts)
	if err != nil {
		return failed(ctx, err)
	}
	defer in.Rollback() // does nothing after Commit
	if err := do(in); err != nil {
		return err
	}
	return failed(ctx, in.Commit())
}

// Projects implements registry.Backend.
func (b *Backend) Projects(ctx context.Context) (names []string, err error) {
	if err := b.usable(); err != nil || b.db == nil {
		return nil, err
	}
	rows, err := b.db.QueryContext(ctx, "select project from projects union select project from training_sets order by project")
	if err != nil {
		return nil, failed(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, failed(ctx, err)
		}
		names = append(names, name)
	}
	return names, failed(ctx, rows.Err())
}
