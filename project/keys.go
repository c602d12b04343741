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

// KeyRows collects rows of keys and request columns, with the columns that a feature list reads, in name order.
type KeyRows struct {
	Columns []fstore.Column
	request map[string]fstore.RequestColumn // by name: the columns that are not keys
	also    map[string]bool                 // names that a row may also have although these features do not need them
}

// NewKeyRows returns no rows, with the columns that a list reads. A row may also have the columns in also.
func NewKeyRows(list *fstore.FeatureList, also map[string]bool) *KeyRows {
	k := &KeyRows{also: also, request: map[string]fstore.RequestColumn{}}
	for _, f := range list.Columns() {
		k.Columns = append(k.Columns, fstore.NewColumn(f.Name, f.Type, 0))
	}
	for _, c := range list.RequestColumns() {
		k.request[c.Name] = c
	}
	for _, f := range list.KeyColumns() {
		delete(k.request, f.Name)
	}
	return k
}

// Optional reports whether every row may do without every column: there are no keys, and all request columns have defaults.
func (k *KeyRows) Optional() bool {
	for i := range k.Columns {
		if !k.optional(k.Columns[i].Name) {
			return false
		}
	}
	return true
}

func (k *KeyRows) optional(name string) bool {
	c, ok := k.request[name]
	return ok && c.Default != nil
}

// Names lists the columns for messages: keys by name, and request columns with their types.
func (k *KeyRows) Names() string {
	names := make([]string, len(k.Columns))
	for i, c := range k.Columns {
		names[i] = c.Name
		if _, ok := k.request[c.Name]; !ok {
			continue
		}
		if names[i] += " (" + c.Type.String(); k.optional(c.Name) {
			names[i] += ", optional"
		}
		names[i] += ")"
	}
	return strings.Join(names, ", ")
}

// add appends one row. value appends the value of one column, or returns an error. given are the names in the row,
// which must all be keys.
func (k *KeyRows) add(given []string, value func(c *fstore.Column) error) error {
	for _, name := range given {
		if k.column(name) == nil && !k.also[name] {
			return k.unknown(name)
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

func (k *KeyRows) unknown(name string) error {
	if len(k.request) == 0 {
		return fstore.Errorf(fstore.ErrInvalid, "%s is not a key of these features", name).WithHint("their keys are %s", k.Names())
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s is neither a key nor a request column of these features", name).WithHint("their columns are %s", k.Names())
}

func (k *KeyRows) column(name string) *fstore.Column {
	for i := range k.Columns {
		if k.Columns[i].Name == name {
			return &k.Columns[i]
		}
	}
	return nil
}

// absent adds null to a column that a row does not have: its default replaces the null. It returns ErrInvalid for a column that
// a row must have.
func (k *KeyRows) absent(c *fstore.Column) error {
	request, ok := k.request[c.Name]
	switch {
	case !ok:
		return fstore.Errorf(fstore.ErrInvalid, "the key is missing")
	case request.Default == nil:
		return fstore.Errorf(fstore.ErrInvalid, "the request column is missing").WithHint("it is %s", c.Type.WithArticle())
	}
	c.AppendNull()
	return nil
}

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
			return k.absent(c)
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
			return k.absent(c)
		}
		return c.AppendParsed(value)
	})
}

// ReadKeys adds the rows of a file, by the rules for labels. It ignores columns that the list does not read.
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
	var keys []fstore.Field
	var request []fstore.RequestColumn
	for _, c := range k.Columns {
		if r, ok := k.request[c.Name]; ok {
			request = append(request, r)
		} else {
			keys = append(keys, fstore.Field{Name: c.Name, Type: c.Type})
		}
	}
	batch, err := engine.ReadKeys(ctx, full, keys, request)
	if err != nil {
		return fmt.Errorf("read the keys of %s: %w", path, err)
	}
	for i := range k.Columns {
		read := batch.Column(k.Columns[i].Name)
		for row := range batch.Len {
			k.Columns[i].AppendFrom(read, row)
		}
	}
	return nil
}
