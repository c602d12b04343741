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
func readKeyJSON(path string, keys []fstore.Field, empty emptyFile) (*fstore.Batch, error) {
	f, err := regular.Open(path, maxKeyFile)
	if err != nil {
		return nil, regular.ReadError(path, err)
	}
	defer f.Close()
	b := &fstore.Batch{}
	for _, k := range keys {
		b.Columns = append(b.Columns, fstore.NewColumn(k.Name, k.Type, 0))
	}
	return b, appendJSON(b, f, empty)
}

func appendJSON(b *fstore.Batch, r io.Reader, empty emptyFile) error {
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
			if err := appendObject(b, object); err != nil {
				return fmt.Errorf("row %d: %w", b.Len+1, err)
			}
		}
	}
}

// appendObject adds the row of an object. Members that are not keys are ignored.
func appendObject(b *fstore.Batch, raw json.RawMessage) error {
	values, _, err := fstore.ParseObject(raw)
	if err != nil {
		return err
	}
	for i := range b.Columns {
		c := &b.Columns[i]
		value, ok := values[c.Name]
		if !ok {
			return fstore.Errorf(fstore.ErrInvalid, "column %s: the key is missing", c.Name).WithHint("write null where a row has none")
		}
		if err := c.AppendParsed(value); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	b.Len++
	return nil
}
