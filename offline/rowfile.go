package offline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/ondemand/vector"
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
	request   []fstore.Field // request columns, each a column if the file has one
	values    []fstore.Field // other columns whose type is known, likewise
	timestamp string         // the column of instants; empty: the file has keys, and its other columns are not read unless all are wanted
	all       bool           // all columns
}

// column reports whether a column is wanted. All columns of labels are.
func (w rowsWanted) column(name string) bool {
	return w.timestamp != "" || w.all || w.typed(name) != nil
}

// typed returns the join key, request column or other column of that name, whose type is declared, or nil. The column of instants is read
// as such, even if expressions read it too.
func (w rowsWanted) typed(name string) *fstore.Field {
	for _, f := range w.keys {
		if f.Name == name {
			return &f
		}
	}
	for _, f := range slices.Concat(w.request, w.values) {
		if f.Name == name && name != w.timestamp {
			return &f
		}
	}
	return nil
}

// isKey reports whether a column is a join key.
func (w rowsWanted) isKey(name string) bool {
	return slices.ContainsFunc(w.keys, func(k fstore.Field) bool { return k.Name == name })
}

// csvFormats are the formats of CSV files.
var csvFormats = map[lock.FileFormat]csvFormat{
	lock.CSV: {0, uncompressed}, lock.GzippedCSV: {0, gzipped}, lock.TSV: {'\t', uncompressed}, lock.GzippedTSV: {'\t', gzipped},
}

// jsonFormats are the formats of JSON files, and whether such files may be empty.
var jsonFormats = map[lock.FileFormat]emptyFile{lock.JSON: someValues, lock.JSONLines: anyValues}

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
	is := lock.FormatOf(path)
	if format, ok := csvFormats[is]; ok {
		return r, s.openCSV(ctx, &r, format, want)
	}
	if _, ok := jsonFormats[is]; ok {
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

// givenColumn is a column that gives a join key or a request column.
type givenColumn struct {
	field        // of numbered
	name  string // of the column
	kind  givenKind
}

type givenKind uint8

const (
	joinKey givenKind = iota
	requestColumn
)

// keyColumns finds the columns that give join keys.
func (r *rowFile) keyColumns(keys []fstore.Field) ([]givenColumn, error) {
	var out []givenColumn
	for _, k := range keys {
		c, err := r.given(k, joinKey)
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			return nil, fstore.Errorf(fstore.ErrInvalid, "there is no column %s, a join key of the features", k.Name).
				WithHint("the columns are %s; a service may name another with keys: {%s: COLUMN}", columnNames(r.columns), k.Name)
		}
		out = append(out, *c)
	}
	return out, nil
}

// given finds a column that gives a join key or a request column; nil if there is none.
func (r *rowFile) given(want fstore.Field, kind givenKind) (*givenColumn, error) {
	i := columnIndex(r.columns, want.Name)
	if i < 0 {
		return nil, nil
	}
	f := field{column: fmt.Sprintf("l%d", i), from: sqltype.Parse(r.columns[i].Type), to: want.Type}
	if r.untyped[want.Name] {
		f.from = sqltype.Null
	}
	switch {
	case f.from.Converts(want.Type):
		return &givenColumn{f, want.Name, kind}, nil
	case kind == joinKey:
		return nil, fstore.Errorf(fstore.ErrInvalid, "column %s is %s, but the join key is %s, and they are never equal", want.Name, r.columns[i].Type, want.Type)
	}
	return nil, fstore.Errorf(fstore.ErrInvalid, "column %s is %s, but the request column is %s", want.Name, r.columns[i].Type, want.Type).
		WithHint("convert the column, or declare the request column with its type")
}

// sql returns the converted value. NaN is missing, because data frames write missing values so. ondemand.Convert does the
// rest for a request column, whose instants round down to a microsecond.
func (c givenColumn) sql() string {
	x := convert(c.column, c.from, c.to).cast
	if c.kind == requestColumn {
		x = c.column + "::" + sqltype.Of(c.to)
		if c.to == fstore.Timestamp && !c.from.Is(sqltype.Null) {
			x = roundedDown(c.column, c.from)
		}
	}
	if c.from.Mantissa == 0 {
		return x
	}
	return "CASE WHEN NOT isnan(" + c.column + ") THEN " + x + " END"
}

// unfit returns the condition under which a value does not convert; empty if every value does.
func (c givenColumn) unfit() string {
	unfit := c.field.unfit()
	switch {
	case unfit == "":
	case c.kind == requestColumn && c.to == fstore.Timestamp: // fractions of a microsecond fit
		unfit = c.column + " IS NOT NULL AND " + c.sql() + " IS NULL"
	case c.from.Mantissa > 0:
		unfit = "NOT isnan(" + c.column + ") AND " + unfit
	}
	if c.kind == requestColumn && !c.from.Is(sqltype.Null) {
		for _, limit := range c.beyond() {
			unfit = strings.TrimPrefix(unfit+" OR "+limit, " OR ")
		}
	}
	return unfit
}

// beyond returns the conditions under which a value is beyond what expressions read (see ondemand.Convert).
func (c givenColumn) beyond() (conditions []string) {
	element := ""
	switch c.to.Elem() {
	case fstore.String:
		element = fmt.Sprintf("strlen(%%[1]s::VARCHAR) > %d", vector.MaxText)
	case fstore.Timestamp:
		element = fmt.Sprintf("epoch_us(TRY_CAST(%%[1]s AS TIMESTAMP)) NOT BETWEEN %d AND %d", vector.FirstInstant, vector.LastInstant)
	case fstore.Bool, fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.Bytes: // any value
	}
	if c.to.IsList() {
		conditions = append(conditions, fmt.Sprintf("len(%s) > %d", c.column, vector.MaxList))
	}
	switch {
	case element == "":
	case c.to.IsList():
		conditions = append(conditions, "len(list_filter("+c.column+", lambda e: "+fmt.Sprintf(element, "e")+")) > 0")
	default:
		conditions = append(conditions, fmt.Sprintf(element, c.column))
	}
	return conditions
}

// misfits returns the columns that may have values that do not convert and, for each of them, two aggregates over numbered:
// the first such row, and its value there.
func misfits(given []givenColumn) (checked []givenColumn, aggregates []string) {
	for _, c := range given {
		if unfit := c.unfit(); unfit != "" {
			checked = append(checked, c)
			aggregates = append(aggregates, "min(row) FILTER (WHERE "+unfit+")", "arg_min(left("+c.column+"::VARCHAR, 100), row) FILTER (WHERE "+unfit+")")
		}
	}
	return checked, aggregates
}

// firstMisfit returns an error about the first column with a value that does not convert, given the results of misfits.
func firstMisfit(checked []givenColumn, found []fstore.Column) error {
	for i, c := range checked {
		if row := &found[2*i]; !row.IsNull(0) {
			what := c.to.WithArticle()
			if c.kind == requestColumn && c.beyond() != nil {
				what += " within the limits of expressions (docs/on-demand.md)"
			}
			return fstore.Errorf(fstore.ErrInvalid, "row %d: column %s: %s is not %s", row.Int64s[0]+1, c.name, found[2*i+1].Strings[0], what)
		}
	}
	return nil
}
