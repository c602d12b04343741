package online

import (
	"fmt"
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/packed"
)

// filler builds the columns of an answer from records that have passed layout.check.
type filler struct {
	rows   int
	counts *Counts // of the view whose features are being filled
	limit  int     // on the bytes of the answer; 0: none
	size   int     // bytes so far
	text   []byte  // reused for each column

	// layout belongs to the use whose features are being filled.
	layout *layout
	recs   [][]byte // by row; nil if absent: states says why
	texts  [][]byte // by row, of a feature in tiles, whose recs are entries
	states []Status

	room values // what is left of the answer's
}

// values holds the values of an answer's columns of fixed width, all of a type in one piece.
type values struct {
	bools    []bool
	int32s   []int32
	int64s   []int64
	float32s []float32
	float64s []float64
}

// resize makes room for so many rows of the outputs, given how many there are of each type. All values are zero.
func (v *values) resize(rows int, perType *[fstore.NumTypes]int) {
	v.bools = zeroed(v.bools, rows*perType[fstore.Bool])
	v.int32s = zeroed(v.int32s, rows*perType[fstore.Int32])
	v.int64s = zeroed(v.int64s, rows*(perType[fstore.Int64]+perType[fstore.Timestamp]))
	v.float32s = zeroed(v.float32s, rows*perType[fstore.Float32])
	v.float64s = zeroed(v.float64s, rows*perType[fstore.Float64])
}

// bytes returns the memory of the values.
func (v *values) bytes() int {
	return cap(v.bools) + 4*(cap(v.int32s)+cap(v.float32s)) + 8*(cap(v.int64s)+cap(v.float64s))
}

// zeroed returns s with length n and zeros.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// take cuts the next n values off room.
func take[T any](room *[]T, n int) []T {
	if len(*room) < n || n == 0 {
		return make([]T, n)
	}
	out := (*room)[:n:n]
	*room = (*room)[n:]
	return out
}

// fill sets the column and the statuses of one feature.
func (f *filler) fill(out *AnswerFeature, fd *field, def *fstore.Column) error {
	c := &out.Column
	c.Type, c.Len = fd.typ, f.rows
	if fd.width == 0 {
		return f.fillVariable(out, fd, def)
	}
	at, byteN, bit := fd.at, fd.byteN, fd.bit
	switch fd.typ {
	case fstore.Bool:
		c.Bools = take(&f.room.bools, f.rows)
		for row, rec := range f.recs {
			if rec != nil && rec[byteN]&bit != 0 {
				c.Bools[row] = rec[at] != 0
			} else if f.absent(out, row, def) {
				c.Bools[row] = def.Bools[0]
			}
		}
	case fstore.Int32:
		c.Int32s = take(&f.room.int32s, f.rows)
		for row, rec := range f.recs {
			if rec != nil && rec[byteN]&bit != 0 {
				c.Int32s[row] = int32(le.Uint32(rec[at:]))
			} else if f.absent(out, row, def) {
				c.Int32s[row] = def.Int32s[0]
			}
		}
	case fstore.Int64, fstore.Timestamp:
		c.Int64s = take(&f.room.int64s, f.rows)
		for row, rec := range f.recs {
			if rec != nil && rec[byteN]&bit != 0 {
				c.Int64s[row] = int64(le.Uint64(rec[at:]))
			} else if f.absent(out, row, def) {
				c.Int64s[row] = def.Int64s[0]
			}
		}
	case fstore.Float32:
		c.Float32s = take(&f.room.float32s, f.rows)
		for row, rec := range f.recs {
			if rec != nil && rec[byteN]&bit != 0 {
				c.Float32s[row] = math.Float32frombits(le.Uint32(rec[at:]))
			} else if f.absent(out, row, def) {
				c.Float32s[row] = def.Float32s[0]
			}
		}
	case fstore.Float64:
		c.Float64s = take(&f.room.float64s, f.rows)
		for row, rec := range f.recs {
			if rec != nil && rec[byteN]&bit != 0 {
				c.Float64s[row] = math.Float64frombits(le.Uint64(rec[at:]))
			} else if f.absent(out, row, def) {
				c.Float64s[row] = def.Float64s[0]
			}
		}
	case fstore.String, fstore.Bytes: // not of fixed width
	}
	return nil
}

// absent records that a row has no value of its own. It reports whether the row gets the default.
func (f *filler) absent(out *AnswerFeature, row int, def *fstore.Column) bool {
	state := f.states[row]
	if state == Present {
		state = NullValue
	}
	if out.Statuses == nil {
		out.Statuses = make([]Status, f.rows)
	}
	out.Statuses[row] = state
	f.counts[state]++
	f.counts[Present]--
	if def != nil {
		return true
	}
	if out.Column.Valid == nil {
		out.Column.Valid = fstore.NewBitmap(f.rows)
	}
	out.Column.Valid.Clear(row)
	return false
}

