package offline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// site is a place where values are converted: the columns that a view takes, or the columns of a source that SQL reads. The
// engine reports some value that did not fit; which one depends on its threads. So locate looks for the first one in the
// data, and reports its value and place.
type site struct {
	relation string // its name in messages
	hint     string
	columns  []converted
	cut      cut
	source   *source        // that has the columns; nil: a query has them
	from     string         // the query
	keys     []fstore.Field // of its rows
	event    string         // their event time; empty: they have none
}

// converted is a column of a site.
type converted struct {
	name string
	from sqltype.Type                                  // of a query's column
	to   string                                        // with its article
	null func(c *sourceColumn, from sqltype.Type) bool // whether a source's column is null in files that have it in a type
	// wrong returns the condition under which a value of a type does not fit (empty if all fit), and the part that is wrong.
	wrong func(x string, from sqltype.Type) (unfit, value string)
}

func (f field) converted() converted {
	return converted{
		name: f.column, from: f.from, to: f.to.WithArticle(),
		null: func(c *sourceColumn, from sqltype.Type) bool { return c.isNull(from, f.to) },
		wrong: func(x string, from sqltype.Type) (string, string) {
			f := field{x, from, f.to}
			return f.unfit(), f.misfit()
		},
	}
}

func (w widened) converted() converted {
	return converted{
		name: w.column, from: w.from, to: w.expected(),
		null: func(c *sourceColumn, from sqltype.Type) bool { return c.sql != nil && c.sql.nulls[from.Text] },
		wrong: func(x string, from sqltype.Type) (string, string) {
			return widened{x, from, w.to}.unfit(ident(x)), ident(x) + "::VARCHAR"
		},
	}
}

// convertsFields remembers where the columns of a view are converted.
func (s *session) convertsFields(relation string, src *source, c cut, v *fstore.View, from string, fields []field) {
	at := site{relation: relation, source: src, cut: c, from: from, keys: v.Keys, event: v.Event, hint: "declare a type that holds it, or correct the data"}
	for _, f := range fields {
		at.columns = append(at.columns, f.converted())
	}
	s.sites = append(s.sites, at)
}

// locate finds the value that does not fit: by file and row in a source, or by the key in a query's result. It handles
// other errors like blame.
func (s *session) locate(ctx context.Context, err error) error {
	message, ok := misfitOf(err)
	if !ok {
		return s.ofColumn(ctx, s.blame(ctx, err))
	}
	out := fstore.Errorf(fstore.ErrInvalid, "%s", message).WithHint("declare a type that holds it, or correct the data")
	for i := range s.sites {
		at := &s.sites[i]
		if !strings.HasPrefix(message, misfit+at.relation+", column ") {
			continue
		}
		found, err := s.first(ctx, at)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && found != nil {
			return fstore.Errorf(fstore.ErrInvalid, "%s%s, %s: %s is not %s%s", misfit, at.relation, columnInErrors(found.column.name), found.value, found.column.to, found.place()).
				WithHint("%s", at.hint)
		}
	}
	return out
}

// ofValues are the classes of exceptions that the values of a column cause.
var ofValues = map[string]bool{"Conversion": true, "Out of Range": true, "Invalid Input": true}

// columnError is an error of the engine with the column that causes it.
type columnError struct {
	column string
	err    error
}

func (e *columnError) Error() string { return e.column + ": " + e.err.Error() }

func (e *columnError) Unwrap() error { return e.err }

// ofColumn adds to an error about a value the view and the column that fail, if one fails alone.
func (s *session) ofColumn(ctx context.Context, err error) error {
	var f *failure
	var done *columnError
	if !errors.As(err, &f) || !ofValues[f.cause.Type] || errors.As(err, &done) {
		return err
	}
	fails := func(x string, at *site) bool { return s.exec(ctx, "SELECT "+x+"\nFROM "+at.from) != nil }
	for i := range s.sites {
		at := &s.sites[i]
		if at.source != nil || fails("count(*)", at) {
			continue
		}
		for _, c := range at.columns {
			if fails("bit_xor(hash("+ident(c.name)+"))", at) && ctx.Err() == nil {
				return &columnError{at.relation + ", " + columnInErrors(c.name), err}
			}
		}
	}
	return err
}

// misfitOf returns the message of an error about a value that does not fit; false if it is another error.
func misfitOf(err error) (string, bool) {
	var f *failure
	if !errors.As(err, &f) || !strings.HasPrefix(f.message, misfit) {
		return "", false
	}
	return f.message, true
}

// misfitting is a value that does not fit.
type misfitting struct {
	column *converted
	value  string
	file   string // empty: the row comes from a query
	row    int64  // in the file, from 1; 0: the engine cannot number the rows
	key    string // of a query's row, and its event time
}

