package registry

import (
	"context"
	"database/sql"
	_ "embed" // the schema
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fstore-dev/fstore"
)

//go:embed schema.sql
var schema1 string

//go:embed schema2.sql
var schema2 string

// schemas are what makes each schema out of the one before it, the first out of an empty file. PRAGMA user_version
// holds how many of them a registry has. More than there are were written by a newer fstore.
var schemas = []string{schema1, schema2}

// DB is a registry database: SQLite, which several processes of one machine may use at a time.
type DB struct{ db *sql.DB }

// Open opens the registry of a URL, sqlite:///abs/path or sqlite://path, and creates it if there is none. The
// error is ErrInvalid for a URL or file that is not a registry, or one of a newer fstore, and ErrUnavailable
// where the file cannot be used now.
func Open(ctx context.Context, url string) (*DB, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fstore.Errorf(fstore.ErrUnavailable, "open registry %s: %s", url, err)
	}
	return open(ctx, url, dsn(path, "journal_mode(wal)", "synchronous(full)"), readWrite)
}

// OpenReadOnly opens a registry for reading. One that does not exist yet is seen as empty and is not created.
func OpenReadOnly(ctx context.Context, url string) (*DB, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0:
		return open(ctx, url, "file::memory:?_txlock=immediate", readWrite)
	case err != nil:
		return nil, fstore.Errorf(fstore.ErrUnavailable, "open registry %s: %s", url, err)
	}
	return open(ctx, url, dsn(path, "query_only(1)")+"&mode=rw", readOnly) // else a file that was removed since would be made
}

func sqlitePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite://")
	if !ok || path == "" {
		return "", fstore.Errorf(fstore.ErrInvalid, "%q is not the URL of a registry", url).WithHint("registry: sqlite://.fstore/registry.db")
	}
	return path, nil
}

func dsn(path string, pragmas ...string) string {
	s := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"
	for _, p := range pragmas {
		s += "&_pragma=" + p
	}
	return s
}

// access is what a registry is opened for.
type access int

const (
	readWrite access = iota
	readOnly
)

func open(ctx context.Context, url, dsn string, access access) (*DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "open registry %s: %s", url, err)
	}
	if strings.HasPrefix(dsn, "file::memory:") {
		db.SetMaxOpenConns(1) // each connection would have a database of its own
	}
	r := &DB{db}
	if err := r.migrate(ctx, access); err != nil {
		db.Close()
		return nil, wrap("open registry "+url, err)
	}
	return r, nil
}

// Close closes the database.
func (r *DB) Close() error { return r.db.Close() }

// migrate creates the schema in an empty database, adds to an older one what it lacks, and refuses those that this
// build does not know. An older registry that is opened for reading stays as it is: what it lacks is empty.
func (r *DB) migrate(ctx context.Context, access access) error {
	version, err := schemaOf(ctx, r.db)
	switch {
	case err != nil || version == len(schemas):
		return err
	case version > len(schemas):
		return fstore.Errorf(fstore.ErrInvalid, "it has schema %d, this fstore knows %d", version, len(schemas)).WithHint("use the newer fstore that wrote it")
	case version > 0 && access == readOnly:
		return nil
	}
	return r.write(ctx, func(tx *sql.Tx) error {
		version, err := schemaOf(ctx, tx)
		if err != nil {
			return err
		}
		tables := 0
		if err := tx.QueryRowContext(ctx, "select count(*) from sqlite_schema").Scan(&tables); err != nil {
			return err
		}
		if version < 0 || version == 0 && tables > 0 {
			return fstore.Errorf(fstore.ErrInvalid, "it is a database of something else").WithHint("registry: names a file of its own")
		}
		for ; version < len(schemas); version++ { // none, where another process was first
			if _, err := tx.ExecContext(ctx, schemas[version]+fmt.Sprintf("pragma user_version = %d;", version+1)); err != nil {
				return err
			}
		}
		return nil
	})
}

// schemaOf returns how many of schemas a registry has.
func schemaOf(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (version int, err error) {
	err = q.QueryRowContext(ctx, "pragma user_version").Scan(&version)
	return version, err
}

// write runs f in a transaction that locks out other writers from its start; all of it happens or nothing.
func (r *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	return r.transact(ctx, &sql.TxOptions{}, f)
}

// read runs f in a transaction that sees one state.
func (r *DB) read(ctx context.Context, f func(*sql.Tx) error) error {
	return r.transact(ctx, &sql.TxOptions{ReadOnly: true}, f)
}

func (r *DB) transact(ctx context.Context, opts *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // the first error is the one to tell
		return err
	}
	return tx.Commit()
}

// wrap says what was being done, and gives errors of SQLite their kind.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	var known *fstore.Error
	if errors.As(err, &known) {
		c := *known
		c.Message = doing + ": " + c.Message
		return &c
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	kind, hint := fstore.ErrUnavailable, ""
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY:
			hint = "another process is writing to it, or was stopped while it did"
		case sqlite3.SQLITE_CORRUPT:
			kind, hint = fstore.ErrCorrupt, "restore the file from a backup"
		case sqlite3.SQLITE_NOTADB:
			kind, hint = fstore.ErrInvalid, "registry: names a file of its own; if this was one, restore it from a backup"
		case sqlite3.SQLITE_READONLY:
			kind, hint = fstore.ErrInvalid, "make the file and its folder writable"
		}
	}
	return fstore.Errorf(kind, "%s: %s", doing, err).WithHint("%s", hint)
}

// Revision returns the revision of a project: 0 before its first apply. It rises with every apply, promotion and
// change of a model.
func (r *DB) Revision(ctx context.Context, project string) (int64, error) {
	var revision int64
	err := r.db.QueryRowContext(ctx, "select revision from projects where project = ?", project).Scan(&revision)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return revision, wrap("read registry", err)
}
