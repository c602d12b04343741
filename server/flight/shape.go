package flight

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fstore-dev/fstore"
)

// node is a column of a Parquet file or, if the column is nested, a part of one.
//
// Parquet keeps nested values as leaves with levels. The definition level says how many of the optional and repeated
// nodes on the way to a value are there; the repetition level says in which of the lists around it the value goes on.
type node struct {
	field    arrow.Field
	lists    byte   // how many lists are around it
	place    byte   // definition level from which on there is a place for it: that of an element of the list around it
	present  byte   // definition level from which on it is not null
	leaf     int    // the first leaf in it
	children []node // of a list: its element; of a struct: its fields; of a map: its entry, a struct
}

// shapes returns the columns of a file.
func shapes(schema *parquet.Schema) ([]node, error) {
	leaf := 0
	var out []node
	for _, f := range schema.Fields() {
		n, err := shape(f, node{}, &leaf)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name(), err)
		}
		out = append(out, n)
	}
	return out, nil
}

// shape returns the node of a field. Of the node around it, it takes lists, place and present.
func shape(f parquet.Field, within node, leaf *int) (node, error) {
	n := node{lists: within.lists, place: within.place, present: within.present, leaf: *leaf}
	n.field = arrow.Field{Name: f.Name(), Nullable: f.Optional()}
	switch {
	case f.Optional():
		n.present++
	case f.Repeated():
		return n, fstore.Errorf(fstore.ErrInvalid, "a repeated field outside of a list")
	}
	if f.Leaf() {
		*leaf++
		n.field.Type = leafType(f.Type())
		if n.field.Type == nil {
			return n, fstore.Errorf(fstore.ErrInvalid, "Arrow's record batches have no %s", f.Type())
		}
		if isUUID(f.Type()) {
			n.field.Metadata = uuids
		}
		return n, nil
	}
	if logical := f.Type().LogicalType(); logical != nil {
		switch logical.Value.(type) {
		case *format.ListType:
			return n.list(f, leaf, func(element node) arrow.DataType { return arrow.ListOfField(element.field) })
		case *format.MapType:
			return n.list(f, leaf, mapType)
		}
	}
	return n.structure(f.Fields(), leaf)
}

// uuids says that a column of 16 bytes has UUIDs, as Arrow's canonical extension types ask for.
var uuids = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.uuid", ""})

func isUUID(t parquet.Type) bool {
	logical := t.LogicalType()
	if logical == nil {
		return false
	}
	_, is := logical.Value.(*format.UUIDType)
	return is
}

// list completes the node of a list or a map, which has a repeated group.
func (n node) list(f parquet.Field, leaf *int, typ func(element node) arrow.DataType) (_ node, err error) {
	fields := f.Fields()
	if len(fields) != 1 || !fields[0].Repeated() || fields[0].Leaf() {
		return n, fstore.Errorf(fstore.ErrInvalid, "a list without a repeated group")
	}
	within := node{lists: n.lists + 1, place: n.present + 1, present: n.present + 1, leaf: n.leaf}
	var element node
	if inner := fields[0].Fields(); len(inner) == 1 {
		element, err = shape(inner[0], within, leaf)
	} else {
		within.field.Name = fields[0].Name()
		element, err = within.structure(inner, leaf)
	}
	if err != nil {
		return n, err
	}
	n.children = []node{element}
	if n.field.Type = typ(element); n.field.Type == nil {
		return n, fstore.Errorf(fstore.ErrInvalid, "a map without keys and values")
	}
	return n, nil
}

func mapType(entry node) arrow.DataType {
	if len(entry.children) != 2 {
		return nil
	}
	t := arrow.MapOf(entry.children[0].field.Type, entry.children[1].field.Type)
	t.SetItemNullable(entry.children[1].field.Nullable)
	return t
}

// structure completes the node of a struct.
func (n node) structure(fields []parquet.Field, leaf *int) (node, error) {
	if len(fields) == 0 {
		return n, fstore.Errorf(fstore.ErrInvalid, "a struct without fields")
	}
	types := make([]arrow.Field, len(fields))
	for i, f := range fields {
		child, err := shape(f, node{lists: n.lists, place: n.place, present: n.present}, leaf)
		if err != nil {
			return n, err
		}
		n.children, types[i] = append(n.children, child), child.field
	}
	n.field.Type = arrow.StructOf(types...)
	return n, nil
}

// leafType returns the type of a leaf in a record batch; nil if there is none.
func leafType(t parquet.Type) arrow.DataType {
	if logical := t.LogicalType(); logical != nil {
		switch l := logical.Value.(type) {
		case *format.StringType, *format.EnumType, *format.JsonType:
			return arrow.BinaryTypes.String
		case *format.DateType:
			return arrow.FixedWidthTypes.Date32
		case *format.DecimalType:
			return &arrow.Decimal128Type{Precision: l.Precision, Scale: l.Scale}
		case *format.TimeType:
			if unit := unitOf(l.Unit); unit != arrow.Millisecond {
				return &arrow.Time64Type{Unit: unit}
			}
			return arrow.FixedWidthTypes.Time32ms
		case *format.TimestampType:
			out := &arrow.TimestampType{Unit: unitOf(l.Unit)}
			if l.IsAdjustedToUTC {
				out.TimeZone = "UTC"
			}
			return out
		case *format.IntType:
			return intTypes[*l]
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case parquet.Int32:
		return arrow.PrimitiveTypes.Int32
	case parquet.Int64:
		return arrow.PrimitiveTypes.Int64
	case parquet.Float:
		return arrow.PrimitiveTypes.Float32
	case parquet.Double:
		return arrow.PrimitiveTypes.Float64
	case parquet.ByteArray:
		return arrow.BinaryTypes.Binary
	case parquet.FixedLenByteArray:
		return &arrow.FixedSizeBinaryType{ByteWidth: t.Length()}
	}
	return nil
}

var intTypes = map[format.IntType]arrow.DataType{
	{BitWidth: 8, IsSigned: true}:   arrow.PrimitiveTypes.Int8,
	{BitWidth: 16, IsSigned: true}:  arrow.PrimitiveTypes.Int16,
	{BitWidth: 32, IsSigned: true}:  arrow.PrimitiveTypes.Int32,
	{BitWidth: 64, IsSigned: true}:  arrow.PrimitiveTypes.Int64,
	{BitWidth: 8, IsSigned: false}:  arrow.PrimitiveTypes.Uint8,
	{BitWidth: 16, IsSigned: false}: arrow.PrimitiveTypes.Uint16,
	{BitWidth: 32, IsSigned: false}: arrow.PrimitiveTypes.Uint32,
	{BitWidth: 64, IsSigned: false}: arrow.PrimitiveTypes.Uint64,
}

func unitOf(u format.TimeUnit) arrow.TimeUnit {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return arrow.Millisecond
	case *format.NanoSeconds:
		return arrow.Nanosecond
	}
	return arrow.Microsecond
}
