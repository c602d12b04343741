package project

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
	"github.com/fstore-dev/fstore/regular"
)

// KeyRows collects rows of keys, with the columns that a feature list needs, in name order.
type KeyRows struct {
	Columns []fstore.Column
	also    map[string]bool // names that a row may also have although these features do not need them
}

// NewKeyRows returns no rows, with the columns that a list needs. A row may also have the columns in also.
func NewKeyRows(fields []fstore.Field, also map[string]bool) *KeyRows {
	k := &KeyRows{also: also, Columns: make([]fstore.Column, len(fields))}
	for i, f := range fields {
		k.Columns[i] = fstore.NewColumn(f.Name, f.Type, 0)
	}
	return k
}

// Names lists the columns for messages.
func (k *KeyRows) Names() string {
	names := make([]string, len(k.Columns))
	for i, c := range k.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// add appends one row. value appends the value of one column, or returns an error. given are the names in the row,
// which must all be keys.
func (k *KeyRows) add(given []string, value func(c *fstore.Column) error) error {
	for _, name := range given {
		if k.column(name) == nil && !k.also[name] {
			return fstore.Errorf(fstore.ErrInvalid, "%s is not a key of these features", name).WithHint("their keys are %s", k.Names())
		}
	}
	row := make([]fstore.Column, len(k.Columns)) // complete before it is added
	for i, c := range k.Columns {
		row[i] = fstore.NewColumn(c.Name, c.Type, 0)
		if err := value(&row[i]); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	for i := range row {
		k.Columns[i].AppendFrom(&row[i], 0)
	}
	return nil
}

func (k *KeyRows) column(name string) *fstore.Column {
	for i := range k.Columns {
		if k.Columns[i].Name == name {
			return &k.Columns[i]
		}
	}
	return nil
}

var errMissing = fstore.Errorf(fstore.ErrInvalid, "the key is missing")

// AddText adds one row: k=v,k2=v2 or a JSON object. It returns ErrInvalid if the text is not a row of these keys.
func (k *KeyRows) AddText(text string) error {
	switch {
	case !utf8.ValidString(text):
		return fstore.Errorf(fstore.ErrInvalid, "the text is not UTF-8")
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		return k.addObject(json.RawMessage(text))
	}
	return k.addPairs(text)
}

func (k *KeyRows) addPairs(text string) error {
	values := map[string]string{}
	var given []string
	for _, pair := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return fstore.Errorf(fstore.ErrInvalid, "%q is not key=value", pair).WithHint(`write k=v,k2=v2, or {"k":"v"} if a value has a comma`)
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

func (k *KeyRows) addObject(raw json.RawMessage) error {
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

// ReadKeys adds the rows of a file, by the rules for labels. It ignores columns that are not keys.
func (p *Project) ReadKeys(ctx context.Context, k *KeyRows, path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fstore.Errorf(fstore.ErrUsage, "%s: %v", path, regular.Cause(err))
	case info.IsDir():
		return fstore.Errorf(fstore.ErrUsage, "%s is a folder", path).WithHint("name the files in it, one by one")
	case !offline.IsKeyFile(path):
		return fstore.Errorf(fstore.ErrUsage, "%s: its name does not say what kind of file it is", path).WithHint("end it in one of %s", strings.Join(offline.KeyFileEndings, ", "))
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	engine, err := p.openedEngine()
	if err != nil {
		return err
	}
	batch, err := engine.ReadKeys(ctx, full, k.fields())
	if err != nil {
		return fmt.Errorf("read the keys of %s: %w", path, err)
	}
	for i := range k.Columns {
		for row := range batch.Len {
			k.Columns[i].AppendFrom(&batch.Columns[i], row)
		}
	}
	return nil
}

func (k *KeyRows) fields() []fstore.Field {
	out := make([]fstore.Field, len(k.Columns))
	for i, c := range k.Columns {
		out[i] = fstore.Field{Name: c.Name, Type: c.Type}
	}
	return out
}