func (m *misfitting) place() string {
	switch {
	case m.file == "":
		return ", in the row of" + m.key
	case m.row == 0:
		return ", in " + m.file
	}
	return fmt.Sprintf(", in %s row %d", m.file, m.row)
}

func (m *misfitting) before(o *misfitting) bool {
	return m.file < o.file || m.file == o.file && m.row < o.row
}

// first returns the first value of a site that does not fit: by file name, then row, then column. It is nil if all fit.
func (s *session) first(ctx context.Context, at *site) (*misfitting, error) {
	if at.source == nil {
		return s.firstOfQuery(ctx, at)
	}
	names := make([]string, 0, len(at.columns))
	for _, c := range at.columns {
		names = append(names, c.name)
	}
	wanted, err := at.source.named(names...)
	if err != nil {
		return nil, err
	}
	var first *misfitting
	for i := range at.columns {
		c := &at.columns[i]
		k := slices.IndexFunc(wanted, func(w *sourceColumn) bool { return w.name == c.name })
		for _, p := range at.source.parts(wanted) {
			found, err := s.firstIn(ctx, at, p, wanted, k, c)
			if err != nil {
				return nil, err
			}
			if found != nil && (first == nil || found.before(first)) {
				first = found
			}
		}
	}
	return first, nil
}

// firstIn returns the first value of a column, in the files of a part, that does not fit.
func (s *session) firstIn(ctx context.Context, at *site, p *part, wanted []*sourceColumn, k int, c *converted) (*misfitting, error) {
	x, from := p.values[k], p.types[k]
	if at.source.isTime(wanted[k]) {
		x, from = roundedUp(x, from), sqltype.Parse("TIMESTAMP")
	}
	if c.null(wanted[k], from) {
		return nil, nil
	}
	unfit, value := c.wrong("x", from)
	if unfit == "" {
		return nil, nil
	}
	have, err := s.describe(ctx, "SELECT *\nFROM "+p.read())
	if err != nil {
		return nil, err
	}
	file, row := unused(have, "_file"), rowNumber
	options := []string{"filename = " + text(file), rowNumber + " = true"}
	if named(have, rowNumber) >= 0 { // then the engine cannot number the rows
		row, options = "-1", options[:1]
	}
	selected, where := []string{x + " AS x", ident(file) + " AS file", row + " AS row"}, []string{"(" + unfit + ")"}
	def := at.source.def
	for i, w := range wanted {
		if w.name == def.Event {
			selected, where = append(selected, roundedUp(p.values[i], p.types[i])+" AS event"), append(where, "event IS NOT NULL")
		}
		if w.name == def.Created {
			selected = append(selected, roundedUp(p.values[i], p.types[i])+" AS created")
		}
	}
	where = append(where, at.cut.conditions("event", createdOr(strings.Repeat("created", min(len(def.Created), 1)), "event"), def.Available)...)
	if def.Static() {
		where = where[:1]
	}
	b, err := s.query(ctx, "SELECT file, (row + 1)::BIGINT, "+value+"\nFROM (\n  SELECT "+strings.Join(selected, ", ")+"\n  FROM "+p.read(options...)+
		"\n)\nWHERE "+and(where)+"\nORDER BY ALL\nLIMIT 1")
	if err != nil || b.Len == 0 {
		return nil, err
	}
	return &misfitting{column: c, file: b.Columns[0].Strings[0], row: b.Columns[1].Int64s[0], value: b.Columns[2].Strings[0]}, nil
}

// firstOfQuery returns the first value of a query that does not fit, in the order of keys.
func (s *session) firstOfQuery(ctx context.Context, at *site) (*misfitting, error) {
	keys := []string{"''"}
	for _, k := range at.keys {
		keys = append(keys, text(" "+k.Name+" ")+" || coalesce("+ident(k.Name)+"::VARCHAR, 'null')")
	}
	event := "NULL::TIMESTAMP"
	if at.event != "" {
		event = "TRY_CAST(" + ident(at.event) + " AS TIMESTAMP)"
	}
	for i := range at.columns {
		c := &at.columns[i]
		unfit, value := c.wrong(c.name, c.from)
		if unfit == "" {
			continue
		}
		b, err := s.query(ctx, "SELECT "+strings.Join(keys, " || ")+", "+value+", "+event+"\nFROM "+at.from+"\nWHERE "+unfit+"\nORDER BY ALL\nLIMIT 1")
		if err != nil {
			return nil, err
		}
		if b.Len > 0 {
			row := b.Columns[0].Strings[0]
			if event := &b.Columns[2]; !event.IsNull(0) {
				row += " at " + fstore.FormatTime(fstore.FromMicros(event.Int64s[0]))
			}
			return &misfitting{column: c, key: row, value: b.Columns[1].Strings[0]}, nil
		}
	}
	return nil, nil
}
