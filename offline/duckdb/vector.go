package duckdb

import (
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/fstore-dev/fstore"
)

// typeOf returns the type as which a vector is read; Invalid if there is none.
func typeOf(t mapping.LogicalType) fstore.Type {
	switch mapping.GetTypeId(t) {
	case mapping.TypeBoolean:
		return fstore.Bool
	case mapping.TypeInteger:
		return fstore.Int32
	case mapping.TypeBigInt:
		return fstore.Int64
	case mapping.TypeFloat:
		return fstore.Float32
	case mapping.TypeDouble:
		return fstore.Float64
	case mapping.TypeVarchar:
		return fstore.String
	case mapping.TypeBlob:
		return fstore.Bytes
	case mapping.TypeTimestamp:
		return fstore.Timestamp
	case mapping.TypeList:
		child := mapping.ListTypeChildType(t)
		defer mapping.DestroyLogicalType(&child)
		if elem := typeOf(child); elem != fstore.Invalid && !elem.IsList() {
			return fstore.List(elem)
		}
	}
	return fstore.Invalid
}

// listEntry is duckdb_list_entry.
type listEntry struct{ offset, length uint64 }

// inPlace is how many bytes of a text duckdb_string_t holds itself.
const inPlace = 12

// stringT is duckdb_string_t: short texts are held in place, longer ones behind a pointer.
type stringT struct {
	length uint32
	prefix [4]byte
	rest   [8]byte
}

// text returns the string's bytes, which belong to DuckDB.
func (s *stringT) text() []byte {
	if s.length <= inPlace {
		return unsafe.Slice(&s.prefix[0], s.length)
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&s.rest)), s.length)
}

// readVector copies the first n rows of a vector into a column.
func readVector(name string, t fstore.Type, v mapping.Vector, n int) fstore.Column {
	c := fstore.Column{Name: name, Type: t, Len: n, Valid: readValidity(v, n)}
	if !t.IsList() {
		readValues(&c, v, n)
		return c
	}
	var entries []listEntry
	if n > 0 {
		entries = unsafe.Slice((*listEntry)(mapping.VectorGetData(v)), n)
	}
	c.Offsets = make([]int32, 1, n+1)
	inOrder, total := true, uint64(0)
	for i, e := range entries {
		if c.IsNull(i) {
			e = listEntry{offset: total}
		}
		inOrder = inOrder && e.offset == total
		total += e.length
		c.Offsets = append(c.Offsets, int32(total))
	}
	child := mapping.ListVectorGetChild(v)
	if inOrder {
		readValues(&c, child, int(total))
		return c
	}
	all := fstore.Column{Type: t.Elem()}
	readValues(&all, child, int(mapping.ListVectorGetSize(v)))
	gather(&c, &all, entries)
	return c
}

// readValidity returns which rows are not null; nil if no row is null.
func readValidity(v mapping.Vector, n int) fstore.Bitmap {
	mask := mapping.VectorGetValidity(v)
	if mask == nil || n == 0 {
		return nil
	}
	bits := fstore.NewBitmap(n)
	nulls := false
	words := unsafe.Slice((*byte)(mask), (n+7)/8)
	for i := range bits {
		nulls = nulls || words[i]&bits[i] != bits[i]
		bits[i] &= words[i]
	}
	if !nulls {
		return nil
	}
	return bits
}

// readValues copies n values into the slice of the column's element type. The slots of nulls hold zero values.
func readValues(c *fstore.Column, v mapping.Vector, n int) {
	valid := c.Valid
	if c.Type.IsList() {
		valid = nil // a list's elements are not null
	}
	data := mapping.VectorGetData(v)
	switch c.Type.Elem() {
	case fstore.Bool:
		c.Bools = copyValues[bool](data, n, valid)
	case fstore.Int32:
		c.Int32s = copyValues[int32](data, n, valid)
	case fstore.Int64, fstore.Timestamp:
		c.Int64s = copyValues[int64](data, n, valid)
	case fstore.Float32:
		c.Float32s = copyValues[float32](data, n, valid)
	case fstore.Float64:
		c.Float64s = copyValues[float64](data, n, valid)
	case fstore.String, fstore.Bytes:
		readTexts(c, data, n, valid)
	}
}

func copyValues[T any](data unsafe.Pointer, n int, valid fstore.Bitmap) []T {
	out := make([]T, n)
	if n == 0 {
		return out
	}
	copy(out, unsafe.Slice((*T)(data), n))
	if valid != nil {
		var zero T
		for i := range out {
			if !valid.Get(i) {
				out[i] = zero
			}
		}
	}
	return out
}

// readTexts copies strings or bytes, all of them into one block of memory.
func readTexts(c *fstore.Column, data unsafe.Pointer, n int, valid fstore.Bitmap) {
	var texts []stringT
	if n > 0 {
		texts = unsafe.Slice((*stringT)(data), n)
	}
	size := 0
	for i := range texts {
		if valid.Get(i) {
			size += int(texts[i].length)
		}
	}
	block := make([]byte, 0, size)
	bounds := make([]int, 1, n+1)
	for i := range texts {
		if valid.Get(i) {
			block = append(block, texts[i].text()...)
		}
		bounds = append(bounds, len(block))
	}
	if c.Type.Elem() == fstore.String {
		all := string(block)
		c.Strings = make([]string, n)
		for i := range c.Strings {
			c.Strings[i] = all[bounds[i]:bounds[i+1]]
		}
		return
	}
	c.Bytes = make([][]byte, n)
	for i := range c.Bytes {
		if valid.Get(i) {
			c.Bytes[i] = block[bounds[i]:bounds[i+1]:bounds[i+1]]
		}
	}
}

// gather puts the elements of lists, which DuckDB may hold in another order, one after another.
func gather(c, all *fstore.Column, entries []listEntry) {
	for i, e := range entries {
		if c.IsNull(i) {
			continue
		}
		c.AppendElements(all, int(e.offset), int(e.offset+e.length))
	}
}
