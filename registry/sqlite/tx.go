package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// table says where the records of a type are.
type table struct {
	name    string
	since   int      // the first schema that has it
	keys    int      // how many of the columns identify a record in a project
	columns []string // without the project
	order   string   // of a list; may be empty

	get, list, put, delete string // statements, whose first argument is the project
}

// The tables.
var (
	projects     = newTable(table{name: "projects", since: 1, columns: []string{"revision"}})
	versions     = newTable(table{name: "versions", since: 1, keys: 3, columns: []string{"kind", "name", "version", "fingerprint", "algorithm", "definition"}})
	heads        = newTable(table{name: "head", since: 1, keys: 2, columns: []string{"kind", "name", "version", "definition"}})
	serving      = newTable(table{name: "serving", since: 1, keys: 2, columns: []string{"kind", "name", "version", "since"}})
	commits      = newTable(table{name: "commits", since: 1, keys: 1, order: "order by id desc", columns: []string{"id", "revision", "time", "author", "message", "git_revision", "dirty", "objects"}})
	models       = newTable(table{name: "models", since: 2, keys: 2, columns: []string{"name", "version", "pinned", "author", "features", "service", "training_set"}})
	aliases      = newTable(table{name: "model_aliases", since: 2, keys: 2, columns: []string{"model", "alias", "version"}})
	idle         = newTable(table{name: "idle", since: 2, keys: 2, columns: []string{"name", "version", "since"}})
	publications = newTable(table{name: "publications", since: 3, keys: 4, columns: []string{"name", "version", "store", "slot", "run", "counts"}})
	expected     = newTable(table{name: "expected", since: 3, keys: 3, columns: []string{"kind", "name", "version", "expectations"}})
	checked      = newTable(table{name: "checked", since: 3, keys: 3, columns: []string{"kind", "name", "version", "history"}})
	monitored    = newTable(table{name: "monitored", since: 4, keys: 3, columns: []string{"service", "model", "version", "history"}})
	alerts       = newTable(table{name: "alerts", since: 4, keys: 1, columns: []string{"name", "state"}})
	leases       = newTable(table{name: "leases", since: 1, keys: 1, columns: []string{"name", "token", "holder", "expires"}})
	trainingSets = newTable(table{name: "training_sets", since: 1, keys: 1, order: "order by id desc", columns: []string{"id", "name", "created", "service", "rows", "out", "retired"}})
	locks        = newTable(table{name: "training_sets", since: 1, keys: 1, columns: []string{"id", "lock"}})
)

// newTable writes the statements of a table.
func newTable(t table) *table {
	keys, columns := t.columns[:t.keys], strings.Join(t.columns, ", ")
	var set []string
	for _, c := range t.columns[t.keys:] {
		set = append(set, c+" = excluded."+c)
	}
	where := "where project = ?"
	for _, c := range keys {
		where += " and " + c + " = ?"
	}
	t.get = fmt.Sprintf("select %s from %s %s", columns, t.name, where)
	t.list = fmt.Sprintf("select %s from %s where project = ? %s", columns, t.name, t.order)
	t.delete = fmt.Sprintf("delete from %s %s", t.name, where)
	conflict := strings.Join(append([]string{"project"}, keys...), ", ")
	values := strings.Repeat(", ?", len(t.columns))
	switch columns {
	case "id, lock": // the row is there: see record.Lock
		t.put = "update training_sets set lock = ?3 where project = ?1 and id = ?2"
		return &t
	case "id, name, created, service, rows, out, retired": // the lock is put next
		conflict, columns, values = "id", columns+", lock", values+", ''"
	}
	t.put = fmt.Sprintf("insert into %s (project, %s) values (?%s) on conflict (%s) do update set %s", t.name, columns, values, conflict, strings.Join(set, ", "))
	return &t
}

