package flight

import (
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/fstore-dev/fstore"
)

// Arrow's decoder trusts the sender. A few bytes can tell it to allocate terabytes, or to follow a schema that contains
// itself until the stack ends, and no recover helps against either. So the header of each message is checked before it is
// decoded, and the lengths of each column before it is used.

const (
	maxColumns = 1000
	maxNesting = 3 // a list of lists of values
	maxHeader  = 4 << 20
	maxDigits  = 38 // of a decimal
)

// Positions in the tables of Arrow's Message.fbs and Schema.fbs: 4 + 2 * the number of the field.
const (
	messageKind, messageHeader                = 6, 8
	schemaFields, schemaMetadata              = 6, 8
	fieldName, fieldDictionary, fieldChildren = 4, 12, 14
	fieldMetadata                             = 16
	batchNodes, batchBuffers, batchCompressed = 6, 8, 10
	batchVariadic                             = 12

	kindSchema, kindBatch = 1, 3
)

// checkMessage checks the header of a message: a schema or a record batch without compression. An empty header is that of
// a message that brings only metadata.
func checkMessage(header []byte) (err error) {
	if len(header) == 0 {
		return nil
	}
	defer func() {
		if p := recover(); p != nil { // it points outside of itself
			err = malformed(p)
		}
	}()
	if len(header) > maxHeader {
		return malformed(fmt.Sprintf("a header has %d bytes", len(header)))
	}
	message := flatbuffers.Table{Bytes: header, Pos: flatbuffers.GetUOffsetT(header)}
	kind := byte(0)
	if o := message.Offset(messageKind); o != 0 {
		kind = message.GetByte(message.Pos + flatbuffers.UOffsetT(o))
	}
	o := message.Offset(messageHeader)
	if o == 0 {
		return malformed("a message has no header")
	}
	var content flatbuffers.Table
	message.Union(&content, flatbuffers.UOffsetT(o))
	switch kind {
	case kindSchema:
		c := headerCheck{left: maxColumns}
		return c.fields(content, schemaFields, schemaMetadata, 0)
	case kindBatch:
		if content.Offset(batchCompressed) != 0 {
			return malformed("a record batch is compressed; send plain ones")
		}
		for slot, size := range map[flatbuffers.VOffsetT]int{batchNodes: 16, batchBuffers: 16, batchVariadic: 8} {
			if _, _, err := vector(content, slot, size); err != nil {
				return err
			}
		}
		return nil
	}
	return malformed("a message is neither a schema nor a record batch; send columns without dictionaries")
}

// headerCheck checks a schema.
type headerCheck struct{ left int }

