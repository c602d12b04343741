package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

const (
	applicationID = 0x66737472 // "fstr": identifies the file format
	schemaVersion = 1

	logBytes = 64 << 20 // the log is copied back once it exceeds this size

	// SQLite waits for a locked file without watching the context, so it waits only briefly at a time: see patient.
	busyMillis = 100
	patience   = 100 // attempts of a writer to get its turn

	create = `
create table if not exists kv (
  key   blob primary key,
  value blob not null
) without rowid`
)

// file is an open database.
type file struct {
	db       *sql.DB
	get      *sql.Stmt
	info     os.FileInfo // to notice that the file was replaced
	logged   bool        // useLog has run
	logLimit int64       // the log is copied back once it exceeds this size; used by the writer
	closed   atomic.Bool // by a goroutine that noticed a replaced file
}

// file returns the open database. It returns nil if there is none yet and how is reading.
func (b *Backend) file(ctx context.Context, how access) (*file, error) {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, b.failed(ctx.Err())
	}
	defer func() { <-b.turn }()
	info, err := os.Stat(b.path)
	if err == nil && b.open != nil && os.SameFile(info, b.open.info) {
		b.open.useLog(ctx, how)
		return b.open, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, b.failed(err)
	}
	var bad *fstore.Error
	if errors.As(regular.Database(b.path), &bad) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "online store %s: it %s", b.path, bad.Message).WithHint(ownFile)
	}
	if b.open != nil { // the file was deleted or replaced, so the open file is no longer the store
		b.open.close()
		b.open = nil
	}
	if err != nil && how == reading {
		return nil, nil
	}
	if err != nil {
		if err := b.create(); err != nil {
			return nil, b.failed(err)
		}
	}
	err = b.patient(ctx, func() (err error) {
		b.open, err = b.connect(ctx, how)
		return err
	})
	if b.open != nil {
		b.open.useLog(ctx, how)
	}
	return b.open, err
}

// patient retries do while another process has locked the file, for ten seconds or until ctx ends.
func (b *Backend) patient(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if !errors.Is(err, errLocked) || try == patience {
			return err
		}
		if ctx.Err() != nil {
			return b.failed(ctx.Err())
		}
	}
}

// create makes an empty file if there is none. It first removes what a deleted file has left: its log and the log's
// index. A process that still has the deleted file open keeps them in use, and SQLite would take them for those of
// the new file. The lock on the folder prevents another process from removing the log of a file that was just made.
func (b *Backend) create() error {
	dir := filepath.Dir(b.path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer lock.Close() // releases the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(b.path); !errors.Is(err, fs.ErrNotExist) {
		return err // nil: another writer made the file first
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(b.path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// useLog turns on the write-ahead log before the file is first written: a restored copy may have lost it. If readers
// prevent that, the file works without a log.
func (f *file) useLog(ctx context.Context, how access) {
	if how == writing && !f.logged {
		f.logged = true
		_, _ = f.db.ExecContext(ctx, "pragma journal_mode = wal")
	}
}

// access says whether a call may create the file.
type access int

const (
	reading access = iota
	writing
)

// connect opens the file. It returns nil if the file holds no store yet and how is reading.
func (b *Backend) connect(ctx context.Context, how access) (*file, error) {
	db, err := sql.Open("sqlite", b.dsn())
	if err != nil {
		return nil, b.failed(err)
	}
	connections := max(4, 2*runtime.GOMAXPROCS(0))
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections) // otherwise most connections are closed after each use
	f := &file{db: db, logLimit: b.logBytes}
	ready, err := b.prepare(ctx, f, how)
	if err != nil || !ready {
		f.close()
		return nil, err
	}
	return f, nil
}

func (b *Backend) prepare(ctx context.Context, f *file, how access) (ready bool, err error) {
	if how == writing {
		if err := b.initialize(ctx, f.db); err != nil {
			return false, err
		}
	}
	var application, version, tables int
	var pageSize int64
	row := f.db.QueryRowContext(ctx, "select application_id, user_version, page_size, (select count(*) from sqlite_schema) from pragma_application_id, pragma_user_version, pragma_page_size")
	if err := row.Scan(&application, &version, &pageSize, &tables); err != nil {
		return false, b.failed(err)
	}
	if tables == 0 {
		return false, nil // another writer has created the file but not its table
	}
	if err := b.checkFormat(application, version); err != nil {
		return false, err
	}
	if err := b.checkWhole(pageSize); err != nil {
		return false, err
	}
	if f.get, err = f.db.PrepareContext(ctx, get); err != nil {
		return false, b.failed(err)
	}
	f.info, err = os.Stat(b.path)
	if err != nil {
		return false, b.failed(err)
	}
	return true, nil
}

const (
	ownFile  = "online: names a file of its own"
	fillAnew = "remove the file and run fstore materialize, which fills it again"
)

func (b *Backend) checkFormat(application, version int) error {
	switch {
	case application != applicationID:
		return fstore.Errorf(fstore.ErrInvalid, "online store %s: the file is another program's database", b.path).WithHint(ownFile)
	case version > schemaVersion:
		return fstore.Errorf(fstore.ErrInvalid, "online store %s: the file has format %d, but this fstore supports only up to %d", b.path, version, schemaVersion).
			WithHint("use a newer fstore")
	}
	return nil
}

// checkWhole refuses a file that ends within a page: SQLite would read the missing bytes as zeros and not find keys
// there. SQLite itself notices missing pages. A journal, or a log with anything to copy back, means that a writer is
// active or was interrupted, which SQLite repairs.
func (b *Backend) checkWhole(pageSize int64) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(b.path + suffix); err == nil && info.Size() > 0 {
			return nil
		}
	}
	if info, err := os.Stat(b.path); err == nil && info.Size()%pageSize != 0 {
		return fstore.Errorf(fstore.ErrCorrupt, "online store %s: the file is cut off: it ends within a page, at byte %d", b.path, info.Size()).
			WithHint(fillAnew)
	}
	return nil
}

