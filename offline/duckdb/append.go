package duckdb

import (
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/fstore-dev/fstore"
)

// Appender adds rows to a table, on a connection of its own: it may be used while a query runs.
type Appender struct {
	conn     mapping.Connection
	appender mapping.Appender
	types    []fstore.Type
	logical  []mapping.LogicalType
}

// mostRows is how many rows a chunk has room for.
const mostRows = 2048

// typeIDs are the engine's types of our scalar types.
var typeIDs = map[fstore.Type]mapping.Type{
	fstore.Bool: mapping.TypeBoolean, fstore.Int32: mapping.TypeInteger, fstore.Int64: mapping.TypeBigInt, fstore.Float32: mapping.TypeFloat,
	fstore.Float64: mapping.TypeDouble, fstore.String: mapping.TypeVarchar, fstore.Bytes: mapping.TypeBlob, fstore.Timestamp: mapping.TypeTimestamp,
}

// Appender starts to add rows to a table, not a temporary one, with columns of these types, in this order. The caller closes
// it.
func (d *DB) Appender(table string, types []fstore.Type) (*Appender, error) {
	a := &Appender{types: types}
	if mapping.Connect(d.db, &a.conn) != mapping.StateSuccess { // as it is: a sealed database takes no settings
		return nil, fstore.Errorf(fstore.ErrUnavailable, "open a duckdb connection")
	}
	if mapping.AppenderCreate(a.conn, "", table, &a.appender) != mapping.StateSuccess {
		err := a.fail()
		mapping.AppenderDestroy(&a.appender)
		mapping.Disconnect(&a.conn)
		return nil, err
	}
	for _, t := range types {
		a.logical = append(a.logical, logicalType(t))
	}
	return a, nil
}

// logicalType returns the engine's type, which the caller destroys.
func logicalType(t fstore.Type) mapping.LogicalType {
	of := mapping.CreateLogicalType(typeIDs[t.Elem()])
	if !t.IsList() {
		return of
	}
	defer mapping.DestroyLogicalType(&of)
	return mapping.CreateListType(of)
}

func (a *Appender) fail() error { return parseError(mapping.AppenderError(a.appender)) }

// Append adds all rows of columns, which have the types of the table.
func (a *Appender) Append(columns []fstore.Column) error {
	for from := 0; from < columns[0].Len; from += mostRows {
		if err := a.chunk(columns, from, min(from+mostRows, columns[0].Len)); err != nil {
			return err
		}
	}
	return nil
}

func (a *Appender) chunk(columns []fstore.Column, from, to int) error {
	chunk := mapping.CreateDataChunk(a.logical)
	defer mapping.DestroyDataChunk(&chunk)
	for i := range columns {
		if err := writeVector(mapping.DataChunkGetVector(chunk, mapping.IdxT(i)), &columns[i], from, to); err != nil {
			return err
		}
	}
	mapping.DataChunkSetSize(chunk, mapping.IdxT(to-from))
	if mapping.AppendDataChunk(a.appender, chunk) != mapping.StateSuccess {
		return a.fail()
	}
	return nil
}

// Close makes the rows part of the table and frees what the appender holds.
func (a *Appender) Close() error {
	var err error
	if mapping.AppenderClose(a.appender) != mapping.StateSuccess {
		err = a.fail()
	}
	mapping.AppenderDestroy(&a.appender)
	mapping.Disconnect(&a.conn)
	for i := range a.logical {
		mapping.DestroyLogicalType(&a.logical[i])
	}
	return err
}

// writeVector copies rows of a column into a vector.
func writeVector(v mapping.Vector, c *fstore.Column, from, to int) error {
	if c.Valid != nil {
		mapping.VectorEnsureValidityWritable(v)
		copy(unsafe.Slice((*byte)(mapping.VectorGetValidity(v)), (to-from+7)/8), c.Valid[from/8:]) // from is a multiple of mostRows
	}
	if !c.Type.IsList() {
		writeValues(v, c, from, to)
		return nil
	}
	first, last := c.Offsets[from], c.Offsets[to]
	size := mapping.IdxT(last - first)
	if mapping.ListVectorReserve(v, size) != mapping.StateSuccess || mapping.ListVectorSetSize(v, size) != mapping.StateSuccess {
		return fstore.Errorf(fstore.ErrTooLarge, "out of memory: a list of %d values", size)
	}
	entries := unsafe.Slice((*listEntry)(mapping.VectorGetData(v)), to-from)
	for i := range entries {
		begin, end := c.Offsets[from+i], c.Offsets[from+i+1]
		entries[i] = listEntry{uint64(begin - first), uint64(end - begin)}
	}
	writeValues(mapping.ListVectorGetChild(v), c, int(first), int(last))
	return nil
}

// writeValues copies values from the slice of the column's element type.
func writeValues(v mapping.Vector, c *fstore.Column, from, to int) {
	if from == to {
		return
	}
	data := mapping.VectorGetData(v)
	switch c.Type.Elem() {
	case fstore.Bool:
		setValues(data, c.Bools[from:to])
	case fstore.Int32:
		setValues(data, c.Int32s[from:to])
	case fstore.Int64, fstore.Timestamp:
		setValues(data, c.Int64s[from:to])
	case fstore.Float32:
		setValues(data, c.Float32s[from:to])
	case fstore.Float64:
		setValues(data, c.Float64s[from:to])
	case fstore.String:
		texts := unsafe.Slice((*stringT)(data), to-from)
		for i, s := range c.Strings[from:to] {
			if len(s) <= inPlace {
				texts[i] = shortText(s)
				continue
			}
			mapping.VectorAssignStringElementLen(v, mapping.IdxT(i), unsafe.Slice(unsafe.StringData(s), len(s)))
		}
	case fstore.Bytes:
		for i, b := range c.Bytes[from:to] {
			mapping.VectorAssignStringElementLen(v, mapping.IdxT(i), b)
		}
	}
}

// shortText returns a text that is held in place.
func shortText(s string) stringT {
	t := stringT{length: uint32(len(s))}
	copy(t.rest[:], s[copy(t.prefix[:], s):])
	return t
}

func setValues[T any](data unsafe.Pointer, values []T) {
	copy(unsafe.Slice((*T)(data), len(values)), values)
}
