package fstorev1

import (
	"fmt"

	"github.com/fstore-dev/fstore"
)

// Values is a message that holds the values of a column: *Column, or *Feature.
type Values interface {
	GetName() string
	GetType() string
	GetBoolValues() []bool
	GetInt32Values() []int32
	GetInt64Values() []int64
	GetFloat32Values() []float32
	GetFloat64Values() []float64
	GetStringValues() []string
	GetBytesValues() [][]byte
	GetTimestampValues() []int64
	GetOffsets() []int32
	GetValidity() []byte
}

// ColumnOf returns the column that a message holds. The two share their values: nothing is copied or boxed. The error is
// ErrInvalid and names the column.
func ColumnOf(m Values) (fstore.Column, error) {
	c := fstore.Column{Name: m.GetName()}
	bad := func(hint, format string, args ...any) (fstore.Column, error) {
		return fstore.Column{}, fstore.Errorf(fstore.ErrInvalid, "column %q: %s", c.Name, fmt.Sprintf(format, args...)).WithHint("%s", hint)
	}
	element, n, fields := takeValues(&c, m)
	if fields > 1 {
		return bad("set the field of its type alone", "it has values of more than one type")
	}
	offsets := m.GetOffsets()
	switch stated := m.GetType(); {
	case stated != "":
		t, err := fstore.ParseType(stated)
		switch {
		case err != nil:
			return bad("this program may be too old for it", "%s", fstore.MessageOf(err))
		case fields == 1 && element != t.Elem():
			return bad("set the field of its type", "its type is %s and its values are %s_values", t, element)
		case t.IsList() != (len(offsets) > 0):
			return bad("lists have offsets, one more than there are rows; other types have none", "its type is %s and it has %d offsets", t, len(offsets))
		}
		c.Type = t
	case fields == 0:
		return bad("set those of its type, such as int64_values; of no rows, set type", "it has no values set")
	case len(offsets) > 0:
		c.Type = fstore.List(element)
	default:
		c.Type = element
	}
	c.Len = n
	if c.Type.IsList() {
		if at := firstBadOffset(offsets, n); at >= 0 {
			return bad("they begin with 0, never fall, and end with the number of elements", "offset %d of its lists is wrong", at)
		}
		c.Offsets, c.Len = offsets, len(offsets)-1
	}
	validity := m.GetValidity()
	if len(validity) == 0 {
		return c, nil
	}
	if want := (c.Len + 7) / 8; len(validity) != want {
		return bad("a bit per row; leave it out where no row is null", "its validity has %d bytes, want %d for %d rows", len(validity), want, c.Len)
	}
	c.Valid = validity
	if spare := c.Len % 8; spare != 0 {
		c.Valid[len(validity)-1] &= 1<<spare - 1
	}
	return c, nil
}

// takeValues gives c the values of a message. It returns their type and number, and how many fields have any.
func takeValues(c *fstore.Column, m Values) (t fstore.Type, n, fields int) {
	found := func(of fstore.Type, values int) {
		if values > 0 {
			t, n = of, values
			fields++
		}
	}
	c.Bools, c.Int32s, c.Int64s = m.GetBoolValues(), m.GetInt32Values(), m.GetInt64Values()
	c.Float32s, c.Float64s = m.GetFloat32Values(), m.GetFloat64Values()
	c.Strings, c.Bytes = m.GetStringValues(), m.GetBytesValues()
	instants := m.GetTimestampValues()
	found(fstore.Bool, len(c.Bools))
	found(fstore.Int32, len(c.Int32s))
	found(fstore.Int64, len(c.Int64s))
	found(fstore.Float32, len(c.Float32s))
	found(fstore.Float64, len(c.Float64s))
	found(fstore.String, len(c.Strings))
	found(fstore.Bytes, len(c.Bytes))
	found(fstore.Timestamp, len(instants))
	if t == fstore.Timestamp {
		c.Int64s = instants
	}
	return t, n, fields
}

// firstBadOffset returns the index of the first offset that does not fit n elements, or -1.
func firstBadOffset(offsets []int32, n int) int {
	last := int32(0)
	for i, o := range offsets {
		if o < last || i == 0 && o != 0 || int(o) > n {
			return i
		}
		last = o
	}
	if int(last) != n || len(offsets) == 0 {
		return len(offsets)
	}
	return -1
}

// NewColumn returns a column as a message. The two share their values.
func NewColumn(c *fstore.Column) *Column {
	m := &Column{Name: c.Name, Type: c.Type.String(), Offsets: c.Offsets, Validity: c.Valid}
	switch c.Type.Elem() {
	case fstore.Bool:
		m.BoolValues = c.Bools
	case fstore.Int32:
		m.Int32Values = c.Int32s
	case fstore.Int64:
		m.Int64Values = c.Int64s
	case fstore.Float32:
		m.Float32Values = c.Float32s
	case fstore.Float64:
		m.Float64Values = c.Float64s
	case fstore.String:
		m.StringValues = c.Strings
	case fstore.Bytes:
		m.BytesValues = c.Bytes
	case fstore.Timestamp:
		m.TimestampValues = c.Int64s
	}
	return m
}
