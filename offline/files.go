package offline

import (
	"context"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// checkFiles returns an error, naming both files, where files of one source differ in a column's type so that the
// type they are read as cannot hold all values of one of them. It reads footers: of each file for its schema,
// and once more for the first file of each schema there is.
func (s *session) checkFiles(ctx context.Context, src *source) error {
	if len(src.files) == 1 {
		return nil
	}
	first, err := s.query(ctx, `SELECT min(file_name) AS file
FROM (
  SELECT file_name, list((name, type, type_length, num_children, converted_type, scale, precision, logical_type)::VARCHAR) AS columns
  FROM parquet_schema(`+escaped(src.files)+`)
  GROUP BY file_name
)
GROUP BY columns
ORDER BY file`)
	if err != nil {
		return err
	}
	var names []string                          // of columns, as the first file has them that has them
	types := map[string][]fstore.EngineColumn{} // by column in lower case: each type it has, with the first file that has it so
	for _, file := range first.Columns[0].Strings {
		columns, err := s.describe(ctx, "SELECT *\nFROM "+readParquet([]string{file}, false))
		if err != nil {
			return err
		}
		for _, c := range columns {
			key := strings.ToLower(c.Name)
			if len(types[key]) == 0 {
				names = append(names, c.Name)
			}
			if !slices.ContainsFunc(types[key], func(o fstore.EngineColumn) bool { return o.Type == c.Type }) {
				types[key] = append(types[key], fstore.EngineColumn{Name: file, Type: c.Type})
			}
		}
	}
	for _, name := range names {
		i := named(src.raw, name)
		if i < 0 { // the folders have a column of that name
			continue
		}
		all := parseType(src.raw[i].Type)
		in := types[strings.ToLower(name)]
		if slices.ContainsFunc(in, func(c fstore.EngineColumn) bool { return !parseType(c.Type).widens(all) }) {
			a, b := unlike(in)
			return fstore.Errorf(fstore.ErrInvalid, "column %s is %s in %s but %s in %s, and no type holds the values of both",
				name, a.Type, a.Name, b.Type, b.Name).WithHint("write the files with one type")
		}
	}
	return nil
}

// unlike returns two of the types, of which neither holds the values of the other; the first two if each pair
// would do.
func unlike(types []fstore.EngineColumn) (a, b fstore.EngineColumn) {
	for i, b := range types {
		for _, a := range types[:i] {
			if ta, tb := parseType(a.Type), parseType(b.Type); !ta.widens(tb) && !tb.widens(ta) {
				return a, b
			}
		}
	}
	return types[0], types[1]
}
