package offline

import (
	"context"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// shape has the columns of a file, as its footer names them. Files with the same columns share a shape.
type shape struct {
	files   []string // that have it, in the order of the source
	columns []string // as the files write their names
	types   map[string]sqltype.Type
}

// shapes reads the footer of every file and returns the shape of each. Further files of the same shape cost nothing more.
func (s *session) shapes(ctx context.Context, files []string) ([]*shape, error) {
	unique := slices.Compact(slices.Sorted(slices.Values(files)))
	b, err := s.query(ctx, `SELECT list(file_name) AS files
FROM (
  SELECT file_name,
    list((name, type, type_length, num_children, converted_type, scale, precision, logical_type, duckdb_type)::VARCHAR ORDER BY column_id) AS columns
  FROM parquet_schema(`+escaped(unique)+`)
  GROUP BY file_name
)
GROUP BY columns`)
	if err != nil {
		return nil, err
	}
	of := map[string]*shape{}
	for i := range b.Len {
		sh := &shape{types: map[string]sqltype.Type{}}
		for _, file := range b.Columns[0].Value(i).([]string) {
			of[file] = sh
		}
	}
	out := make([]*shape, 0, len(files))
	for _, file := range files {
		sh := of[file]
		if sh == nil {
			return nil, fstore.Errorf(fstore.ErrInvalid, "%s has no footer", file).WithHint(rewrite)
		}
		if sh.files = append(sh.files, file); len(sh.files) == 1 {
			if err := s.readShape(ctx, sh); err != nil {
				return nil, err
			}
		}
		out = append(out, sh)
	}
	return out, nil
}

// readShape reads the columns of a shape from its first file: types from the engine, but names from the footer, because the
// engine renames one of two columns that differ only in case.
func (s *session) readShape(ctx context.Context, sh *shape) error {
	described, err := s.describe(ctx, "SELECT *\nFROM "+readParquet([]string{sh.files[0]}, false))
	if err != nil {
		return err
	}
	b, err := s.query(ctx, `SELECT name, coalesce(num_children, 0)::BIGINT, coalesce(duckdb_type = '"NULL"', false)
FROM parquet_schema(`+escaped([]string{sh.files[0]})+`)
ORDER BY column_id`)
	if err != nil {
		return err
	}
	names, children, untyped := b.Columns[0].Strings, b.Columns[1].Int64s, b.Columns[2].Bools
	at := 1 // after the root
	for _, c := range described {
		if at >= b.Len {
			break
		}
		end, noType := at, false
		for open := int64(1); open > 0 && end < b.Len; end++ {
			open += children[end] - 1
			noType = untyped[end]
		}
		t := sqltype.Parse(c.Type)
		switch {
		case noType && t.Elem != nil && t.Elem.Elem == nil:
			t = sqltype.ListOf(sqltype.Null)
		case noType && t.Elem == nil:
			t = sqltype.Null
		}
		sh.columns, sh.types[names[at]] = append(sh.columns, names[at]), t
		at = end
	}
	return nil
}

// twin returns another column whose name differs from a column's at most in case, so that SQL cannot tell them apart.
func (sh *shape) twin(name string) (string, bool) {
	found := 0
	for _, other := range sh.columns {
		switch {
		case other == name:
			found++
		case strings.EqualFold(other, name):
			return other, true
		}
	}
	return name, found > 1
}
