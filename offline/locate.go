package offline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// locate adds to the error of a value that does not fit where it is: the file and row of a source, or the key of
// a query's row.
func (s *session) locate(ctx context.Context, all []*rows, err error) error {
	message, ok := misfitOf(err)
	if !ok {
		return s.blame(ctx, err)
	}
	for _, r := range all {
		for _, p := range r.parts {
			for _, f := range p.fields {
				if f.unfit() == "" || !strings.HasPrefix(message, misfit+"view "+r.ref.String()+", column "+f.column+": ") {
					continue
				}
				where, err := s.whereabouts(ctx, r, f.column)
				if err != nil && ctx.Err() != nil {
					return ctx.Err()
				}
				return misfitError(message + where)
			}
		}
	}
	return s.locateInSources(ctx, message)
}

// misfitOf returns the message of an error about a value that does not fit; false if it is another error.
func misfitOf(err error) (string, bool) {
	var f *failure
	if !errors.As(err, &f) || !strings.HasPrefix(f.message, misfit) {
		return "", false
	}
	return f.message, true
}

func misfitError(message string) *fstore.Error {
	return fstore.Errorf(fstore.ErrInvalid, "%s", message).WithHint("declare a type that holds it, or correct the data")
}

// locateInSources adds where a value is that does not fit the type in which SQL reads a column of a source.
func (s *session) locateInSources(ctx context.Context, message string) error {
	for _, src := range s.readSources() {
		for _, c := range src.columns {
			if c.sql == nil || !strings.HasPrefix(message, misfit+"source "+src.def.Name+", column "+c.name+": ") {
				continue
			}
			where, err := s.firstRow(ctx, src.parts([]*sourceColumn{c}), 0, func(p *part) string {
				return widened{c.name, p.types[0], c.sql.t}.unfit("x")
			})
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			return misfitError(message + where).WithHint("correct the data, or write the files with one type")
		}
	}
	return misfitError(message)
}

// whereabouts says where the first value of a column is that does not fit.
func (s *session) whereabouts(ctx context.Context, r *rows, column string) (string, error) {
	if r.source == nil {
		return s.keyOf(ctx, r, column)
	}
	wanted, err := r.source.named(column)
	if err != nil {
		return "", err
	}
	k := 0
	for wanted[k].name != column {
		k++
	}
	to := r.declared(column)
	return s.firstRow(ctx, r.source.parts(wanted), k, func(p *part) string { return field{"x", p.types[k], to}.unfit() })
}

// declared returns the type that a column is declared as.
func (r *rows) declared(column string) fstore.Type {
	for _, p := range r.parts {
		for _, f := range p.fields {
			if f.column == column && f.unfit() != "" {
				return f.to
			}
		}
	}
	return fstore.Invalid
}

// keyOf names the row of a view's query whose value does not fit by its key.
func (s *session) keyOf(ctx context.Context, r *rows, column string) (string, error) {
	keys := []string{"''"}
	for _, k := range r.view.Keys {
		keys = append(keys, text(" "+k.Name+" ")+" || coalesce("+ident(k.Name)+"::VARCHAR, 'null')")
	}
	for _, f := range r.parts[0].fields {
		if f.column != column || f.unfit() == "" {
			continue
		}
		b, err := s.query(ctx, "SELECT "+strings.Join(keys, " || ")+"\nFROM "+r.parts[0].from+"\nWHERE "+f.unfit()+"\nLIMIT 1")
		if err != nil || b.Len == 0 {
			return "", err
		}
		return ", in the row of" + b.Columns[0].Strings[0], nil
	}
	return "", nil
}

// firstRow says in which file and row the first value x of wanted column k is that meets a condition.
func (s *session) firstRow(ctx context.Context, parts []*part, k int, condition func(*part) string) (string, error) {
	first, firstRow := "", int64(0)
	for _, p := range parts {
		where := condition(p)
		if where == "" {
			continue
		}
		file, row, err := s.firstIn(ctx, p, p.values[k], where)
		if err != nil {
			return "", err
		}
		if file != "" && (first == "" || file < first) {
			first, firstRow = file, row
		}
	}
	switch {
	case first == "":
		return "", nil
	case firstRow == 0:
		return ", in " + first, nil
	}
	return fmt.Sprintf(", in %s row %d", first, firstRow), nil
}

// firstIn returns the file and row, counted from 1, of the first value x of a part that meets a condition: no file if there
// is none, no row if the engine cannot count them.
func (s *session) firstIn(ctx context.Context, p *part, value, where string) (string, int64, error) {
	have, err := s.describe(ctx, "SELECT *\nFROM "+p.read())
	if err != nil {
		return "", 0, err
	}
	file, row := unused(have, "_file"), rowNumber
	options := []string{"filename = " + text(file), rowNumber + " = true"}
	if named(have, rowNumber) >= 0 { // then the engine cannot count them
		row, options = "-1", options[:1]
	}
	b, err := s.query(ctx, "SELECT file, (row + 1)::BIGINT\nFROM (\n  SELECT "+value+" AS x, "+ident(file)+" AS file, "+row+" AS row\n  FROM "+
		p.read(options...)+"\n)\nWHERE "+where+"\nORDER BY ALL\nLIMIT 1")
	if err != nil || b.Len == 0 {
		return "", 0, err
	}
	return b.Columns[0].Strings[0], b.Columns[1].Int64s[0], nil
}
