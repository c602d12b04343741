package servedlog

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/fstore-dev/fstore"
)

// infoKey is the metadata of a file that has its Info.
const infoKey = "fstore"

var utcMicros = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

func schemaOf(p *Plan) *arrow.Schema {
	fields := make([]arrow.Field, len(p.fields))
	for i, f := range p.fields {
		fields[i] = arrow.Field{Name: f.Name, Type: arrowType(f.Type), Nullable: true}
	}
	metadata := arrow.NewMetadata([]string{infoKey}, []string{p.text})
	return arrow.NewSchema(fields, &metadata)
}

// arrowType returns the type of a column in a stream.
func arrowType(t fstore.Type) arrow.DataType {
	if t.IsList() {
		return arrow.ListOfNonNullable(arrowType(t.Elem()))
	}
	switch t {
	case fstore.Bool:
		return arrow.FixedWidthTypes.Boolean
	case fstore.Int32:
		return arrow.PrimitiveTypes.Int32
	case fstore.Int64:
		return arrow.PrimitiveTypes.Int64
	case fstore.Float32:
		return arrow.PrimitiveTypes.Float32
	case fstore.Float64:
		return arrow.PrimitiveTypes.Float64
	case fstore.String:
		return arrow.BinaryTypes.String
	case fstore.Bytes:
		return arrow.BinaryTypes.Binary
	case fstore.Timestamp:
		return utcMicros
	}
	panic("servedlog: a column cannot be " + t.String())
}

// arrayOf returns a column as an array, which shares its memory where it can.
func arrayOf(c *fstore.Column) arrow.Array {
	var valid *memory.Buffer
	nulls := 0
	if c.Valid != nil {
		valid, nulls = memory.NewBufferBytes(c.Valid), c.Len-bitutil.CountSetBits(c.Valid, 0, c.Len)
	}
	if !c.Type.IsList() {
		return array.MakeFromData(array.NewData(arrowType(c.Type), c.Len, append([]*memory.Buffer{valid}, values(c)...), nil, nulls, 0))
	}
	elem := array.NewData(arrowType(c.Type.Elem()), c.Elements(), append([]*memory.Buffer{nil}, values(c)...), nil, 0, 0)
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.Offsets))
	return array.MakeFromData(array.NewData(arrowType(c.Type), c.Len, []*memory.Buffer{valid, offsets}, []arrow.ArrayData{elem}, nulls, 0))
}

// values returns the buffers of a column's elements, besides that of nulls.
func values(c *fstore.Column) []*memory.Buffer {
	var data []byte
	switch c.Type.Elem() {
	case fstore.Bool:
		data = make([]byte, (len(c.Bools)+7)/8)
		for i, v := range c.Bools {
			if v {
				bitutil.SetBit(data, i)
			}
		}
	case fstore.Int32:
		data = arrow.Int32Traits.CastToBytes(c.Int32s)
	case fstore.Int64, fstore.Timestamp:
		data = arrow.Int64Traits.CastToBytes(c.Int64s)
	case fstore.Float32:
		data = arrow.Float32Traits.CastToBytes(c.Float32s)
	case fstore.Float64:
		data = arrow.Float64Traits.CastToBytes(c.Float64s)
	case fstore.String:
		return texts(c.Strings)
	case fstore.Bytes:
		return texts(c.Bytes)
	}
	return []*memory.Buffer{memory.NewBufferBytes(data)}
}

// texts returns the buffers of strings: where each ends, and all of them back to back.
func texts[T string | []byte](all []T) []*memory.Buffer {
	offsets, data := make([]int32, 1, len(all)+1), []byte(nil)
	for _, s := range all {
		data = append(data, s...)
		offsets = append(offsets, int32(len(data)))
	}
	return []*memory.Buffer{memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(data)}
}

// columnOf returns an array as a column of a type, which may share its memory. It returns an error if the array is of another.
func columnOf(name string, t fstore.Type, a arrow.Array) (fstore.Column, error) {
	c := fstore.Column{Name: name, Type: t, Len: a.Len()}
	if !arrow.TypeEqual(a.DataType(), arrowType(t)) {
		return c, fmt.Errorf("column %q is %s, not %s", name, a.DataType(), t)
	}
	if a.NullN() > 0 {
		c.Valid = fstore.NewBitmap(c.Len)
		for i := range c.Len {
			if a.IsNull(i) {
				c.Valid.Clear(i)
			}
		}
	}
	if list, ok := a.(*array.List); ok {
		from, to := int32(0), int32(0)
		if c.Len > 0 {
			c.Offsets = list.Offsets()[:c.Len+1]
			from, to = c.Offsets[0], c.Offsets[c.Len]
		} else {
			c.Offsets = []int32{0}
		}
		if from != 0 || int(to) > list.ListValues().Len() {
			return c, fmt.Errorf("column %q: lists from %d to %d of %d values", name, from, to, list.ListValues().Len())
		}
		a = list.ListValues()
	}
	switch a := a.(type) {
	case *array.Boolean:
		c.Bools = make([]bool, a.Len())
		for i := range c.Bools {
			c.Bools[i] = a.Value(i)
		}
	case *array.Int32:
		c.Int32s = a.Int32Values()
	case *array.Int64:
		c.Int64s = a.Int64Values()
	case *array.Timestamp:
		c.Int64s = arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.TimestampValues()))
	case *array.Float32:
		c.Float32s = a.Float32Values()
	case *array.Float64:
		c.Float64s = a.Float64Values()
	case *array.String:
		c.Strings = make([]string, a.Len())
		for i := range c.Strings {
			c.Strings[i] = a.Value(i)
		}
	case *array.Binary:
		c.Bytes = make([][]byte, a.Len())
		for i := range c.Bytes {
			c.Bytes[i] = a.Value(i)
		}
	}
	if !c.Whole() {
		return c, fmt.Errorf("column %q does not hold its %d rows", name, c.Len)
	}
	return c, nil
}
