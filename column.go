package fstore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/bits"
	"time"
)

// Bitmap is a set of row numbers: row i is in it if bit i%8 of byte i/8 is set. Arrow and the wire use the same
// layout, so it can be passed on unchanged.
type Bitmap []byte

// NewBitmap returns a bitmap for n rows with every row in it.
func NewBitmap(n int) Bitmap {
	b := make(Bitmap, (n+7)/8)
	for i := range b {
		b[i] = 0xff
	}
	if n%8 != 0 {
		b[len(b)-1] = 1<<(n%8) - 1
	}
	return b
}

// Get reports whether row i is in the set. Every row is in a nil bitmap.
func (b Bitmap) Get(i int) bool { return b == nil || b[i/8]&(1<<(i%8)) != 0 }

// Set puts row i into the set.
func (b Bitmap) Set(i int) { b[i/8] |= 1 << (i % 8) }

// Clear takes row i out of the set.
func (b Bitmap) Clear(i int) { b[i/8] &^= 1 << (i % 8) }

// Column holds values of one type, stored by type and never boxed. The slice for Type.Elem holds the values; the
// others are nil. The slot of a null holds the zero value.
//
// A list column holds the elements of all its rows back to back: row i has those from Offsets[i] to Offsets[i+1], and
// Offsets has Len+1 entries.
type Column struct {
	Name  string
	Type  Type
	Len   int    // rows
	Valid Bitmap // the rows that are not null; nil if no row is null

	Bools    []bool
	Int32s   []int32
	Int64s   []int64 // Int64, and Timestamp in UTC microseconds
	Float32s []float32
	Float64s []float64
	Strings  []string
	Bytes    [][]byte
	Offsets  []int32
}

// Batch is a number of columns of equal length.
type Batch struct {
	Columns []Column
	Len     int // rows
}

// Column returns the column of a name, or nil.
func (b *Batch) Column(name string) *Column {
	for i := range b.Columns {
		if b.Columns[i].Name == name {
			return &b.Columns[i]
		}
	}
	return nil
}

// NewColumn returns an empty column with room for n rows.
func NewColumn(name string, t Type, n int) Column {
	c := Column{Name: name, Type: t}
	if t.IsList() {
		c.Offsets = append(make([]int32, 0, n+1), 0)
	}
	switch t.Elem() {
	case Bool:
		c.Bools = make([]bool, 0, n)
	case Int32:
		c.Int32s = make([]int32, 0, n)
	case Int64, Timestamp:
		c.Int64s = make([]int64, 0, n)
	case Float32:
		c.Float32s = make([]float32, 0, n)
	case Float64:
		c.Float64s = make([]float64, 0, n)
	case String:
		c.Strings = make([]string, 0, n)
	case Bytes:
		c.Bytes = make([][]byte, 0, n)
	}
	return c
}

// IsNull reports whether row i is null.
func (c *Column) IsNull(i int) bool { return !c.Valid.Get(i) }

// Nulls returns how many rows are null.
func (c *Column) Nulls() int {
	if c.Valid == nil {
		return 0
	}
	valid, whole := 0, c.Len/8
	for _, b := range c.Valid[:whole] {
		valid += bits.OnesCount8(b)
	}
	if rest := c.Len % 8; rest > 0 {
		valid += bits.OnesCount8(c.Valid[whole] & (1<<rest - 1))
	}
	return c.Len - valid
}

// Whole reports whether the column's values, offsets and validity hold its rows. Using a column that is not whole, as
// another program may send it, panics.
func (c *Column) Whole() bool {
	switch {
	case c.Len < 0 || c.Valid != nil && len(c.Valid) < (c.Len+7)/8:
		return false
	case !c.Type.IsList():
		return c.Elements() >= c.Len
	case len(c.Offsets) <= c.Len:
		return false
	}
	last := int32(0)
	for _, at := range c.Offsets[:c.Len+1] {
		if at < last {
			return false
		}
		last = at
	}
	return int(last) <= c.Elements()
}

// Elements returns the length of the slice that holds the column's values: of a list column, its elements.
func (c *Column) Elements() int {
	switch c.Type.Elem() {
	case Bool:
		return len(c.Bools)
	case Int32:
		return len(c.Int32s)
	case Int64, Timestamp:
		return len(c.Int64s)
	case Float32:
		return len(c.Float32s)
	case Float64:
		return len(c.Float64s)
	case String:
		return len(c.Strings)
	case Bytes:
		return len(c.Bytes)
	}
	return 0
}

