package verify

import (
	"bytes"
	"context"
	"iter"
	"time"

	"github.com/fstore-dev/fstore"
)

// cursor goes through a view as of an instant, key by key.
type cursor struct {
	keys  int // key columns
	next  func() (*fstore.Batch, error, bool)
	stop  func()
	batch *fstore.Batch
	row   int
	key   []byte // nil after the last row
	prev  []byte
}

func newCursor(ctx context.Context, s Source, v *fstore.ViewVersion, p time.Time) (*cursor, error) {
	c := &cursor{keys: len(v.View.Keys), row: -1}
	c.next, c.stop = iter.Pull2(s.AsOf(ctx, v, p))
	return c, c.move()
}

// move goes to the next row.
func (c *cursor) move() error {
	c.row++
	for c.batch == nil || c.row >= c.batch.Len {
		b, err, ok := c.next()
		if err != nil {
			return err
		}
		if !ok {
			c.key = nil
			return nil
		}
		c.batch, c.row = b, 0
	}
	columns := make([]*fstore.Column, c.keys)
	for i := range columns {
		columns[i] = &c.batch.Columns[i]
	}
	begun := c.key != nil
	c.prev = append(c.prev[:0], c.key...)
	if c.key = fstore.AppendKey(c.key[:0], columns, c.row); c.key == nil {
		c.key = []byte{} // of a view without keys
	}
	if begun && bytes.Compare(c.prev, c.key) >= 0 {
		return fstore.Errorf(fstore.ErrCorrupt, "the view's keys are out of order: %x comes after %x", c.key, c.prev)
	}
	return nil
}

// chunk is a number of keys and what their records may be: for each instant a row, or −1 for none.
type chunk struct {
	keys   [][]byte
	stored []bool // the scan has seen a record
	rows   [][]int
	wanted []*fstore.Batch // by instant
}

// add adds a key with the rows of the cursors that stand on it.
func (c *chunk) add(key []byte, stored bool, cursors []*cursor) {
	if c.wanted == nil {
		c.wanted = make([]*fstore.Batch, len(cursors))
	}
	rows := make([]int, len(cursors))
	for i, cur := range cursors {
		rows[i] = -1
		if cur.key == nil || !bytes.Equal(cur.key, key) {
			continue
		}
		c.take(i, cur.batch, cur.row)
		rows[i] = c.wanted[i].Len - 1
	}
	c.keys, c.stored, c.rows = append(c.keys, bytes.Clone(key)), append(c.stored, stored), append(c.rows, rows)
}

// take copies a row to the batch of an instant.
func (c *chunk) take(instant int, from *fstore.Batch, row int) {
	to := c.wanted[instant]
	if to == nil {
		to = &fstore.Batch{}
		for i := range from.Columns {
			to.Columns = append(to.Columns, fstore.NewColumn(from.Columns[i].Name, from.Columns[i].Type, 1))
		}
		c.wanted[instant] = to
	}
	for i := range from.Columns {
		to.Columns[i].AppendFrom(&from.Columns[i], row)
	}
	to.Len++
}

// append adds all keys of another chunk.
func (c *chunk) append(o *chunk) {
	if c.wanted == nil {
		c.wanted = make([]*fstore.Batch, len(o.wanted))
	}
	for k := range o.keys {
		rows := make([]int, len(o.wanted))
		for i, row := range o.rows[k] {
			if rows[i] = -1; row >= 0 {
				c.take(i, o.wanted[i], row)
				rows[i] = c.wanted[i].Len - 1
			}
		}
		c.keys, c.stored, c.rows = append(c.keys, o.keys[k]), append(c.stored, o.stored[k]), append(c.rows, rows)
	}
}
