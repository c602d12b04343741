package server

import (
	"fmt"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// The one conversion between columns and the wire. Packed slices are handed on, never copied or boxed: a column
// made from a message, and a message made from a column, share the values with it.

// columnFrom returns the column that a message's values and validity are. The error is ErrInvalid and names the
// column.
func columnFrom(name string, values *fstorev1.Values, validity []byte) (fstore.Column, error) {
	c := fstore.Column{Name: name}
	bad := func(hint, format string, args ...any) (fstore.Column, error) {
		return fstore.Column{}, fstore.Errorf(fstore.ErrInvalid, "column %q: %s", name, fmt.Sprintf(format, args...)).WithHint("%s", hint)
	}
	if lists := values.GetListValues(); lists != nil {
		if !take(&c, lists.GetElements()) {
			return bad("set one kind of scalars, even where there are none", "its lists have no elements set")
		}
		offsets := lists.GetOffsets()
		if at := firstBadOffset(offsets, c.Len); at >= 0 {
			return bad("they begin with 0, never fall, and end with the number of elements", "offset %d of its lists is wrong", at)
		}
		c.Type, c.Offsets, c.Len = fstore.List(c.Type), offsets, len(offsets)-1
	} else if !take(&c, values) {
		return bad("set one kind, such as int64_values, even where there are none", "it has no values set")
	}
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

// take gives c the values of a message, and their type and number; false where no kind of scalars is set.
func take(c *fstore.Column, v *fstorev1.Values) bool {
	switch k := v.GetKind().(type) {
	case *fstorev1.Values_BoolValues:
		c.Type, c.Bools, c.Len = fstore.Bool, k.BoolValues.GetValues(), len(k.BoolValues.GetValues())
	case *fstorev1.Values_Int32Values:
		c.Type, c.Int32s, c.Len = fstore.Int32, k.Int32Values.GetValues(), len(k.Int32Values.GetValues())
	case *fstorev1.Values_Int64Values:
		c.Type, c.Int64s, c.Len = fstore.Int64, k.Int64Values.GetValues(), len(k.Int64Values.GetValues())
	case *fstorev1.Values_Float32Values:
		c.Type, c.Float32s, c.Len = fstore.Float32, k.Float32Values.GetValues(), len(k.Float32Values.GetValues())
	case *fstorev1.Values_Float64Values:
		c.Type, c.Float64s, c.Len = fstore.Float64, k.Float64Values.GetValues(), len(k.Float64Values.GetValues())
	case *fstorev1.Values_StringValues:
		c.Type, c.Strings, c.Len = fstore.String, k.StringValues.GetValues(), len(k.StringValues.GetValues())
	case *fstorev1.Values_BytesValues:
		c.Type, c.Bytes, c.Len = fstore.Bytes, k.BytesValues.GetValues(), len(k.BytesValues.GetValues())
	case *fstorev1.Values_TimestampValues:
		c.Type, c.Int64s, c.Len = fstore.Timestamp, k.TimestampValues.GetValues(), len(k.TimestampValues.GetValues())
	default:
		return false
	}
	return true
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

// valuesOf sets v to the values of a column.
func valuesOf(v *fstorev1.Values, c *fstore.Column) {
	if c.Type.IsList() {
		elements := *c
		elements.Type = c.Type.Elem()
		lists := &fstorev1.ListValues{Offsets: c.Offsets, Elements: &fstorev1.Values{}}
		valuesOf(lists.Elements, &elements)
		v.Kind = &fstorev1.Values_ListValues{ListValues: lists}
		return
	}
	switch c.Type {
	case fstore.Bool:
		k := &struct {
			kind fstorev1.Values_BoolValues
			msg  fstorev1.BoolValues
		}{}
		k.msg.Values, k.kind.BoolValues, v.Kind = c.Bools, &k.msg, &k.kind
	case fstore.Int32:
		k := &struct {
			kind fstorev1.Values_Int32Values
			msg  fstorev1.Int32Values
		}{}
		k.msg.Values, k.kind.Int32Values, v.Kind = c.Int32s, &k.msg, &k.kind
	case fstore.Int64:
		k := &struct {
			kind fstorev1.Values_Int64Values
			msg  fstorev1.Int64Values
		}{}
		k.msg.Values, k.kind.Int64Values, v.Kind = c.Int64s, &k.msg, &k.kind
	case fstore.Float32:
		k := &struct {
			kind fstorev1.Values_Float32Values
			msg  fstorev1.Float32Values
		}{}
		k.msg.Values, k.kind.Float32Values, v.Kind = c.Float32s, &k.msg, &k.kind
	case fstore.Float64:
		k := &struct {
			kind fstorev1.Values_Float64Values
			msg  fstorev1.Float64Values
		}{}
		k.msg.Values, k.kind.Float64Values, v.Kind = c.Float64s, &k.msg, &k.kind
	case fstore.String:
		v.Kind = &fstorev1.Values_StringValues{StringValues: &fstorev1.StringValues{Values: c.Strings}}
	case fstore.Bytes:
		v.Kind = &fstorev1.Values_BytesValues{BytesValues: &fstorev1.BytesValues{Values: c.Bytes}}
	case fstore.Timestamp:
		v.Kind = &fstorev1.Values_TimestampValues{TimestampValues: &fstorev1.TimestampValues{Values: c.Int64s}}
	}
}
