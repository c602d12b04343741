package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	fstore "github.com/fstore-dev/fstore"
)

// keyRows collects the rows that get asks about: the columns that a feature list needs, in name order.
type keyRows struct {
	columns []fstore.Column
}

func newKeyRows(fields []fstore.Field) *keyRows {
	k := &keyRows{columns: make([]fstore.Column, len(fields))}
	for i, f := range fields {
		k.columns[i] = fstore.NewColumn(f.Name, f.Type, 0)
	}
	return k
}

// names lists the columns for messages.
func (k *keyRows) names() string {
	names := make([]string, len(k.columns))
	for i, c := range k.columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// add appends one row: value appends that of one column, or says what was expected. given are the names that the row
// has and that must all be keys.
func (k *keyRows) add(given []string, value func(c *fstore.Column) error) error {
	for _, name := range given {
		if k.column(name) == nil {
			return fstore.Errorf(fstore.ErrInvalid, "%s is not a key of these features", name).WithHint("their keys are %s", k.names())
		}
	}
	for i := range k.columns {
		c := &k.columns[i]
		if err := value(c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

func (k *keyRows) column(name string) *fstore.Column {
	for i := range k.columns {
		if k.columns[i].Name == name {
			return &k.columns[i]
		}
	}
	return nil
}

var errMissing = fstore.Errorf(fstore.ErrInvalid, "the key is missing")

// addFlag adds the row of one --entity: k=v,k2=v2 or a JSON object.
func (k *keyRows) addFlag(text string) error {
	var err error
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		err = k.addObject(json.RawMessage(text))
	} else {
		err = k.addPairs(text)
	}
	if err != nil {
		message, hints := explain(err)
		e := &usageError{message: fmt.Sprintf("--entity %s: %s", text, message)}
		if len(hints) > 0 {
			e.hint = hints[0]
		}
		return e
	}
	return nil
}

func (k *keyRows) addPairs(text string) error {
	values := map[string]string{}
	var given []string
	for _, pair := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if !ok {
			return fstore.Errorf(fstore.ErrInvalid, "%q is not key=value", pair).WithHint(`write k=v,k2=v2, or {"k":"v"} where a value holds a comma`)
		}
		if _, twice := values[name]; twice {
			return fstore.Errorf(fstore.ErrInvalid, "%s is given twice", name)
		}
		values[name] = value
		given = append(given, name)
	}
	return k.add(given, func(c *fstore.Column) error {
		value, ok := values[c.Name]
		if !ok {
			return errMissing
		}
		return c.AppendText(value)
	})
}

func (k *keyRows) addObject(raw json.RawMessage) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "not a JSON object: %v", err)
	}
	given := make([]string, 0, len(values))
	for name := range values {
		given = append(given, name)
	}
	return k.add(given, func(c *fstore.Column) error {
		value, ok := values[c.Name]
		if !ok {
			return errMissing
		}
		return c.AppendParsed(value)
	})
}

// addFile adds the rows of a file: Parquet, CSV with a header (an empty field is null), JSON (an array of objects) or
// JSON lines, by the name's ending. Columns that are not keys are passed over.
func (k *keyRows) addFile(path string) error {
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet":
		err = k.addParquet(path)
	case ".csv":
		err = withFile(path, k.addCSV)
	case ".json", ".jsonl", ".ndjson":
		err = withFile(path, k.addJSON)
	default:
		return &usageError{message: "--entities " + path + ": what kind of file is it?", hint: "its name ends in .parquet, .csv, .json or .jsonl"}
	}
	if err != nil {
		return fmt.Errorf("read the keys of %s: %w", path, err)
	}
	return nil
}

func withFile(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return read(f)
}

func (k *keyRows) addCSV(r io.Reader) error {
	in := csv.NewReader(r)
	header, err := in.Read()
	if err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[strings.TrimPrefix(name, "\ufeff")] = i
	}
	for row := 1; ; row++ {
		record, err := in.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		err = k.add(nil, func(c *fstore.Column) error {
			i, ok := at[c.Name]
			switch {
			case !ok:
				return errMissing
			case record[i] == "":
				c.AppendNull()
				return nil
			}
			return c.AppendText(record[i])
		})
		if err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
	}
}

func (k *keyRows) addJSON(r io.Reader) error {
	in := json.NewDecoder(r)
	for row := 1; ; {
		var raw json.RawMessage
		if err := in.Decode(&raw); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		objects := []json.RawMessage{raw}
		if raw[0] == '[' {
			if err := json.Unmarshal(raw, &objects); err != nil {
				return err
			}
		}
		for _, object := range objects {
			if err := k.addKnown(object); err != nil {
				return fmt.Errorf("row %d: %w", row, err)
			}
			row++
		}
	}
}

// addKnown adds the row of an object that may have other members than keys.
func (k *keyRows) addKnown(raw json.RawMessage) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "expected an object: %v", err)
	}
	return k.add(nil, func(c *fstore.Column) error {
		value, ok := values[c.Name]
		if !ok {
			return errMissing
		}
		return c.AppendParsed(value)
	})
}
