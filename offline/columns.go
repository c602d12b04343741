package offline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// ColumnsRequest asks for columns of a file of rows: Parquet or CSV, by its name.
type ColumnsRequest struct {
	Path    string
	Columns []fstore.Field // by name; columns that the file lacks are left out
	Nulls   []string       // columns of which only the nulls are wanted: they are read as true or null
	Numbers []string       // columns of numbers or truths, read as DOUBLE; a file without one of them is an error

	// Timestamp is the column with the instant of a row. If it is required, a file without it is an error.
	Timestamp string
	Required  bool

	To     *time.Time    // rows up to this instant, inclusive; nil: all, or up to the last if there is a window
	Window time.Duration // rows less than this long before To; 0: all
}

// ColumnReader reads columns of a file for statistics: values become what can be counted, and are not held to the exact types
// that training needs.
type ColumnReader struct {
	session  *session
	file     rowFile
	selected []string
	values   map[string]string // the SQL of the columns that are wanted for their values, by name
	at       string            // the instant of a row; "": the file has no such column

	From, To time.Time // rows after From, up to To; zero: no bound
}

// Columns opens a file. The caller closes the reader. It returns ErrInvalid if a column has a type from which the wanted type cannot
// be read, and if the column of instants is required and missing.
func (e *Engine) Columns(ctx context.Context, req ColumnsRequest) (*ColumnReader, error) {
	s, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	r := &ColumnReader{session: s}
	if err := r.open(ctx, &req); err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", req.Path, err)
	}
	return r, nil
}

func (r *ColumnReader) open(ctx context.Context, req *ColumnsRequest) (err error) {
	wanted := rowsWanted{values: slices.Clone(req.Columns), timestamp: req.Timestamp, all: len(req.Numbers) > 0}
	for _, name := range req.Nulls {
		wanted.values = append(wanted.values, fstore.Field{Name: name, Type: fstore.String})
	}
	if r.file, err = r.session.rowFile(ctx, req.Path, wanted); err != nil {
		return err
	}
	for _, name := range req.Nulls {
		if columnIndex(r.file.columns, name) >= 0 && name != req.Timestamp {
			r.selected = append(r.selected, "CASE WHEN "+ident(name)+" IS NOT NULL THEN true END AS "+ident(name))
		}
	}
	r.values = map[string]string{}
	for _, name := range req.Numbers {
		if err := r.number(name); err != nil {
			return err
		}
	}
	for _, want := range req.Columns {
		at := columnIndex(r.file.columns, want.Name)
		if at < 0 || want.Name == req.Timestamp {
			continue
		}
		from := sqltype.Parse(r.file.columns[at].Type)
		if r.file.untyped[want.Name] {
			from = sqltype.Null
		}
		x, ok := countable(ident(want.Name), from, want.Type)
		if !ok {
			return fstore.Errorf(fstore.ErrInvalid, "column %s is %s, but the reference has %s", want.Name, from, want.Type.WithArticle()).
				WithHint("write the column in that type, or leave it out")
		}
		r.selected = append(r.selected, x+" AS "+ident(want.Name))
		r.values[want.Name] = x
	}
	return r.bound(ctx, req)
}

// number selects a column of numbers or truths.
func (r *ColumnReader) number(name string) error {
	at := columnIndex(r.file.columns, name)
	if at < 0 {
		return fstore.Errorf(fstore.ErrInvalid, "there is no column %s", name).WithHint("the columns are %s", columnNames(r.file.columns))
	}
	t := sqltype.Parse(r.file.columns[at].Type)
	if t.Name != "BOOLEAN" && t.Bits == 0 && t.Mantissa == 0 && t.Name != "DECIMAL" {
		return fstore.Errorf(fstore.ErrInvalid, "column %s is %s, not a number", name, t).WithHint("write classes as 0 and 1, or as false and true")
	}
	r.selected = append(r.selected, ident(name)+"::DOUBLE AS "+ident(name))
	return nil
}

// countable returns the SQL that reads a value for counting, and whether there is one. Any number is a number: it keeps its own type
// where a batch has it, and is a DOUBLE otherwise, so a value that would not fit the wanted type is counted all the same.
func countable(x string, from sqltype.Type, to fstore.Type) (string, bool) {
	if from.Is(sqltype.Null) {
		return "NULL::" + sqltype.Of(to), true
	}
	switch to {
	case fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64:
		switch {
		case from.Name == "INTEGER", from.Name == "BIGINT", from.Mantissa > 0:
			return x, true
		case from.Bits > 0, from.Name == "DECIMAL":
			return x + "::DOUBLE", true
		}
		return "", false
	case fstore.Timestamp:
		if !from.IsTime() {
			return "", false
		}
		return roundedDown(x, from), true
	case fstore.Bool, fstore.String, fstore.Bytes: // below
	}
	if to.IsList() { // of numbers
		if from.Name != "LIST" || !from.Elem.Converts(fstore.Float64) && from.Elem.Mantissa == 0 {
			return "", false
		}
		return "list_transform(" + x + "::DOUBLE[], lambda e: coalesce(e, 'nan'::DOUBLE))", true
	}
	return convert(x, from, to).cast, from.Converts(to)
}

