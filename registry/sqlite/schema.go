package sqlite

import (
	"context"
	"database/sql"
	_ "embed" // the schemas
	"fmt"

	"github.com/fstore-dev/fstore"
)

//go:embed schema1.sql
var schema1 string

//go:embed schema2.sql
var schema2 string

//go:embed schema3.sql
var schema3 string

//go:embed schema4.sql
var schema4 string

// schemas has the statements that make each schema out of the one before it, the first out of an empty file. PRAGMA
// user_version is the number of schemas that a registry has. A registry with more than these was written by a newer
// fstore.
var schemas = []string{schema1, schema2, schema3, schema4}

// rower is a database or a transaction.
type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaOf returns the number of schemas that a database has, 0 if it is empty. The error is ErrInvalid for a database
// that is not a registry, or that a newer fstore wrote.
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

// prepare makes a registry of an empty database, and brings an older one up to date. It changes no other database.
func (b *Backend) prepare(ctx context.Context) error {
	schema, err := schemaOf(ctx, b.db)
	if err != nil {
		return err
	}
	// With a write-ahead log, readers and writers do not wait for each other. The file remembers it.
	if _, err := b.db.ExecContext(ctx, "pragma journal_mode = wal"); err != nil {
		return err
	}
	b.schema = len(schemas)
	if schema == len(schemas) {
		return nil
	}
	return b.migrate(ctx)
}

// migrate runs the schemas that a database does not have yet.
func (b *Backend) migrate(ctx context.Context) error {
	return b.transact(ctx, &sql.TxOptions{}, func(in *sql.Tx) error {
		schema, err := schemaOf(ctx, in)
		for ; err == nil && schema < len(schemas); schema++ { // none, if another process was first
			_, err = in.ExecContext(ctx, schemas[schema]+fmt.Sprintf("pragma user_version = %d;", schema+1))
		}
		return err
	})
}
