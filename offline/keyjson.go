package offline

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// emptyFile says whether a JSON file may be empty. JSON lines may; a JSON file must have a value.
type emptyFile int

const (
	anyValues emptyFile = iota
	someValues
)

// readKeyJSON reads the rows of a JSON file: an array of objects, or a sequence of objects. It does not use the engine's
// reader, which reads large integers as doubles and takes the last of two members with the same name.
func readKeyJSON(path string, keys []fstore.Field, request []fstore.RequestColumn, empty emptyFile) (*fstore.Batch, error) {
	f, err := regular.Open(path, maxKeyFile)
	if err != nil {
		return nil, regular.ReadError(path, err)
	}
	defer f.Close()
	b := newJSONRows(keys, request)
	return &b.Batch, b.appendJSON(f, empty)
}

// jsonRows is the rows read from a JSON file so far.
type jsonRows struct {
	fstore.Batch
	missing []error // by column: why a row must have it; nil: it may be missing and is null then
}

func newJSONRows(keys []fstore.Field, request []fstore.RequestColumn) *jsonRows {
	b := &jsonRows{}
	add := func(name string, t fstore.Type, missing error) {
		b.Columns, b.missing = append(b.Columns, fstore.NewColumn(name, t, 0)), append(b.missing, missing)
	}
	const hint = "write null where a row has none"
	for _, k := range keys {
		add(k.Name, k.Type, fstore.Errorf(fstore.ErrInvalid, "column %s: the key is missing", k.Name).WithHint(hint))
	}
	for _, c := range request {
		var missing error
		if c.Default == nil {
			missing = fstore.Errorf(fstore.ErrInvalid, "column %s: the request column is missing", c.Name).WithHint(hint)
		}
		add(c.Name, c.Type, missing)
	}
	return b
}

func (b *jsonRows) appendJSON(r io.Reader, empty emptyFile) error {
	in := json.NewDecoder(r)
	for values := 0; ; values++ {
		var raw json.RawMessage
		err := in.Decode(&raw)
		switch {
		case err == io.EOF && values == 0 && empty == someValues:
			return fstore.Errorf(fstore.ErrInvalid, "the file is empty").WithHint("an array of objects, [{…}, {…}], or an object for each row")
		case err == io.EOF:
			return nil
		case err != nil:
			return fstore.Errorf(fstore.ErrInvalid, "after row %d: not JSON: %v", b.Len, err)
		}
		objects := []json.RawMessage{raw}
		if raw[0] == '[' {
			if err := json.Unmarshal(raw, &objects); err != nil {
				return err
			}
		}
		for _, object := range objects {
			if err := b.appendObject(object); err != nil {
				return fmt.Errorf("row %d: %w", b.Len+1, err)
			}
		}
	}
}

// appendObject adds the row of an object. Members that are not columns of the batch are ignored.
func (b *jsonRows) appendObject(raw json.RawMessage) error {
	values, _, err := fstore.ParseObject(raw)
	if err != nil {
		return err
	}
	for i := range b.Columns {
		c := &b.Columns[i]
		value, ok := values[c.Name]
		if !ok {
			if b.missing[i] != nil {
				return b.missing[i]
			}
			value = json.RawMessage("null")
		}
		if err := c.AppendParsed(value); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	b.Len++
	return nil
}
