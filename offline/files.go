package offline

import (
	"context"
	"slices"

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
	var names []string
	types := map[string][]fstore.EngineColumn{} // by column: each type it has, with the first file that has it so
	for _, file := range first.Columns[0].Strings {
		columns, err := s.describe(ctx, "SELECT *\nFROM "+readParquet([]string{file}, false))
		if err != nil {
			return err
		}
		for _, c := range columns {
			if len(types[c.Name]) == 0 {
				names = append(names, c.Name)
			}
			if !slices.ContainsFunc(types[c.Name], func(o fstore.EngineColumn) bool { return o.Type == c.Type }) {
				types[c.Name] = append(types[c.Name], fstore.EngineColumn{Name: file, Type: c.Type})
			}
		}
	}
	for _, name := range names {
		all := parseType(src.raw[columnIndex(src.raw, name)].Type)
		in := types[name]
		if slices.ContainsFunc(in, func(c fstore.EngineColumn) bool { return !parseType(c.Type).widens(all) }) {
			return fstore.Errorf(fstore.ErrInvalid, "column %s is %s in %s but %s in %s, and no type holds the values of both",
				name, in[0].Type, in[0].Name, in[1].Type, in[1].Name).WithHint("write the files with one type")
		}
	}
	return nil
}
