package flight

import (
	"fmt"
	"io"
	"reflect"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"github.com/fstore-dev/fstore"
)

const (
	groupRows  = 16 << 10  // of a row group, unless it has many columns
	groupCells = 4 << 20   // rows x columns of a row group
	groupBytes = 128 << 20 // that the rows of a group may take in memory
	maxChunks  = 512 << 10 // row groups x columns; the footer has something of each, and is in memory until the end
	cellBytes  = 16        // about, that a value takes in memory beside a text
	chunkCells = 4 << 10   // about, that are converted at a time
	listCells  = 1 << 20   // in the lists of a row
)

// labelWriter writes record batches as Parquet. The bytes depend on the rows, and not on how they came in batches: every
// group but the last one has the same number of rows, and each of its columns is one page.
type labelWriter struct {
	to      *parquet.GenericWriter[any]
	columns []*parquet.ColumnWriter
	names   []string
	most    int // rows of a group
	groups  int // that are written
	rows    int64

	// Of the group that is being filled.
	held  int   // rows
	bytes int64 // that they take, about

	cells []parquet.Value // of a column, while they are converted
}

// newLabelWriter begins a file. It does not close the writer.
func newLabelWriter(to io.Writer, schema *arrow.Schema) *labelWriter {
	w := &labelWriter{most: min(groupRows, groupCells/schema.NumFields())}
	root := columns{}
	for _, f := range schema.Fields() {
		root.fields = append(root.fields, column{parquet.Optional(nodeOf(f.Type)), f.Name})
		w.names = append(w.names, f.Name)
	}
	w.to = parquet.NewGenericWriter[any](to, parquet.NewSchema("labels", root), parquet.Compression(&snappy.Codec{}), parquet.PageBufferSize(2*groupBytes))
	w.columns = w.to.ColumnWriters()
	return w
}

// columns are the columns of a file in their own order: parquet.Group sorts them.
type columns struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (c columns) Fields() []parquet.Field { return c.fields }

type column struct {
	parquet.Node
	name string
}

// Name implements parquet.Field.
func (c column) Name() string { return c.name }

// Value implements parquet.Field. No row is a Go value.
func (c column) Value(reflect.Value) reflect.Value { return reflect.Value{} }

// add adds the rows of a batch, which the caller may then forget.
func (w *labelWriter) add(batch arrow.RecordBatch) error {
	for at, rows := 0, int(batch.NumRows()); at < rows; {
		end := min(rows, at+w.most-w.held)
		for i, c := range batch.Columns() {
			if err := w.addColumn(w.columns[i], c, at, end); err != nil {
				return fmt.Errorf("column %q: %w", w.names[i], err)
			}
		}
		w.held, w.rows = w.held+end-at, w.rows+int64(end-at)
		if w.held == w.most {
			if err := w.flush(); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

// addColumn adds some rows of a column.
func (w *labelWriter) addColumn(to *parquet.ColumnWriter, c arrow.Array, at, end int) error {
	for ; at < end; at++ {
		if err := w.addCells(c, at, levels{}); err != nil {
			return err
		}
		if len(w.cells) >= chunkCells || at == end-1 {
			_, err := to.WriteRowValues(w.cells)
			clear(w.cells) // texts share the memory of the batch
			if w.cells = w.cells[:0]; err != nil {
				return err
			}
		}
	}
	return nil
}

// levels say where a value is (see node).
type levels struct{ repetition, definition, lists int }

func (l levels) of(v parquet.Value) parquet.Value { return v.Level(l.repetition, l.definition, 0) }

// addCells converts the value of a row: to one cell, or to those of a list.
func (w *labelWriter) addCells(c arrow.Array, row int, l levels) error {
	if c.IsNull(row) {
		return w.addCell(l.of(parquet.NullValue()), 0)
	}
	l.definition++
	list, ok := c.(array.ListLike)
	if !ok {
		v, text, err := valueOf(c, row)
		if err != nil {
			return err
		}
		return w.addCell(l.of(v), text)
	}
	begin, end := list.ValueOffsets(row)
	if begin == end {
		return w.addCell(l.of(parquet.NullValue()), 0)
	}
	l.definition, l.lists = l.definition+1, l.lists+1
	for i := begin; i < end; i++ {
		if err := w.addCells(list.ListValues(), int(i), l); err != nil {
			return err
		}
		l.repetition = l.lists
	}
	return nil
}

// addCell adds a cell, which has a text of some bytes.
func (w *labelWriter) addCell(v parquet.Value, text int) error {
	if w.bytes += cellBytes + int64(text); w.bytes > groupBytes {
		return fstore.Errorf(fstore.ErrTooLarge, "%d rows of labels take more than %d MB", w.most, groupBytes>>20).
			WithHint("send the columns that features need and the targets, and join the others later")
	}
	if len(w.cells) > chunkCells+listCells {
		return fstore.Errorf(fstore.ErrTooLarge, "a list has more than %d values", listCells)
	}
	w.cells = append(w.cells, v)
	return nil
}

// flush writes the group.
func (w *labelWriter) flush() error {
	w.groups++
	if w.groups >= parquet.MaxRowGroups || w.groups*len(w.columns) > maxChunks {
		return fstore.Errorf(fstore.ErrTooLarge, "there are too many labels: more than %d rows x %d columns", w.rows, len(w.columns)).
			WithHint("send the columns that features need and the targets, or make several training sets")
	}
	w.held, w.bytes = 0, 0
	return w.to.Flush()
}

// close ends the file.
func (w *labelWriter) close() error { return w.to.Close() }