// fields checks the fields of a schema or of a field.
func (c *headerCheck) fields(of flatbuffers.Table, slot, metadata flatbuffers.VOffsetT, depth int) error {
	if _, _, err := vector(of, metadata, 4); err != nil {
		return err
	}
	start, n, err := vector(of, slot, 4)
	if err != nil {
		return err
	}
	if depth == 0 && n == 0 {
		return malformed("the schema has no columns")
	}
	if c.left -= n; c.left < 0 {
		return malformed(fmt.Sprintf("the schema has more than %d columns", maxColumns))
	}
	if n > 0 && depth >= maxNesting {
		return malformed("the schema is nested too deep")
	}
	for i := range n {
		field := flatbuffers.Table{Bytes: of.Bytes, Pos: of.Indirect(start + flatbuffers.UOffsetT(4*i))}
		if field.Offset(fieldDictionary) != 0 {
			return malformed(fmt.Sprintf("column %q has a dictionary; send plain values", nameOf(field)))
		}
		if err := c.fields(field, fieldChildren, fieldMetadata, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func nameOf(field flatbuffers.Table) string {
	if o := field.Offset(fieldName); o != 0 {
		return field.String(field.Pos + flatbuffers.UOffsetT(o))
	}
	return ""
}

// vector returns where a vector of a table begins, and how many elements it has, which fit into the bytes.
func vector(t flatbuffers.Table, slot flatbuffers.VOffsetT, size int) (start flatbuffers.UOffsetT, n int, err error) {
	o := t.Offset(slot)
	if o == 0 {
		return 0, 0, nil
	}
	n, start = t.VectorLen(flatbuffers.UOffsetT(o)), t.Vector(flatbuffers.UOffsetT(o))
	if n < 0 || int64(start)+int64(n)*int64(size) > int64(len(t.Bytes)) {
		return 0, 0, malformed("a header is cut off")
	}
	return start, n, nil
}

// checkColumns checks the types and the names of labels.
func checkColumns(schema *arrow.Schema) error {
	seen := map[string]bool{}
	for _, f := range schema.Fields() {
		switch {
		case f.Name == "" || !utf8.ValidString(f.Name):
			return fstore.Errorf(fstore.ErrInvalid, "a column of the labels has the name %.80q", f.Name)
		case seen[f.Name]:
			return fstore.Errorf(fstore.ErrInvalid, "there are two columns %q", f.Name).WithHint("rename one of them")
		case !isLabelType(f.Type, 0):
			return fstore.Errorf(fstore.ErrInvalid, "column %q is %s, which labels cannot be", f.Name, f.Type).
				WithHint("numbers, text, bytes, dates, timestamps, booleans, and lists of these")
		}
		seen[f.Name] = true
	}
	return nil
}

func isLabelType(t arrow.DataType, depth int) bool {
	switch t := t.(type) {
	case *arrow.BooleanType, *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type,
		*arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type, *arrow.Float32Type, *arrow.Float64Type,
		*arrow.Date32Type, *arrow.Date64Type, *arrow.Time32Type, *arrow.Time64Type, *arrow.TimestampType,
		*arrow.StringType, *arrow.LargeStringType, *arrow.BinaryType, *arrow.LargeBinaryType:
		return true
	case *arrow.Decimal128Type:
		return t.Precision > 0 && t.Precision <= maxDigits && t.Scale >= 0 && t.Scale <= t.Precision
	case *arrow.ListType:
		return depth < maxNesting-1 && isLabelType(t.Elem(), depth+1)
	case *arrow.LargeListType:
		return depth < maxNesting-1 && isLabelType(t.Elem(), depth+1)
	}
	return false
}

// checkBatch checks that the buffers of a batch have what its lengths say.
func checkBatch(batch arrow.RecordBatch) error {
	for i, c := range batch.Columns() {
		if int64(c.Len()) != batch.NumRows() || !isWhole(c.Data()) {
			return malformed(fmt.Sprintf("column %q of a record batch does not have what its lengths say", batch.ColumnName(i)))
		}
	}
	return nil
}

// isWhole reports whether the buffers of an array are as long as its length asks, and its offsets within them.
func isWhole(d arrow.ArrayData) bool {
	n := d.Len()
	if n < 0 || d.Offset() != 0 || len(d.Buffers()) == 0 {
		return false
	}
	length := func(i int) int {
		if len(d.Buffers()) <= i || d.Buffers()[i] == nil {
			return 0
		}
		return d.Buffers()[i].Len()
	}
	if d.Buffers()[0] != nil && length(0) > 0 && int64(length(0)) < bitutil.BytesForBits(int64(n)) || d.NullN() > 0 && length(0) == 0 {
		return false
	}
	switch t := d.DataType().(type) {
	case arrow.FixedWidthDataType:
		return int64(length(1))*8 >= int64(n)*int64(t.BitWidth())
	case *arrow.StringType, *arrow.BinaryType:
		return areOffsets(int32s(d), n, int64(length(2)))
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		return areOffsets(int64s(d), n, int64(length(2)))
	case *arrow.ListType:
		return isWhole(d.Children()[0]) && areOffsets(int32s(d), n, int64(d.Children()[0].Len()))
	case *arrow.LargeListType:
		return isWhole(d.Children()[0]) && areOffsets(int64s(d), n, int64(d.Children()[0].Len()))
	}
	return false
}

func int32s(d arrow.ArrayData) []int32 {
	if len(d.Buffers()) < 2 || d.Buffers()[1] == nil {
		return nil
	}
	return arrow.Int32Traits.CastFromBytes(d.Buffers()[1].Bytes())
}

func int64s(d arrow.ArrayData) []int64 {
	if len(d.Buffers()) < 2 || d.Buffers()[1] == nil {
		return nil
	}
	return arrow.Int64Traits.CastFromBytes(d.Buffers()[1].Bytes())
}

// areOffsets reports whether the first n+1 offsets rise from 0 or above to at most an end. Without rows there need be none.
func areOffsets[T int32 | int64](offsets []T, n int, end int64) bool {
	if n == 0 {
		return true
	}
	if len(offsets) <= n || offsets[0] < 0 || int64(offsets[n]) > end {
		return false
	}
	for i := range n {
		if offsets[i] > offsets[i+1] {
			return false
		}
	}
	return true
}
