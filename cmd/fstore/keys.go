package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
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
	if !utf8.ValidString(text) {
		return &usageError{message: fmt.Sprintf("--entity %q is not UTF-8", text)}
	}
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
		if !ok || name == "" {
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
	values, given, err := parseObject(raw)
	if err != nil {
		return err
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
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return &usageError{message: "--entities " + path + " is a folder", hint: "name the files in it, each with --entities"}
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet":
		err = k.addParquet(path)
	case ".csv":
		err = withFile(path, k.addCSV)
	case ".json":
		err = withFile(path, func(r io.Reader) error { return k.addJSON(r, someValues) })
	case ".jsonl", ".ndjson":
		err = withFile(path, func(r io.Reader) error { return k.addJSON(r, anyValues) })
	default:
		return &usageError{message: "--entities " + path + ": what kind of file is it?", hint: "its name ends in .parquet, .csv, .json or .jsonl"}
	}
	var opening *fs.PathError
	if errors.As(err, &opening) {
		return &usageError{message: fmt.Sprintf("--entities %s: %v", path, opening.Err)}
	}
	if err != nil {
		return fmt.Errorf("read the keys of %s: %w", path, err)
	}
	return nil
}

// maxKeys bounds a file of keys, in bytes: its keys are held in memory.
const maxKeys = 128 << 20

func withFile(path string, read func(io.Reader) error) error {
	f, err := regular.Open(path, maxKeys)
	if err != nil {
		return err
	}
	defer f.Close()
	return read(f)
}

func (k *keyRows) addCSV(r io.Reader) error {
	in := csv.NewReader(r)
	header, err := in.Read()
	if err == io.EOF {
		return fstore.Errorf(fstore.ErrInvalid, "the file is empty").WithHint("the first line names the columns: %s", k.names())
	}
	if err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	at := map[string]int{}
	for i, name := range header {
		name = strings.TrimPrefix(name, "\ufeff")
		if _, twice := at[name]; twice && k.column(name) != nil {
			return fstore.Errorf(fstore.ErrInvalid, "the header names %s twice", name)
		}
		at[name] = i
	}
	for _, c := range k.columns {
		if _, ok := at[c.Name]; !ok {
			return fstore.Errorf(fstore.ErrInvalid, "there is no column %s", c.Name).WithHint("the header has %.200s", strings.Join(header, ", "))
		}
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
			text := record[at[c.Name]]
			switch {
			case text == "":
				c.AppendNull()
				return nil
			case !utf8.ValidString(text):
				return fstore.Errorf(fstore.ErrInvalid, "%q is not UTF-8", text)
			}
			return c.AppendText(text)
		})
		if err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
	}
}

// howMany says whether a file of JSON may be empty: JSON lines may, JSON is a value.
type howMany int

const (
	anyValues howMany = iota
	someValues
)

func (k *keyRows) addJSON(r io.Reader, least howMany) error {
	in := json.NewDecoder(r)
	for row, values := 1, 0; ; values++ {
		var raw json.RawMessage
		err := in.Decode(&raw)
		switch {
		case err == io.EOF && values == 0 && least == someValues:
			return fstore.Errorf(fstore.ErrInvalid, "the file is empty").WithHint("an array of objects, [{…}, {…}], or an object for each row")
		case err == io.EOF:
			return nil
		case err != nil:
			return fstore.Errorf(fstore.ErrInvalid, "behind row %d: not JSON: %v", row-1, err)
		case !utf8.Valid(raw):
			return fstore.Errorf(fstore.ErrInvalid, "behind row %d: not UTF-8", row-1)
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
	values, _, err := parseObject(raw)
	if err != nil {
		return err
	}
	return k.add(nil, func(c *fstore.Column) error {
		value, ok := values[c.Name]
		if !ok {
			return errMissing
		}
		return c.AppendParsed(value)
	})
}

// parseObject returns the members of a JSON object, and their names in order. A name that is given twice is an error,
// where the last one would win elsewhere.
func parseObject(raw json.RawMessage) (values map[string]json.RawMessage, names []string, err error) {
	if err := fstore.CheckJSON(raw); err != nil {
		return nil, nil, err
	}
	in := json.NewDecoder(bytes.NewReader(raw))
	bad := func(err error) error {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fstore.Errorf(fstore.ErrInvalid, "not a JSON object: %v", err)
	}
	begin, err := in.Token()
	if err != nil {
		return nil, nil, bad(err)
	}
	if begin != json.Delim('{') {
		return nil, nil, fstore.Errorf(fstore.ErrInvalid, "%.100s is not a JSON object", raw)
	}
	values = map[string]json.RawMessage{}
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return nil, nil, bad(err)
		}
		name, _ := token.(string)
		if _, twice := values[name]; twice {
			return nil, nil, fstore.Errorf(fstore.ErrInvalid, "%s is given twice", name)
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, nil, bad(err)
		}
		values[name], names = value, append(names, name)
	}
	if _, err := in.Token(); err != nil {
		return nil, nil, bad(err)
	}
	if rest, err := in.Token(); err != io.EOF {
		return nil, nil, fstore.Errorf(fstore.ErrInvalid, "not a JSON object: %v behind it", rest)
	}
	return values, names, nil
}