// bound finds the instants between which rows are taken.
func (r *ColumnReader) bound(ctx context.Context, req *ColumnsRequest) error {
	at := columnIndex(r.file.columns, req.Timestamp)
	switch {
	case at < 0 && req.Required:
		return fstore.Errorf(fstore.ErrInvalid, "there is no column %s with the instant of a row", req.Timestamp).
			WithHint("name one with --timestamp; the columns are %s", columnNames(r.file.columns))
	case at < 0:
		return nil
	}
	t := sqltype.Parse(r.file.columns[at].Type)
	if !t.IsTime() {
		return fstore.Errorf(fstore.ErrInvalid, "column %s is %s, not a time", req.Timestamp, t).WithHint("write it as TIMESTAMP or DATE")
	}
	r.at = roundedDown(ident(req.Timestamp), t)
	r.selected = append(r.selected, r.at+" AS "+ident(req.Timestamp))
	if req.To != nil {
		r.To = *req.To
	}
	if req.Window <= 0 {
		return nil
	}
	if req.To == nil {
		b, err := r.session.query(ctx, "SELECT max("+r.at+")\nFROM "+r.file.from+"\nWHERE isfinite("+r.at+")")
		if err != nil {
			return err
		}
		if b.Columns[0].IsNull(0) {
			return fstore.Errorf(fstore.ErrInvalid, "no row has an instant in column %s", req.Timestamp)
		}
		r.To = fstore.FromMicros(b.Columns[0].Int64s[0])
	}
	r.From = r.To.Add(-req.Window)
	return nil
}

// HasTimestamp reports whether the file has the column of instants.
func (r *ColumnReader) HasTimestamp() bool { return r.at != "" }

// Has reports whether the file has a column.
func (r *ColumnReader) Has(name string) bool { return columnIndex(r.file.columns, name) >= 0 }

// Each yields the rows in the order of the file, in batches. Columns have the names of the request. It ends early if yield returns an
// error, and returns it. A file that changes while it is read is an error.
func (r *ColumnReader) Each(ctx context.Context, yield func(*fstore.Batch) error) error {
	if len(r.selected) == 0 {
		return nil
	}
	sql := "SELECT\n  " + list(r.selected) + "\nFROM " + r.file.from
	if where := r.where(); where != nil {
		sql += "\nWHERE " + and(where)
	}
	var stopped error
	err := r.session.each(ctx, sql, func(b *fstore.Batch) bool {
		stopped = yield(b)
		return stopped == nil
	})
	if stopped != nil {
		return stopped
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.file.file, err)
	}
	return r.session.checkFile(ctx, r.file.stamp, r.file.file)
}

// Quantiles returns the last instants of at most n groups of rows of about equal numbers, in ascending order: rows of one instant are in
// one group. It reads all rows of the file that have a finite instant.
func (r *ColumnReader) Quantiles(ctx context.Context, n int) (out []int64, err error) {
	err = r.session.each(ctx, fmt.Sprintf("SELECT DISTINCT max(t) AS t\nFROM (\n  SELECT\n    t,\n    ntile(%d) OVER (ORDER BY t) AS part\n  FROM (SELECT %s AS t FROM %s)\n  WHERE isfinite(t)\n)\nGROUP BY part\nORDER BY t",
		n, r.at, r.file.from), func(b *fstore.Batch) bool {
		out = append(out, b.Columns[0].Int64s[:b.Len]...)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.file.file, err)
	}
	return out, r.session.checkFile(ctx, r.file.stamp, r.file.file)
}

// where returns the conditions of the rows that are taken.
func (r *ColumnReader) where() (out []string) {
	if !r.From.IsZero() {
		out = append(out, r.at+" > "+instant(r.From))
	}
	if !r.To.IsZero() {
		out = append(out, r.at+" <= "+instant(r.To))
	}
	return out
}

// File returns the absolute path of the file.
func (r *ColumnReader) File() string { return r.file.file }

// Close ends the reader.
func (r *ColumnReader) Close() { r.session.close() }