// fillVariable sets a column of strings, bytes or lists.
func (f *filler) fillVariable(out *AnswerFeature, fd *field, def *fstore.Column) error {
	c := &out.Column
	list, elem := fd.typ.IsList(), fd.typ.Elem()
	*c = fstore.NewColumn(c.Name, fd.typ, 0)
	c.Len = f.rows
	texts := textBuffer{all: f.text[:0]}
	if elem == fstore.Bytes {
		texts.all = []byte{} // the column keeps it
	}
	if list {
		c.Offsets = append(make([]int32, 0, f.rows+1), 0)
	} else {
		texts.ends = make([]int, 0, f.rows)
	}
	elems := 0
	for row, rec := range f.recs {
		before := texts.len()
		switch {
		case rec != nil && rec[fd.byteN]&fd.bit != 0:
			b, err := f.variable(row, fd)
			if err != nil {
				return err
			}
			if f.size += len(b); f.limit > 0 && f.size > f.limit {
				return nil // the caller reports the limit
			}
			if !list {
				texts.add(b)
			} else if err := f.appendList(c, &texts, b); err != nil {
				return err
			}
		case f.absent(out, row, def):
			f.size += packed.Size(def, 0)
			appendDefault(c, &texts, def)
		case !list:
			texts.add(nil)
		}
		if list {
			f.size += variableBytes * (texts.len() - before) // an empty string takes no bytes in a record
			if elems = texts.len() + fixedElems(c); elems > math.MaxInt32 {
				return fstore.Errorf(fstore.ErrTooLarge, "%s: %d elements of lists; the limit is %d", c.Name, elems, math.MaxInt32)
			}
			c.Offsets = append(c.Offsets, int32(elems))
		}
	}
	if texts.finish(c); elem == fstore.String {
		f.text = texts.all
	}
	return nil
}

// variable returns the bytes of a value without fixed width, which is not null.
func (f *filler) variable(row int, fd *field) ([]byte, error) {
	if fd.tile == nil {
		return f.layout.bytes(f.recs[row], fd.at)
	}
	b, err := fd.tile.Text(f.recs[row], f.texts[row])
	if err != nil {
		return nil, fmt.Errorf("record of %s: %w", f.layout.ref, err)
	}
	return b, nil
}

// fixedElems returns the elements of a list column as a column of fixed width.
func fixedElems(c *fstore.Column) int {
	return len(c.Bools) + len(c.Int32s) + len(c.Int64s) + len(c.Float32s) + len(c.Float64s)
}

// appendList appends the elements of an encoded list.
func (f *filler) appendList(c *fstore.Column, texts *textBuffer, b []byte) error {
	elem := c.Type.Elem()
	if w := elem.Width(); w > 0 {
		if len(b)%w != 0 {
			return f.layout.corrupt("%d bytes of a %s", len(b), c.Type)
		}
		packed.AppendFixed(c, b, w)
		return nil
	}
	for len(b) > 0 {
		text, rest, ok := packed.NextText(b)
		if !ok {
			return f.layout.corrupt("an element of a %s is longer than the list", c.Type)
		}
		texts.add(text)
		b = rest
	}
	return nil
}

// appendDefault appends a default of the column's type: a string, bytes or a list.
func appendDefault(c *fstore.Column, texts *textBuffer, def *fstore.Column) {
	n := 1
	if c.Type.IsList() {
		n = int(def.Offsets[1])
	}
	switch c.Type.Elem() {
	case fstore.Bool:
		c.Bools = append(c.Bools, def.Bools[:n]...)
	case fstore.Int32:
		c.Int32s = append(c.Int32s, def.Int32s[:n]...)
	case fstore.Int64, fstore.Timestamp:
		c.Int64s = append(c.Int64s, def.Int64s[:n]...)
	case fstore.Float32:
		c.Float32s = append(c.Float32s, def.Float32s[:n]...)
	case fstore.Float64:
		c.Float64s = append(c.Float64s, def.Float64s[:n]...)
	case fstore.String:
		for _, s := range def.Strings[:n] {
			texts.add([]byte(s))
		}
	case fstore.Bytes:
		for _, b := range def.Bytes[:n] {
			texts.add(b)
		}
	}
}

// textBuffer collects the strings or bytes of a column in one slice, so that a column costs few allocations and does
// not keep a record alive.
type textBuffer struct {
	all  []byte
	ends []int
}

func (t *textBuffer) len() int { return len(t.ends) }

func (t *textBuffer) add(b []byte) {
	t.all = append(t.all, b...)
	t.ends = append(t.ends, len(t.all))
}

// finish cuts the slice into the column's values.
func (t *textBuffer) finish(c *fstore.Column) {
	from := 0
	switch c.Type.Elem() {
	case fstore.String:
		all := string(t.all)
		c.Strings = make([]string, len(t.ends))
		for i, to := range t.ends {
			c.Strings[i], from = all[from:to], to
		}
	case fstore.Bytes:
		c.Bytes = make([][]byte, len(t.ends))
		for i, to := range t.ends {
			if c.Type.IsList() || !c.IsNull(i) {
				c.Bytes[i] = t.all[from:to:to]
			}
			from = to
		}
	case fstore.Bool, fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.Timestamp: // they have no text
	}
}
