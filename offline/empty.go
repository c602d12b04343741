package offline

import (
	"context"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// Writers choose any type for a column without values: pandas DOUBLE, R BOOLEAN. If some files have a column in the wrong
// type, fstore looks for values in these files. If there are none, the column is null there, in any type.

// isDoubtful reports whether a column of a type converts to another only if it holds no value but NaN.
func isDoubtful(from sqltype.Type, to fstore.Type) bool {
	return !from.Converts(to) || from.Mantissa > 0 && (to == fstore.Int32 || to == fstore.Int64)
}

// isEmpty reports whether the files that have a column in a type hold no value in it. NaN does not count as a value, because
// data frames write missing values as NaN.
func (s *session) isEmpty(ctx context.Context, src *source, c *sourceColumn, t sqltype.Type) (bool, error) {
	if empty, known := c.empty[t.Text]; known {
		return empty, nil
	}
	var files []string
	for _, sh := range src.distinctShapes() {
		if has, ok := sh.types[c.file]; ok && has.Is(t) {
			files = append(files, sh.files...)
		}
	}
	if c.folder || len(files) == 0 {
		return false, nil
	}
	where := ident(c.file) + " IS NOT NULL"
	if t.Mantissa > 0 {
		where += " AND NOT isnan(" + ident(c.file) + ")"
	}
	b, err := s.query(ctx, "SELECT 1\nFROM "+readParquet(files, false)+"\nWHERE "+where+"\nLIMIT 1")
	if err != nil {
		return false, fmt.Errorf("source %s: %w", src.def.Name, err)
	}
	if c.empty == nil {
		c.empty = map[string]bool{}
	}
	c.empty[t.Text] = b.Len == 0
	return b.Len == 0, nil
}

// findEmpty looks for values in columns whose type may not convert to the type that a view declares.
func (s *session) findEmpty(ctx context.Context, src *source, v *fstore.View) error {
	declared := slices.Clone(v.Keys)
	for _, f := range v.Features {
		declared = append(declared, fstore.Field{Name: f.Column, Type: f.Type})
	}
	for _, d := range declared {
		i := slices.IndexFunc(src.columns, func(c *sourceColumn) bool { return c.name == d.Name })
		if i < 0 || src.columns[i].unreadable != nil {
			continue
		}
		for _, t := range src.columns[i].types {
			if from := sqltype.Parse(t.Type); isDoubtful(from, d.Type) {
				if _, err := s.isEmpty(ctx, src, src.columns[i], from); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// isNull reports whether a column, declared as a type, is null in the files that have it in another type.
func (c *sourceColumn) isNull(from sqltype.Type, to fstore.Type) bool {
	return c.empty[from.Text] && isDoubtful(from, to)
}

// HasNoValues reports whether the files of a source that have a column in a type hold no value in it. SourceColumns gives
// the names of columns and types. Such a column converts to any type.
func (e *Engine) HasNoValues(ctx context.Context, def *fstore.Source, column, engineType string) (bool, error) {
	s, err := e.session(ctx)
	if err != nil {
		return false, err
	}
	defer s.close()
	src, err := s.source(ctx, def)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(src.columns, func(c *sourceColumn) bool { return c.name == column })
	if i < 0 {
		return false, nil
	}
	return s.isEmpty(ctx, src, src.columns[i], sqltype.Parse(engineType))
}
