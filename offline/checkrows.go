package offline

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/sqltype"
)

// CheckedRows are rows that expectations look at, as a relation under the name of their source or view. The caller closes them.
type CheckedRows struct {
	s     *session
	name  string
	reads fstore.Relation
	into  *duckdb.Appender // nil: the rows are those of files
}

// OpenSource returns the rows of a source that are visible at an instant.
func (e *Engine) OpenSource(ctx context.Context, src *fstore.Source, at time.Time) (_ *CheckedRows, err error) {
	v := &fstore.ViewVersion{View: fstore.View{SQL: "SELECT *\nFROM " + ident(src.Name)}, Sources: []fstore.Source{*src}}
	s, err := e.sessionFor(ctx, v, nil)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", src.Name, err)
	}
	reads, err := s.inputs(ctx, v, cut{visible: &at}, "_checked_input")
	if err != nil {
		s.close()
		return nil, fmt.Errorf("source %s: %w", src.Name, err)
	}
	return &CheckedRows{s: s, name: src.Name, reads: reads[0]}, nil
}

// OpenRows returns a relation without rows, which Add fills.
func (e *Engine) OpenRows(ctx context.Context, name string, columns []fstore.Field) (*CheckedRows, error) {
	s, err := e.isolated(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.seal(ctx, nil, nil); err != nil {
		s.close()
		return nil, err
	}
	r := &CheckedRows{s: s, name: name, reads: fstore.Relation{Name: name}}
	const table = "_checked_rows"
	var declared, named []string
	var types []fstore.Type
	for i, f := range columns {
		declared = append(declared, fmt.Sprintf("c%d %s", i, sqltype.Of(f.Type)))
		named = append(named, fmt.Sprintf("c%d AS %s", i, ident(f.Name)))
		types = append(types, f.Type)
		r.reads.Columns = append(r.reads.Columns, fstore.EngineColumn{Name: f.Name, Type: sqltype.Of(f.Type)})
	}
	err = s.exec(ctx, "CREATE TABLE "+table+" (\n  "+list(declared)+"\n)")
	if err == nil {
		err = s.exec(ctx, "CREATE TEMP VIEW "+ident(name)+" AS\nSELECT\n  "+list(named)+"\nFROM "+table)
	}
	if err == nil {
		r.into, err = s.own.Appender(table, types)
	}
	if err != nil {
		s.close()
		return nil, translate(err)
	}
	return r, nil
}

// Add adds rows whose columns are those that OpenRows was given, in the same order.
func (r *CheckedRows) Add(b *fstore.Batch) error { return translate(r.into.Append(b.Columns)) }

// Close frees the rows.
func (r *CheckedRows) Close() {
	_ = r.written()
	r.s.close()
}

// written makes added rows visible to queries.
func (r *CheckedRows) written() error {
	if r.into == nil {
		return nil
	}
	into := r.into
	r.into = nil
	return translate(into.Close())
}

// Columns returns the columns and the types in which Each yields them: Invalid for those that it cannot yield.
func (r *CheckedRows) Columns() []fstore.Field {
	out := make([]fstore.Field, len(r.reads.Columns))
	for i, c := range r.reads.Columns {
		t, _ := sqltype.Parse(c.Type).Natural()
		out[i] = fstore.Field{Name: c.Name, Type: t}
	}
	return out
}

// Each yields all rows with some of the columns, in no certain order. A batch is valid until the next one.
func (r *CheckedRows) Each(ctx context.Context, columns []string) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		selected := []string{}
		for i, name := range columns {
			at := columnIndex(r.reads.Columns, name)
			if at < 0 {
				yield(nil, fstore.Errorf(fstore.ErrInvalid, "%s has no column %s", r.name, name))
				return
			}
			selected = append(selected, natural(ident(name), sqltype.Parse(r.reads.Columns[at].Type))+fmt.Sprintf(" AS c%d", i))
		}
		if len(selected) == 0 { // only the number of rows counts
			selected = append(selected, "true AS c0")
		}
		err := r.s.each(ctx, "SELECT\n  "+list(selected)+"\nFROM "+ident(r.name), func(b *fstore.Batch) bool { return yield(b, nil) })
		if err != nil {
			yield(nil, fmt.Errorf("%s: %w", r.name, err))
		}
	}
}

// natural converts a column to its natural type.
func natural(x string, t sqltype.Type) string {
	to, ok := t.Natural()
	switch {
	case !ok:
		return x + "::VARCHAR"
	case to == fstore.Timestamp, to == fstore.Bool, to == fstore.Bytes:
		return shown(x, t)
	}
	return x + "::" + sqltype.Of(to)
}

// BadSQL returns how many rows a query over the rows gives, and some of them.
func (r *CheckedRows) BadSQL(ctx context.Context, sql, file string, limit int) (int64, *fstore.Batch, error) {
	if err := r.written(); err != nil {
		return 0, nil, err
	}
	if err := r.s.admit(ctx, sql, []fstore.Relation{r.reads}); err != nil {
		return 0, nil, placed(err, file, sql)
	}
	const prefix = "CREATE OR REPLACE TEMP VIEW _bad_rows AS\n"
	if err := translate(r.s.conn.Exec(ctx, prefix+sql)); err != nil {
		return 0, nil, placed(sqlError(err, prefix, sql), file, sql)
	}
	return r.bad(ctx, "_bad_rows", limit)
}

// BadUnique returns how many rows have values in some columns that other rows have too, and some of these values. Rows with a
// null among them are not counted.
func (r *CheckedRows) BadUnique(ctx context.Context, columns []string, limit int) (int64, *fstore.Batch, error) {
	if err := r.written(); err != nil {
		return 0, nil, err
	}
	var names, known []string
	for _, c := range columns {
		names, known = append(names, ident(c)), append(known, ident(c)+" IS NOT NULL")
	}
	const times = "_times"
	repeated := "SELECT " + list(append(slices.Clone(names), "count(*) AS "+times)) + "\nFROM " + ident(r.name) + "\nWHERE " + and(known) +
		"\nGROUP BY " + list(names) + "\nHAVING count(*) > 1"
	if err := r.s.exec(ctx, "CREATE OR REPLACE TEMP VIEW _bad_rows AS\n"+repeated); err != nil {
		return 0, nil, err
	}
	b, err := r.s.query(ctx, "SELECT coalesce(sum("+times+"), 0)::BIGINT\nFROM _bad_rows")
	if err != nil {
		return 0, nil, r.s.locate(ctx, err)
	}
	_, sample, err := r.bad(ctx, "_bad_rows", limit)
	if sample != nil {
		sample.Columns = sample.Columns[:len(columns)]
	}
	return b.Columns[0].Int64s[0], sample, err
}

// bad counts the rows of a relation and returns the first ones.
func (r *CheckedRows) bad(ctx context.Context, from string, limit int) (int64, *fstore.Batch, error) {
	columns, err := r.s.describe(ctx, "SELECT *\nFROM "+from)
	if err != nil {
		return 0, nil, err
	}
	b, err := r.s.query(ctx, fmt.Sprintf("SELECT\n  %s\nFROM (\nSELECT *\nFROM %s\nORDER BY ALL\nLIMIT %d\n)", list(allShown(columns)), from, limit))
	if err != nil {
		return 0, nil, r.s.locate(ctx, err)
	}
	if b.Len < limit {
		return int64(b.Len), b, nil
	}
	n, err := r.s.query(ctx, "SELECT count(*)\nFROM "+from)
	if err != nil {
		return 0, nil, r.s.locate(ctx, err)
	}
	return n.Columns[0].Int64s[0], b, nil
}
