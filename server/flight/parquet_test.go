package flight

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// labelTypes are all types of labels.
func labelTypes() []arrow.DataType {
	plain := []arrow.DataType{
		arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, &arrow.Decimal128Type{Precision: 5, Scale: 2}, &arrow.Decimal128Type{Precision: 38, Scale: 10},
		arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64,
		arrow.FixedWidthTypes.Time32s, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time64ns,
		arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary,
	}
	for unit := arrow.Second; unit <= arrow.Nanosecond; unit++ {
		plain = append(plain, &arrow.TimestampType{Unit: unit}, &arrow.TimestampType{Unit: unit, TimeZone: "UTC"})
	}
	all := plain
	for _, t := range plain {
		all = append(all, arrow.ListOf(t))
	}
	return append(all, arrow.LargeListOf(arrow.BinaryTypes.String), arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int16)), arrow.ListOf(arrow.LargeListOf(arrow.BinaryTypes.Binary)))
}

// fill appends a random value, which is null now and then.
func fill(r *rand.Rand, b array.Builder) {
	if r.IntN(5) == 0 {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(r.IntN(2) == 0)
	case *array.Int8Builder:
		b.Append(int8(r.Uint32()))
	case *array.Int16Builder:
		b.Append(int16(r.Uint32()))
	case *array.Int32Builder:
		b.Append(int32(r.Uint32()))
	case *array.Int64Builder:
		b.Append(int64(r.Uint64()))
	case *array.Uint8Builder:
		b.Append(uint8(r.Uint32()))
	case *array.Uint16Builder:
		b.Append(uint16(r.Uint32()))
	case *array.Uint32Builder:
		b.Append(r.Uint32())
	case *array.Uint64Builder:
		b.Append(r.Uint64())
	case *array.Float32Builder:
		b.Append(r.Float32())
	case *array.Float64Builder:
		b.Append(r.NormFloat64())
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(r.IntN(99_999)) - 50_000))
	case *array.Date32Builder:
		b.Append(arrow.Date32(r.IntN(40_000) - 20_000))
	case *array.Date64Builder:
		b.Append(arrow.Date64((int64(r.IntN(40_000)) - 20_000) * dayMillis))
	case *array.Time32Builder:
		b.Append(arrow.Time32(r.IntN(86_400)))
	case *array.Time64Builder:
		b.Append(arrow.Time64(r.IntN(86_400_000_000)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(r.Int64N(4_000_000_000) - 2_000_000_000))
	case array.ListLikeBuilder:
		b.Append(true)
		for range r.IntN(4) {
			fill(r, b.ValueBuilder())
		}
	case array.StringLikeBuilder:
		b.Append(strings.Repeat("é", r.IntN(4)))
	case *array.BinaryBuilder:
		b.Append(fmt.Appendf(nil, "%.*x", r.IntN(8), r.IntN(1000)))
	default:
		panic(fmt.Sprintf("no values of %T", b))
	}
}

// randomLabels returns a batch with a column of each type.
func randomLabels(r *rand.Rand, types []arrow.DataType, rows int) arrow.RecordBatch {
	var fields []arrow.Field
	for i, t := range types {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("%c%d", 'z'-i%26, i), Type: t, Nullable: true}) // not in the order of their names
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	for range rows {
		for i := range fields {
			fill(r, b.Field(i))
		}
	}
	return b.NewRecordBatch()
}

// write returns the file of some batches.
func write(t testing.TB, batches ...arrow.RecordBatch) []byte {
	t.Helper()
	var file bytes.Buffer
	w := newLabelWriter(&file, batches[0].Schema())
	for _, b := range batches {
		if err := w.add(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error               { return nil }
func (memoryFile) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

// openFile opens a file in memory.
func openFile(t testing.TB, file []byte) *rows {
	t.Helper()
	r, err := openRows(memoryFile{bytes.NewReader(file)}, &Set{Name: "labels", Size: int64(len(file))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// jsonOf returns some rows of a column, a JSON value for each.
func jsonOf(t testing.TB, c arrow.Array) (out []string) {
	t.Helper()
	var values []json.RawMessage
	text, err := c.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}

// What is written is read back: each type, nested and null, in the order of the columns, over the bounds of row groups.
func TestRowsAreReadAsTheyWereWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	types := labelTypes()
	const count = groupRows + 1000
	whole := randomLabels(r, types, count)
	var parts []arrow.RecordBatch
	for at := 0; at < count; {
		n := min(1+r.IntN(3000), count-at)
		parts = append(parts, whole.NewSlice(int64(at), int64(at+n)))
		at += n
	}
	file := write(t, whole)
	if !bytes.Equal(write(t, parts...), file) {
		t.Error("the file depends on how the rows come in batches")
	}
	rows, at := openFile(t, file), int64(0)
	got := make([][]string, len(types))
	err := rows.each(func(b arrow.RecordBatch) error {
		for i, c := range b.Columns() {
			got[i] = append(got[i], jsonOf(t, c)...)
		}
		at += b.NumRows()
		return nil
	})
	if err != nil || at != count {
		t.Fatalf("%d rows, %v", at, err)
	}
	for i, typ := range types {
		if name := rows.schema.Field(i).Name; name != whole.ColumnName(i) {
			t.Errorf("column %d is %s", i, name)
		}
		for row, want := range jsonOf(t, whole.Column(i)) {
			if got[i][row] != want {
				t.Errorf("%s, row %d: %s; want %s", typ, row, got[i][row], want)
				break
			}
		}
	}
}
