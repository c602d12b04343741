package offline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/sqltype"
)

// rowFile is a file of labels, or of keys to look up, as a relation of the session. Both follow the same rules.
type rowFile struct {
	from    string // FROM item with columns and order
	file    string
	stamp   trainset.Stamp // of the file, before anything was read from it
	order   string         // the column that numbers the rows, from 0
	columns []fstore.EngineColumn
	units   map[string]timeUnit // of a Parquet file
	untyped map[string]bool     // columns of a Parquet file that are null and have no type, as pandas writes columns without values
}

// rowsWanted says which columns of a file are wanted.
type rowsWanted struct {
	keys      []fstore.Field // join keys, each a column
	timestamp string         // the column of instants; empty: the file has keys, and its other columns are not read
}

// column reports whether a column is wanted. All columns of labels are.
func (w rowsWanted) column(name string) bool { return w.timestamp != "" || w.key(name) != nil }

// key returns the join key of that name, or nil.
func (w rowsWanted) key(name string) *fstore.Field {
	i := slices.IndexFunc(w.keys, func(k fstore.Field) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &w.keys[i]
}

// csvEndings are the endings of CSV files.
var csvEndings = map[string]csvFormat{
	".csv": {0, uncompressed}, ".csv.gz": {0, gzipped}, ".tsv": {'\t', uncompressed}, ".tsv.gz": {'\t', gzipped},
}

// jsonEndings are the endings of JSON files, and whether they may be empty.
var jsonEndings = map[string]emptyFile{".json": someValues, ".jsonl": anyValues, ".ndjson": anyValues}

const parquetEnding = ".parquet"

// ending returns the ending of a file's name in lower case, such as .csv.gz.
func ending(path string) string {
	path = strings.ToLower(path)
	ext := filepath.Ext(path)
	if ext == ".gz" {
		ext = filepath.Ext(strings.TrimSuffix(path, ext)) + ext
	}
	return ext
}

// rowFile opens a file of rows: CSV if its ending says so, otherwise Parquet.
func (s *session) rowFile(ctx context.Context, path string, want rowsWanted) (r rowFile, err error) {
	r.file = s.labelPath(path)
	if err := checkRegular(r.file); err != nil {
		return r, err
	}
	if s.pinned == nil {
		if err := checkTables([]string{r.file}, filepath.Dir(r.file)); err != nil {
			return r, err
		}
	}
	if r.stamp, err = s.stamp(ctx, r.file); err != nil {
		return r, err
	}
	s.early.Start([]string{r.file}, []trainset.Stamp{r.stamp})
	end := ending(path)
	if format, ok := csvEndings[end]; ok {
		return r, s.openCSV(ctx, &r, format, want)
	}
	if _, ok := jsonEndings[end]; ok {
		return r, fstore.Errorf(fstore.ErrInvalid, "%s is JSON, by its name: labels are Parquet or CSV", path).WithHint("write them as .parquet, .csv, .csv.gz or .tsv")
	}
	return r, s.openParquet(ctx, &r, want)
}

func (s *session) openParquet(ctx context.Context, r *rowFile, want rowsWanted) (err error) {
	if r.units, err = timeUnits(r.file); err != nil {
		return err
	}
	for column, unit := range r.units {
		if unit == zonedNanos && want.column(column) {
			if err := checkNanos(ctx, r.file, column); err != nil {
				return err
			}
		}
	}
	if r.columns, err = s.describe(ctx, "SELECT *\nFROM "+readParquet([]string{r.file}, false)); err != nil {
		return err
	}
	names, untyped, err := parquetColumns(r.file)
	if err != nil {
		return err
	}
	r.untyped = untyped
	if err := checkNames(names); err != nil {
		return err
	}
	r.order = unused(r.columns, "_row")
	at, options := rowNumber, []string{rowNumber + " = true"}
	if named(r.columns, rowNumber) >= 0 { // then the engine cannot number the rows itself
		at, options = "row_number() OVER () - 1", nil
	}
	r.from = "(\n  SELECT *, " + at + " AS " + ident(r.order) + "\n  FROM " + readParquet([]string{r.file}, false, options...) + "\n)"
	return nil
}

// checkNames returns an error if two columns differ only in case. The engine would rename one of them, and label columns
// must keep their names.
func checkNames(names []string) error {
	seen := map[string]string{}
	for i, name := range names {
		if name == "" {
			return fstore.Errorf(fstore.ErrInvalid, "column %d has no name", i+1).WithHint("give it one")
		}
		if other, ok := seen[strings.ToLower(name)]; ok {
			return fstore.Errorf(fstore.ErrInvalid, "columns %s and %s have the same name", other, name).
				WithHint("rename one of them; names must differ in more than case")
		}
		seen[strings.ToLower(name)] = name
	}
	return nil
}

// numbered returns the query of the rows: their columns as l0, l1… and their order as row.
func (r *rowFile) numbered() string {
	columns := []string{ident(r.order) + " AS row"}
	for i, c := range r.columns {
		columns = append(columns, fmt.Sprintf("%s AS l%d", ident(c.Name), i))
	}
	return "  SELECT\n  " + list(columns) + "\n  FROM " + r.from
}

// keyColumn is a column that gives a join key.
type keyColumn struct {
	field        // of numbered
	name  string // of the column
}

// keyColumns finds the columns that give join keys.
func (r *rowFile) keyColumns(keys []fstore.Field) ([]keyColumn, error) {
	var out []keyColumn
	for _, k := range keys {
		i := columnIndex(r.columns, k.Name)
		if i < 0 {
			return nil, fstore.Errorf(fstore.ErrInvalid, "there is no column %s, a join key of the features", k.Name).
				WithHint("the columns are %s; a service may name another with keys: {%s: COLUMN}", columnNames(r.columns), k.Name)
		}
		f := field{column: fmt.Sprintf("l%d", i), from: sqltype.Parse(r.columns[i].Type), to: k.Type}
		if r.untyped[k.Name] {
			f.from = sqltype.Null
		}
		if !f.from.Converts(k.Type) {
			return nil, fstore.Errorf(fstore.ErrInvalid, "column %s is %s, but the join key is %s, and they are never equal", k.Name, r.columns[i].Type, k.Type)
		}
		out = append(out, keyColumn{f, k.Name})
	}
	return out, nil
}

// joinKey returns the converted join key. NaN is a missing key, because data frames write missing keys so.
func (k keyColumn) joinKey() string {
	c := convert(k.column, k.from, k.to)
	if k.from.Mantissa == 0 {
		return c.cast
	}
	return "CASE WHEN NOT isnan(" + k.column + ") THEN " + c.cast + " END"
}

// misfits returns the keys that may not fit their type and, for each of them, two aggregates over numbered: the first row
// that does not fit, and its value there.
func misfits(keys []keyColumn) (checked []keyColumn, aggregates []string) {
	for _, k := range keys {
		unfit := k.unfit()
		if unfit == "" {
			continue
		}
		if k.from.Mantissa > 0 {
			unfit = "NOT isnan(" + k.column + ") AND " + unfit
		}
		checked = append(checked, k)
		aggregates = append(aggregates, "min(row) FILTER (WHERE "+unfit+")", "arg_min("+k.column+"::VARCHAR, row) FILTER (WHERE "+unfit+")")
	}
	return checked, aggregates
}

// firstMisfit returns an error about the first key that does not fit its type, given the results of misfits.
func firstMisfit(checked []keyColumn, found []fstore.Column) error {
	for i, k := range checked {
		if row := &found[2*i]; !row.IsNull(0) {
			return fstore.Errorf(fstore.ErrInvalid, "row %d: column %s: %s is not %s", row.Int64s[0]+1, k.name, found[2*i+1].Strings[0], k.to.WithArticle())
		}
	}
	return nil
}
