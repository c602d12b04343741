package offline

import (
	"context"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/sqltype"
)

const parquetEnding = ".parquet"

// KeyFileEndings are the endings of files that ReadKeys reads, in the order in which messages list them.
var KeyFileEndings = []string{parquetEnding, ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".json", ".jsonl", ".ndjson"}

// IsKeyFile reports whether ReadKeys reads a file, by its name.
func IsKeyFile(path string) bool {
	return lock.FormatOf(path) != lock.Parquet || strings.HasSuffix(strings.ToLower(path), parquetEnding)
}

// Limits of a file of keys, which is held in memory.
const (
	maxKeyFile = 128 << 20 // bytes
	maxKeyRows = 10_000_000
)

// ReadKeys reads rows of join keys and request columns from a Parquet, CSV or JSON file; the name says which
// (KeyFileEndings). It ignores other columns. The rules are those of labels: a column converts to its type if no value is
// lost, and text is never a number or bytes. A null, NaN, or an empty CSV field is a missing key, or null. A request column
// with a default may be missing and is null then. The batch has the keys in their order, then the request columns in theirs.
// The error is ErrInvalid, with row and column, if a value does not fit; it does not name the file.
func (e *Engine) ReadKeys(ctx context.Context, path string, keys []fstore.Field, request []fstore.RequestColumn) (*fstore.Batch, error) {
	if !IsKeyFile(path) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "its name does not say what kind of file it is").WithHint("end it in one of %s", strings.Join(KeyFileEndings, ", "))
	}
	if empty, ok := jsonFormats[lock.FormatOf(path)]; ok {
		return readKeyJSON(e.absolute(path), keys, request, empty)
	}
	s, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if f, err := regular.Open(e.absolute(path), maxKeyFile); err != nil {
		return nil, regular.ReadError(path, err)
	} else if err := f.Close(); err != nil {
		return nil, err
	}
	want := rowsWanted{keys: keys}
	for _, c := range request {
		want.request = append(want.request, c.Field())
	}
	r, err := s.rowFile(ctx, path, want)
	if err != nil {
		return nil, err
	}
	columns, err := r.keyColumns(keys)
	if err != nil {
		return nil, err
	}
	selected := []string{}
	for _, k := range columns {
		selected = append(selected, k.sql()+" AS "+ident(k.name))
	}
	for _, c := range request {
		given, err := r.given(c.Field(), requestColumn)
		switch {
		case err != nil:
			return nil, err
		case given == nil && c.Default == nil:
			return nil, fstore.Errorf(fstore.ErrInvalid, "there is no column %s, a request column of the features", c.Name).
				WithHint("it is %s; the columns are %s", c.Type.WithArticle(), columnNames(r.columns))
		case given == nil:
			selected = append(selected, "NULL::"+sqltype.Of(c.Type)+" AS "+ident(c.Name))
		default:
			columns, selected = append(columns, *given), append(selected, given.sql()+" AS "+ident(c.Name))
		}
	}
	if checked, aggregates := misfits(columns); len(checked) > 0 {
		found, err := s.query(ctx, "SELECT\n  "+list(aggregates)+"\nFROM (\n"+r.numbered()+"\n)")
		if err == nil {
			err = firstMisfit(checked, found.Columns)
		}
		if err != nil {
			return nil, err
		}
	}
	b, err := s.query(ctx, "SELECT\n  "+list(selected)+"\nFROM (\n"+r.numbered()+"\n)\nORDER BY row\nLIMIT "+strconv.Itoa(maxKeyRows+1))
	switch {
	case err != nil:
		return nil, err
	case b.Len > maxKeyRows:
		return nil, fstore.Errorf(fstore.ErrTooLarge, "more than %d rows of keys", maxKeyRows).WithHint("split the file")
	}
	return b, s.checkFile(ctx, r.stamp, r.file)
}
