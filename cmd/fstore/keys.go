package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
)

// keyRows collects the rows that get asks about: the columns that a feature list needs, in name order.
type keyRows struct {
	columns []fstore.Column
	also    map[string]bool // names that a row may have although these features do not need them
}

func newKeyRows(fields []fstore.Field, also map[string]bool) *keyRows {
	k := &keyRows{also: also, columns: make([]fstore.Column, len(fields))}
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
		if k.column(name) == nil && !k.also[name] {
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
	values, given, err := fstore.ParseObject(raw)
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

// addFile adds the rows of a file, by the rules of labels. Columns that are not keys are passed over.
func (k *keyRows) addFile(ctx context.Context, engine *offline.Engine, path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return &usageError{message: fmt.Sprintf("--entities %s: %v", path, underlying(err))}
	case info.IsDir():
		return &usageError{message: "--entities " + path + " is a folder", hint: "name the files in it, each with --entities"}
	case !offline.IsKeyFile(path):
		return &usageError{message: "--entities " + path + ": what kind of file is it?", hint: "its name ends in one of " + strings.Join(offline.KeyFileEndings, ", ")}
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("--entities %s: %w", path, err)
	}
	batch, err := engine.ReadKeys(ctx, full, k.fields())
	if err != nil {
		return fmt.Errorf("read the keys of %s: %w", path, err)
	}
	for i := range k.columns {
		for row := range batch.Len {
			k.columns[i].AppendFrom(&batch.Columns[i], row)
		}
	}
	return nil
}

func (k *keyRows) fields() []fstore.Field {
	out := make([]fstore.Field, len(k.columns))
	for i, c := range k.columns {
		out[i] = fstore.Field{Name: c.Name, Type: c.Type}
	}
	return out
}
