package offline

import (
	"context"

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
	seen := map[string]fstore.EngineColumn{} // by column: the file it was first seen in, and its type there
	for _, file := range first.Columns[0].Strings {
		columns, err := s.describe(ctx, "SELECT *\nFROM "+readParquet([]string{file}))
		if err != nil {
			return err
		}
		for _, c := range columns {
			other, ok := seen[c.Name]
			if !ok {
				other = fstore.EngineColumn{Name: file, Type: c.Type}
				seen[c.Name] = other
			}
			all := src.raw[columnIndex(src.raw, c.Name)].Type
			for _, in := range []fstore.EngineColumn{other, {Name: file, Type: c.Type}} {
				if !parseType(in.Type).widens(parseType(all)) {
					return fstore.Errorf(fstore.ErrInvalid, "column %s is %s in %s but %s in %s, and no type holds the values of both",
						c.Name, other.Type, other.Name, c.Type, file).WithHint("write the files with one type")
				}
			}
		}
	}
	return nil
}
