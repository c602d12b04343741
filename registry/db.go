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
	"syscall"

	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
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
// where the file cannot be used now. A file that is not a registry is not changed.
func Open(ctx context.Context, url string) (*DB, error) {
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
	r, err := open(url, dsn(path, "synchronous(full)"))
	if err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		_ = r.db.Close()
		return nil, wrap("open registry "+url, err)
	}
	return r, nil
}

// OpenReadOnly opens a registry for reading. One that does not exist yet is seen as empty and is not created.
func OpenReadOnly(ctx context.Context, url string) (*DB, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	size, err := regularFile(url, path)
	if err != nil {
		return nil, err
	}
	if size > 0 {
		r, err := open(url, dsn(path, "query_only(1)")+"&mode=rw") // else a file that was removed since would be made
		if err != nil {
			return nil, err
		}
		schema, err := schemaOf(ctx, r.db)
		if err == nil && schema > 0 {
			return r, nil
		}
		_ = r.db.Close()
		if err != nil {
			return nil, wrap("open registry "+url, err)
		}
	}
	r, err := open(url, "file::memory:?_txlock=immediate")
	if err != nil {
		return nil, err
	}
	r.db.SetMaxOpenConns(1) // each connection would have a database of its own
	if err := r.migrate(ctx); err != nil {
		_ = r.db.Close()
		return nil, wrap("open registry "+url, err)
	}
	return r, nil
}

func sqlitePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite://")
	if !ok || path == "" {
		return "", fstore.Errorf(fstore.ErrInvalid, "%q is not the URL of a registry", url).WithHint("registry: sqlite://.fstore/registry.db")
	}
	return path, nil
}

// regularFile returns the size of a file, 0 where there is none yet, or an error if the path, or what SQLite keeps beside
// it, names something else.
func regularFile(url, path string) (int64, error) {
	var bad *fstore.Error
	switch err := regular.Database(path); {
	case errors.As(err, &bad):
		return 0, fstore.Errorf(fstore.ErrInvalid, "open registry %s: it %s", url, bad.Message).WithHint(ownFile)
	case err != nil:
		return 0, fileError(url, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, fileError(url, err)
	}
	return info.Size(), nil
}

const ownFile = "registry: names a file of its own"

// fileError says why a file cannot be reached: what is in its way stays there, unless a disk is full or away.
func fileError(url string, err error) error {
	kind := fstore.ErrInvalid
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE) {
		kind = fstore.ErrUnavailable
	}
	return fstore.Errorf(kind, "open registry %s: %s", url, err).WithHint("registry: names a file in a folder that can be written")
}

func dsn(path string, pragmas ...string) string {
	s := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"
	for _, p := range pragmas {
		s += "&_pragma=" + p
	}
	return s
}

func open(url, dsn string) (*DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "open registry %s: %s", url, err)
	}
	return &DB{db}, nil
}

// Close closes the database.
func (r *DB) Close() error { return r.db.Close() }

// rower is a database or a transaction.
type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaOf returns how many of schemas a database has, 0 where it is empty. The error is ErrInvalid for one that is not
// a registry, or is a newer fstore's.
func schemaOf(ctx context.Context, db rower) (schema int, err error) {
	var tables, ours int
	row := db.QueryRowContext(ctx, `
select user_version, (select count(*) from sqlite_schema),
  (select count(*) from sqlite_schema where type = 'table' and name in ('projects', 'versions', 'head', 'serving'))
from pragma_user_version`)
	if err := row.Scan(&schema, &tables, &ours); err != nil {
		return 0, err
	}
	switch {
	case tables == 0 && schema == 0:
		return 0, nil
	case ours < 4 || schema < 1:
		return 0, fstore.Errorf(fstore.ErrInvalid, "it is a database of something else").WithHint(ownFile)
	case schema > len(schemas):
		return 0, fstore.Errorf(fstore.ErrInvalid, "it has schema %d, this fstore knows %d", schema, len(schemas)).WithHint("use the newer fstore that wrote it")
	}
	return schema, nil
}

// prepare makes a registry of an empty database, adds to an older one what it lacks, and leaves what is not a registry
// as it is.
func (r *DB) prepare(ctx context.Context) error {
	schema, err := schemaOf(ctx, r.db)
	if err != nil {
		return err
	}
	// The log that writers and readers need beside each other; the file remembers it.
	if _, err := r.db.ExecContext(ctx, "pragma journal_mode = wal"); err != nil || schema == len(schemas) {
		return err
	}
	return r.migrate(ctx)
}

// migrate goes through the schemas that a database does not have yet.
func (r *DB) migrate(ctx context.Context) error {
	return r.write(ctx, func(tx *sql.Tx) error {
		schema, err := schemaOf(ctx, tx)
		for ; err == nil && schema < len(schemas); schema++ { // none, where another process was first
			_, err = tx.ExecContext(ctx, schemas[schema]+fmt.Sprintf("pragma user_version = %d;", schema+1))
		}
		return err
	})
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
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR: // tables that are not there
			kind, hint = fstore.ErrCorrupt, "restore the file from a backup"
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
			hint = "see whether its disk is full"
		case sqlite3.SQLITE_CANTOPEN:
			hint = "see that the file and its folder can be read and written"
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