// AppendNull adds a null row.
func (c *Column) AppendNull() {
	if c.Valid == nil {
		c.Valid = NewBitmap(c.Len)
	}
	if c.Type.IsList() {
		c.Offsets = append(c.Offsets, c.Offsets[c.Len])
	} else {
		c.appendZero()
	}
	c.Len++
	if (c.Len+7)/8 > len(c.Valid) {
		c.Valid = append(c.Valid, 0)
	}
}

func (c *Column) appendZero() {
	switch c.Type {
	case Bool:
		c.Bools = append(c.Bools, false)
	case Int32:
		c.Int32s = append(c.Int32s, 0)
	case Int64, Timestamp:
		c.Int64s = append(c.Int64s, 0)
	case Float32:
		c.Float32s = append(c.Float32s, 0)
	case Float64:
		c.Float64s = append(c.Float64s, 0)
	case String:
		c.Strings = append(c.Strings, "")
	case Bytes:
		c.Bytes = append(c.Bytes, nil)
	}
}

// grew counts a row whose value, or whose elements and offset, have just been appended.
func (c *Column) grew() {
	c.Len++
	if c.Valid == nil {
		return
	}
	if (c.Len+7)/8 > len(c.Valid) {
		c.Valid = append(c.Valid, 0)
	}
	c.Valid.Set(c.Len - 1)
}

// EndRow counts a row whose value, or whose elements if it is a list, have just been appended to the slice that holds
// them.
func (c *Column) EndRow() {
	if c.Type.IsList() {
		c.Offsets = append(c.Offsets, int32(c.Elements()))
	}
	c.grew()
}

// AppendFrom adds row i of src, a column of the same type.
func (c *Column) AppendFrom(src *Column, i int) {
	if src.IsNull(i) {
		c.AppendNull()
		return
	}
	from, to := i, i+1
	if c.Type.IsList() {
		from, to = int(src.Offsets[i]), int(src.Offsets[i+1])
		c.Offsets = append(c.Offsets, c.Offsets[c.Len]+int32(to-from))
	}
	c.AppendElements(src, from, to)
	c.grew()
}

// AppendElements appends values of src, whose elements have the same type, to the column's elements. It adds no row.
func (c *Column) AppendElements(src *Column, from, to int) {
	switch c.Type.Elem() {
	case Bool:
		c.Bools = append(c.Bools, src.Bools[from:to]...)
	case Int32:
		c.Int32s = append(c.Int32s, src.Int32s[from:to]...)
	case Int64, Timestamp:
		c.Int64s = append(c.Int64s, src.Int64s[from:to]...)
	case Float32:
		c.Float32s = append(c.Float32s, src.Float32s[from:to]...)
	case Float64:
		c.Float64s = append(c.Float64s, src.Float64s[from:to]...)
	case String:
		c.Strings = append(c.Strings, src.Strings[from:to]...)
	case Bytes:
		c.Bytes = append(c.Bytes, src.Bytes[from:to]...)
	}
}

// CompareElements compares two values of columns with the same element type: false before true, NaN before other
// numbers, numbers and instants by size, strings and bytes bytewise. The indexes are those of the value slices.
func CompareElements(a *Column, i int, b *Column, j int) int {
	switch a.Type.Elem() {
	case Bool:
		switch {
		case a.Bools[i] == b.Bools[j]:
			return 0
		case b.Bools[j]:
			return -1
		}
		return 1
	case Int32:
		return cmp.Compare(a.Int32s[i], b.Int32s[j])
	case Int64, Timestamp:
		return cmp.Compare(a.Int64s[i], b.Int64s[j])
	case Float32:
		return cmp.Compare(a.Float32s[i], b.Float32s[j])
	case Float64:
		return cmp.Compare(a.Float64s[i], b.Float64s[j])
	case String:
		return cmp.Compare(a.Strings[i], b.Strings[j])
	case Bytes: // below
	}
	return bytes.Compare(a.Bytes[i], b.Bytes[j])
}

// AppendInt64 adds a value that is not null to a column of Int64 or Timestamp.
func (c *Column) AppendInt64(v int64) {
	c.Int64s = append(c.Int64s, v)
	c.grew()
}

