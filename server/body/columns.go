package body

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// Column is a column whose type is not known yet.
type Column struct {
	Name   string
	Values json.RawMessage
}

// Columns reads columns as the types that the features need, each value with add. Of a column they do not need only the
// length is read, and of one that no features need not even that: the store names it. The errors are ErrInvalid, with
// column and row, and ErrTooLarge.
func (r Reader) Columns(raw []Column, t *server.Target, maxRows int, add func(*fstore.Column, json.RawMessage) error) ([]fstore.Column, error) {
	out := make([]fstore.Column, len(raw))
	for i, e := range raw {
		c, adds := fstore.Column{Name: e.Name}, countValue
		read, kind := t.Column(e.Name)
		switch {
		case kind != "":
			c, adds = fstore.NewColumn(e.Name, read.Type, 1), add
		case !t.Also[e.Name]:
			out[i] = c
			continue
		}
		if err := r.Values(&c, e.Values, maxRows, adds); err != nil {
			return nil, fmt.Errorf("%s %s%w", cmp.Or(kind, "key column"), e.Name, err)
		}
		out[i] = c
	}
	return out, nil
}

// countValue counts a value that is not read.
func countValue(c *fstore.Column, _ json.RawMessage) error {
	c.Len++
	return nil
}
