package sqlite

import (
	"context"
	"errors"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/fstore-dev/fstore"
)

const restore = "restore the file from a backup"

// failed gives errors of SQLite and database/sql their kind. If the context has ended, its error is returned. Errors
// that have a kind stay as they are.
func failed(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.As(err, new(*fstore.Error)):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	kind, hint := fstore.ErrUnavailable, ""
	var e *driver.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case codes.SQLITE_BUSY:
			hint = "another process is writing to it, or was stopped while it did"
		case codes.SQLITE_CORRUPT, codes.SQLITE_ERROR, // tables that are not there
			codes.SQLITE_CONSTRAINT: // a record that contradicts the others
			kind, hint = fstore.ErrCorrupt, restore
		case codes.SQLITE_FULL, codes.SQLITE_IOERR:
			hint = "check whether its disk is full"
		case codes.SQLITE_CANTOPEN:
			hint = "see that the file and its folder can be read and written"
		case codes.SQLITE_NOTADB:
			kind, hint = fstore.ErrInvalid, "registry: names a file of its own; if this was one, restore it from a backup"
		case codes.SQLITE_READONLY:
			kind, hint = fstore.ErrInvalid, "make the file and its folder writable"
		}
	}
	return fstore.Errorf(kind, "%s", err).WithHint("%s", hint)
}

// isDriver reports whether an error comes from SQLite itself.
func isDriver(err error) bool { return errors.As(err, new(*driver.Error)) }