// AppendFloat64 adds a value that is not null to a column of Float64.
func (c *Column) AppendFloat64(v float64) {
	c.Float64s = append(c.Float64s, v)
	c.grew()
}

// AppendList adds all rows of elems, none of which is null, as one row of a list.
func (c *Column) AppendList(elems *Column) {
	c.Bools, c.Int32s, c.Int64s = append(c.Bools, elems.Bools...), append(c.Int32s, elems.Int32s...), append(c.Int64s, elems.Int64s...)
	c.Float32s, c.Float64s = append(c.Float32s, elems.Float32s...), append(c.Float64s, elems.Float64s...)
	c.Strings, c.Bytes = append(c.Strings, elems.Strings...), append(c.Bytes, elems.Bytes...)
	c.Offsets = append(c.Offsets, c.Offsets[c.Len]+int32(elems.Len))
	c.grew()
}

// Value returns row i boxed, for messages and tests: nil for null, otherwise a bool, int32, int64, float32, float64,
// string, []byte, time.Time, or a slice of one of them.
func (c *Column) Value(i int) any {
	if c.IsNull(i) {
		return nil
	}
	if !c.Type.IsList() {
		return c.elem(i)
	}
	from, to := c.Offsets[i], c.Offsets[i+1]
	switch c.Type.Elem() {
	case Bool:
		return c.Bools[from:to]
	case Int32:
		return c.Int32s[from:to]
	case Int64:
		return c.Int64s[from:to]
	case Float32:
		return c.Float32s[from:to]
	case Float64:
		return c.Float64s[from:to]
	case String:
		return c.Strings[from:to]
	case Bytes:
		return c.Bytes[from:to]
	case Timestamp: // below
	}
	times := make([]time.Time, 0, to-from)
	for _, us := range c.Int64s[from:to] {
		times = append(times, FromMicros(us))
	}
	return times
}

func (c *Column) elem(i int) any {
	switch c.Type.Elem() {
	case Bool:
		return c.Bools[i]
	case Int32:
		return c.Int32s[i]
	case Int64:
		return c.Int64s[i]
	case Float32:
		return c.Float32s[i]
	case Float64:
		return c.Float64s[i]
	case String:
		return c.Strings[i]
	case Bytes:
		return c.Bytes[i]
	case Timestamp:
		return FromMicros(c.Int64s[i])
	}
	return nil
}

// Append adds a boxed value of a type that Value returns; nil is null. It panics for other Go types: it is for
// literals in code, not for input.
func (c *Column) Append(v any) {
	if v == nil {
		c.AppendNull()
		return
	}
	switch v := v.(type) {
	case bool:
		c.Bools = append(c.Bools, v)
	case int32:
		c.Int32s = append(c.Int32s, v)
	case int64:
		c.Int64s = append(c.Int64s, v)
	case time.Time:
		c.Int64s = append(c.Int64s, Micros(v))
	case float32:
		c.Float32s = append(c.Float32s, v)
	case float64:
		c.Float64s = append(c.Float64s, v)
	case string:
		c.Strings = append(c.Strings, v)
	case []byte:
		c.Bytes = append(c.Bytes, v)
	case []bool:
		c.Bools = append(c.Bools, v...)
	case []int32:
		c.Int32s = append(c.Int32s, v...)
	case []int64:
		c.Int64s = append(c.Int64s, v...)
	case []float32:
		c.Float32s = append(c.Float32s, v...)
	case []float64:
		c.Float64s = append(c.Float64s, v...)
	case []string:
		c.Strings = append(c.Strings, v...)
	case [][]byte:
		c.Bytes = append(c.Bytes, v...)
	case []time.Time:
		for _, t := range v {
			c.Int64s = append(c.Int64s, Micros(t))
		}
	default:
		panic("fstore: a column cannot hold this Go type")
	}
	if c.Type.IsList() {
		c.Offsets = append(c.Offsets, int32(c.Elements()))
	}
	c.grew()
}

// AppendRowJSON appends a row as a JSON object, its columns in their order.
func (b *Batch) AppendRowJSON(out []byte, row int) []byte {
	out = append(out, '{')
	for i := range b.Columns {
		if i > 0 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(b.Columns[i].Name) // cannot fail for a string
		out = append(append(out, name...), ':')
		out = b.Columns[i].AppendJSON(out, row)
	}
	return append(out, '}')
}
