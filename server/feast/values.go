package feast

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fstore-dev/fstore"
)

// kind says how a type is written as a Value: in which field, and in which of protobuf's forms.
type kind struct {
	field protowire.Number
	wire  protowire.Type
	of    fstore.Type
}

// kinds are the kinds of values that have a type here, in the order of their fields. The list of a kind is ten fields
// later: a message whose field 1 holds the elements.
var kinds = [...]kind{
	{1, protowire.BytesType, fstore.Bytes},
	{2, protowire.BytesType, fstore.String},
	{3, protowire.VarintType, fstore.Int32},
	{4, protowire.VarintType, fstore.Int64},
	{5, protowire.Fixed64Type, fstore.Float64},
	{6, protowire.Fixed32Type, fstore.Float32},
	{7, protowire.VarintType, fstore.Bool},
	{8, protowire.VarintType, fstore.Timestamp},
}

const (
	listOffset = 10 // from the field of a scalar to that of its list
	nullField  = 19
	uuidField  = 36 // and 37 for time-based ones: texts
)

// kindOf returns the kind of values in a field of Value, and the type of a value.
func kindOf(tag protowire.Number) (k kind, t fstore.Type, ok bool) {
	switch {
	case tag >= 1 && int(tag) <= len(kinds):
		k = kinds[tag-1]
		return k, k.of, true
	case tag > listOffset && int(tag) <= listOffset+len(kinds):
		k = kinds[tag-listOffset-1]
		return k, fstore.List(k.of), true
	case tag == uuidField, tag == uuidField+1:
		return kinds[1], fstore.String, true
	}
	return kind{}, 0, false
}

// fields are the fields of Value that hold values of a scalar type.
var fields = func() (f [1 << 8]protowire.Number) {
	for _, k := range kinds {
		f[k.of] = k.field
	}
	return f
}()

// fieldOf returns the field of Value that holds values of a type.
func fieldOf(t fstore.Type) protowire.Number {
	if t.IsList() {
		return fields[t.Elem()] + listOffset
	}
	return fields[t]
}

// values reads a RepeatedValue. The first value that is not null decides about the type of the column.
func (d *decoder) values(message []byte, c *column) error {
	return eachField(message, func(f field) error {
		if !f.is(1, protowire.BytesType) {
			return nil
		}
		if err := d.count(1); err != nil {
			return err
		}
		return d.value(f.bytes, c)
	})
}

// noTime is how Feast writes that a value of unix_timestamp_val is not there.
const noTime = math.MinInt64

// value reads a Value into the next row.
func (d *decoder) value(message []byte, c *column) error {
	var v field
	fields := 0
	if err := eachField(message, func(f field) error {
		v = f
		fields++
		return nil
	}); err != nil {
		return err
	}
	if fields > 1 {
		return inRow(c, "has %d kinds of values at once", fields)
	}
	k, t, ok := kindOf(v.tag)
	switch {
	case fields == 0, v.is(nullField, protowire.VarintType), v.is(8, protowire.VarintType) && int64(v.number) == noTime:
		if c.typed {
			c.AppendNull()
		} else {
			c.Len++
		}
		return nil
	case !ok || !t.IsList() && v.kind != k.wire || t.IsList() && v.kind != protowire.BytesType:
		return inRow(c, "is a kind of value that fstore does not have: field %d of feast.types.Value", v.tag)
	case !c.typed:
		c.Column, c.typed = nulls(c.Name, t, c.Len), true
	case c.Type != t:
		return inRow(c, "is %s, and those before it are %s", t, c.Type)
	}
	err := error(nil)
	if t.IsList() {
		err = d.list(v.bytes, k, c)
	} else {
		err = appendElement(c, k, v)
	}
	if err == nil {
		c.EndRow()
	}
	return err
}

// list reads a list of elements, packed or not.
func (d *decoder) list(message []byte, k kind, c *column) error {
	return eachField(message, func(f field) error {
		switch {
		case f.is(1, k.wire):
			if err := d.count(1); err != nil {
				return err
			}
			return appendElement(c, k, f)
		case f.is(1, protowire.BytesType):
			return d.packed(f.bytes, k, c)
		}
		return nil
	})
}

// packed reads packed elements.
func (d *decoder) packed(b []byte, k kind, c *column) error {
	for len(b) > 0 {
		f := field{tag: 1, kind: k.wire}
		n := 0
		if f.number, n = consumeNumber(k.wire, b); n <= 0 {
			return notFeasts()
		}
		if err := d.count(1); err != nil {
			return err
		}
		if err := appendElement(c, k, f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// appendElement appends a value to the slice that holds those of a column.
func appendElement(c *column, k kind, f field) error {
	switch k.of {
	case fstore.Bool:
		c.Bools = append(c.Bools, f.number != 0)
	case fstore.Int32:
		c.Int32s = append(c.Int32s, int32(f.number))
	case fstore.Int64:
		c.Int64s = append(c.Int64s, int64(f.number))
	case fstore.Timestamp:
		us, err := micros(c, f.number)
		if err != nil {
			return err
		}
		c.Int64s = append(c.Int64s, us)
	case fstore.Float32:
		c.Float32s = append(c.Float32s, math.Float32frombits(uint32(f.number)))
	case fstore.Float64:
		c.Float64s = append(c.Float64s, math.Float64frombits(f.number))
	case fstore.String:
		s, err := f.text("a string")
		if err != nil {
			return inRow(c, "is not UTF-8")
		}
		c.Strings = append(c.Strings, s)
	case fstore.Bytes:
		c.Bytes = append(c.Bytes, append([]byte(nil), f.bytes...))
	}
	return nil
}

// micros returns an instant that is given in seconds.
func micros(c *column, seconds uint64) (int64, error) {
	s := int64(seconds)
	if s > math.MaxInt64/microsOfSecond || s < math.MinInt64/microsOfSecond {
		return 0, inRow(c, "is an instant out of range: %d seconds", s)
	}
	return s * microsOfSecond, nil
}

// inRow returns an error about the row of a column that is being read.
func inRow(c *column, format string, args ...any) error {
	return fstore.Errorf(fstore.ErrInvalid, "column %q, row %d %s", c.Name, c.Len+1, fstore.Errorf(nil, format, args...).Message)
}
