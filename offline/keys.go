package offline

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// KeyFileEndings are the endings of files that ReadKeys reads, in the order in which messages list them.
var KeyFileEndings = []string{parquetEnding, ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".json", ".jsonl", ".ndjson"}

// IsKeyFile reports whether ReadKeys reads a file, by its name.
func IsKeyFile(path string) bool { return slices.Contains(KeyFileEndings, ending(path)) }

// Limits of a file of keys, which is held in memory.
const (
	maxKeyFile = 128 << 20 // bytes
	maxKeyRows = 10_000_000
)

// ReadKeys reads rows of join keys from a Parquet, CSV or JSON file; the name says which (KeyFileEndings). It ignores other
// columns. The rules are those of labels: a column converts to the key's type if no value is lost, and text is never a
// number or bytes. A null, NaN, or an empty CSV field is a missing key. The batch has the columns in the order of keys. The
// error is ErrInvalid, with row and column, if a value does not fit; it does not name the file.
func (e *Engine) ReadKeys(ctx context.Context, path string, keys []fstore.Field) (*fstore.Batch, error) {
	if !IsKeyFile(path) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "its name does not say what kind of file it is").WithHint("end it in one of %s", strings.Join(KeyFileEndings, ", "))
	}
	if empty, ok := jsonEndings[ending(path)]; ok {
		return readKeyJSON(e.absolute(path), keys, empty)
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
	r, err := s.rowFile(ctx, path, rowsWanted{keys: keys})
	if err != nil {
		return nil, err
	}
	columns, err := r.keyColumns(keys)
	if err != nil {
		return nil, err
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
	var selected []string
	for _, k := range columns {
		selected = append(selected, k.sql()+" AS "+ident(k.name))
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