// columnsOf returns the table of a record and pointers to the record's fields, in the order of the table's columns.
func columnsOf(r record.Record) (*table, []any) {
	switch r := r.(type) {
	case *record.Project:
		return projects, []any{&r.Revision}
	case *record.Version:
		return versions, []any{&r.Kind, &r.Name, &r.Version, &r.Fingerprint, &r.Algorithm, &r.Definition}
	case *record.Head:
		return heads, []any{&r.Kind, &r.Name, orNull[int]{&r.Version}, &r.Definition}
	case *record.Serving:
		return serving, []any{&r.Kind, &r.Name, &r.Version, &r.Since}
	case *record.Commit:
		return commits, []any{&r.ID, &r.Revision, &r.Time, &r.Author, &r.Message, &r.GitRevision, &r.Dirty, &r.Objects}
	case *record.Model:
		return models, []any{&r.Name, &r.Version, &r.Pinned, &r.Author, &r.Features, &r.Service, orNull[int64]{&r.TrainingSet}}
	case *record.Alias:
		return aliases, []any{&r.Model, &r.Alias, &r.Version}
	case *record.Idle:
		return idle, []any{&r.Name, &r.Version, &r.Since}
	case *record.Publication:
		return publications, []any{&r.Name, &r.Version, &r.Store, &r.Slot, &r.Run, &r.Counts}
	case *record.Expected:
		return expected, []any{&r.Kind, &r.Name, &r.Version, &r.Expectations}
	case *record.Checked:
		return checked, []any{&r.Kind, &r.Name, &r.Version, &r.History}
	case *record.Monitored:
		return monitored, []any{&r.Service, &r.Model, &r.Version, &r.History}
	case *record.Alert:
		return alerts, []any{&r.Name, &r.State}
	case *record.Lease:
		return leases, []any{&r.Name, &r.Token, &r.Holder, &r.Expires}
	case *record.TrainingSet:
		return trainingSets, []any{orNull[int64]{&r.ID}, &r.Name, &r.Created, &r.Service, &r.Rows, &r.Out, orNull[int64]{&r.Retired}}
	case *record.Lock:
		return locks, []any{&r.ID, &r.JSON}
	}
	panic(fmt.Sprintf("no table for %T", r)) // a record type without a table: the suite puts one of each
}

// orNull is a number that is NULL in the database where it is 0.
type orNull[N int | int64] struct{ n *N }

// Scan implements sql.Scanner.
func (o orNull[N]) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*o.n = 0
	case int64:
		*o.n = N(v)
	default:
		return fmt.Errorf("%v is not a number", v)
	}
	return nil
}

// Value implements driver.Valuer.
func (o orNull[N]) Value() (driver.Value, error) {
	if *o.n == 0 {
		return nil, nil
	}
	return int64(*o.n), nil
}

// tx implements record.Tx.
type tx struct {
	sql     *sql.Tx // nil: the registry does not exist
	project string
	schema  int // that the registry is known to have
}

// has reports whether the registry has a table. A registry of an older schema that is only read has not all of them.
func (t *tx) has(ctx context.Context, table *table) (_ bool, err error) {
	if t.schema < table.since && t.sql != nil { // another process may have migrated it since it was opened
		t.schema, err = schemaOf(ctx, t.sql)
	}
	return t.schema >= table.since, failed(ctx, err)
}

// Get implements record.Tx.
func (t *tx) Get(ctx context.Context, r record.Record) (bool, error) {
	table, fields := columnsOf(r)
	if has, err := t.has(ctx, table); err != nil || !has {
		return false, err
	}
	err := t.sql.QueryRowContext(ctx, table.get, t.args(fields[:table.keys])...).Scan(fields...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, scanned(ctx, table, err)
}

// List implements record.Tx.
func (t *tx) List(ctx context.Context, r record.Record) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		table, _ := columnsOf(r)
		if has, err := t.has(ctx, table); err != nil || !has {
			if err != nil {
				yield(nil, err)
			}
			return
		}
		rows, err := t.sql.QueryContext(ctx, table.list, t.project)
		if err != nil {
			yield(nil, failed(ctx, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			next := record.New(r)
			_, fields := columnsOf(next)
			if err := rows.Scan(fields...); err != nil {
				yield(nil, scanned(ctx, table, err))
				return
			}
			if !yield(next, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, failed(ctx, err))
		}
	}
}

// Put implements record.Tx.
func (t *tx) Put(ctx context.Context, r record.Record) error {
	table, fields := columnsOf(r)
	result, err := t.sql.ExecContext(ctx, table.put, t.args(fields)...)
	if set, ok := r.(*record.TrainingSet); ok && err == nil && set.ID == 0 {
		set.ID, err = result.LastInsertId()
	}
	return failed(ctx, err)
}

// Delete implements record.Tx.
func (t *tx) Delete(ctx context.Context, r record.Record) error {
	table, fields := columnsOf(r)
	_, err := t.sql.ExecContext(ctx, table.delete, t.args(fields[:table.keys])...)
	return failed(ctx, err)
}

func (t *tx) args(fields []any) []any { return slices.Concat([]any{t.project}, fields) }

// scanned returns the error of reading a row: a value that does not fit into the record is ErrCorrupt.
func scanned(ctx context.Context, table *table, err error) error {
	if err == nil || ctx.Err() != nil || isDriver(err) {
		return failed(ctx, err)
	}
	return fstore.Errorf(fstore.ErrCorrupt, "table %s: %s", table.name, err).WithHint(restore)
}