// initialize creates the table in a new file, and leaves any other file unchanged.
func (b *Backend) initialize(ctx context.Context, db *sql.DB) error {
	if empty, err := b.empty(ctx, db.QueryRowContext); err != nil || !empty {
		return err
	}
	if _, err := db.ExecContext(ctx, "pragma journal_mode = wal"); err != nil { // the mode is stored in the file
		return b.failed(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return b.failed(err)
	}
	defer tx.Rollback() // no effect after Commit
	if empty, err := b.empty(ctx, tx.QueryRowContext); err != nil || !empty {
		return err
	}
	for _, q := range []string{create, "pragma application_id = " + strconv.Itoa(applicationID), "pragma user_version = " + strconv.Itoa(schemaVersion)} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return b.failed(err)
		}
	}
	return b.failed(tx.Commit())
}

func (b *Backend) empty(ctx context.Context, query func(context.Context, string, ...any) *sql.Row) (bool, error) {
	var tables int
	err := query(ctx, "select count(*) from sqlite_schema").Scan(&tables)
	return tables == 0, b.failed(err)
}

// dsn returns the driver's name for the file. synchronous(normal): with WAL, a power cut may lose the last commits
// but never corrupts the file, and headers and data go back together. cache_size: 32 MB per connection for hot pages,
// which makes a look-up a third faster. Mapping the file would be as fast, but turns a disk error into a crash.
// wal_autocheckpoint(0): see copyBack.
func (b *Backend) dsn() string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(b.path)}
	return u.String() + "?mode=rw&_txlock=immediate&_pragma=busy_timeout(" + strconv.Itoa(busyMillis) + ")" +
		"&_pragma=synchronous(normal)&_pragma=cache_size(-32768)&_pragma=wal_autocheckpoint(0)"
}

// copyBack copies the log back into the file and truncates it, after a commit that has made it large. SQLite's
// automatic checkpoint copies only what no reader still needs. It restarts the log only if all of it is copied and
// nobody reads it. If there is always a reader, that never happens: the log grows without bound and makes every
// look-up slower. "truncate" waits for the current readers to move to the last commit; new readers do not wait. It
// runs every 64 MB instead of the default 4 MB: a batch changes about one page per record, and mostly the same pages
// as the batch before, so a checkpoint after every commit took more than a third of the time of a load.
//
// An error does not fail the commit, which is complete. A slow reader or a disk error leaves the log as it is. The
// next attempt comes after the log has grown by as much again.
func (b *Backend) copyBack(ctx context.Context, f *file) {
	info, err := os.Stat(b.path + "-wal")
	if err != nil || info.Size() < f.logLimit {
		return
	}
	f.logLimit = b.logBytes
	if err := f.truncate(ctx); err != nil {
		f.logLimit = info.Size() + b.logBytes
	}
}

// A checkpoint may wait for a reader's slot that new readers take over, so that it never becomes free. So it waits
// only briefly and starts again. (walCheckpoint reads a slot's mark once, before it waits for the slot.)
const (
	checkpointMillis = 50
	checkpoints      = 20
)

func (f *file) truncate(ctx context.Context) (err error) {
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("pragma busy_timeout = %d", checkpointMillis)); err != nil {
		return err
	}
	defer func() {
		_, again := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("pragma busy_timeout = %d", busyMillis))
		err = errors.Join(err, again)
	}()
	for range checkpoints {
		var busy, frames, copied int
		if err := conn.QueryRowContext(ctx, "pragma wal_checkpoint(truncate)").Scan(&busy, &frames, &copied); err != nil {
			return err
		}
		if busy == 0 {
			return nil
		}
	}
	return errors.New("there is always a reader")
}

func (f *file) close() {
	f.closed.Store(true)
	if f.get != nil {
		_ = f.get.Close()
	}
	_ = f.db.Close()
}

// failed returns the kind of an error and adds the file. It returns nil for nil.
func (b *Backend) failed(err error) error {
	if err == nil {
		return nil
	}
	kind, hint := fstore.ErrUnavailable, ""
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		kind, hint = fstore.ErrInvalid, "online: names a file in a folder that can be written"
	}
	var e *driver.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case codes.SQLITE_BUSY:
			hint = "another process is writing to it, or was stopped while it did"
		case codes.SQLITE_CORRUPT:
			kind, hint = fstore.ErrCorrupt, fillAnew
		case codes.SQLITE_NOTADB:
			kind, hint = fstore.ErrCorrupt, "if it was the online store, its beginning was overwritten: "+fillAnew+"; otherwise "+ownFile
		case codes.SQLITE_FULL, codes.SQLITE_IOERR:
			hint = "check whether its disk is full"
		case codes.SQLITE_TOOBIG, codes.SQLITE_ERROR:
			kind = fstore.ErrInvalid
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("online store %s: %w: %w", b.path, fstore.ErrUnavailable, err)
	}
	failure := fstore.Errorf(kind, "online store %s: %v", b.path, err).WithHint("%s", hint)
	if e != nil && e.Code()&0xff == codes.SQLITE_BUSY {
		return locked{failure}
	}
	return failure
}

// locked is an error of a call that found the file locked by another process.
type locked struct{ err error }

var errLocked = errors.New("locked")

func (l locked) Error() string        { return l.err.Error() }
func (l locked) Is(target error) bool { return target == errLocked }
func (l locked) Unwrap() error        { return l.err }
