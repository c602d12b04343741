package flight

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/arrow/util"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/fstore-dev/fstore"
)

const (
	groupRows  = 16 << 10  // of a row group
	groupBytes = 128 << 20 // that the rows of a group may take in memory
)

// parquetWriter writes record batches as Parquet. The bytes depend on the rows, and not on how they came in batches: a
// group has groupRows rows, except for the last one.
type parquetWriter struct {
	to     *pqarrow.FileWriter
	schema *arrow.Schema
	rows   int64

	// held are the rows of the next group, in batches of falling length: each is longer than the one after it. So a row
	// is copied a few times only, even if each comes in a batch of its own.
	held      []arrow.RecordBatch
	heldRows  int64
	heldBytes int64
}

// newParquet begins a file. It does not close the writer.
func newParquet(to io.Writer, schema *arrow.Schema) (*parquetWriter, error) {
	fields := make([]arrow.Field, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i] = arrow.Field{Name: f.Name, Type: f.Type, Nullable: true}
	}
	w := &parquetWriter{schema: arrow.NewSchema(fields, nil)}
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy), parquet.WithMaxRowGroupLength(groupRows), parquet.WithVersion(parquet.V2_6))
	var err error
	if w.to, err = pqarrow.NewFileWriter(w.schema, to, props, pqarrow.NewArrowWriterProperties()); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "Parquet has no such columns: %v", err)
	}
	return w, nil
}

// add adds the rows of a batch, which the caller may then forget.
func (w *parquetWriter) add(batch arrow.RecordBatch) error {
	for n := batch.NumRows(); n > 0; n = batch.NumRows() {
		part := batch.NewSlice(0, min(n, groupRows-w.heldRows))
		batch = batch.NewSlice(part.NumRows(), n)
		part, err := copied(w.schema, part)
		if err != nil {
			return err
		}
		if w.heldBytes += util.TotalRecordSize(part); w.heldBytes > groupBytes {
			return fstore.Errorf(fstore.ErrTooLarge, "%d rows of labels take more than %d MB", groupRows, groupBytes>>20).
				WithHint("send the columns that features need and the targets, and join the others later")
		}
		w.held, w.heldRows = append(w.held, part), w.heldRows+part.NumRows()
		for len(w.held) > 1 && w.held[len(w.held)-2].NumRows() <= w.held[len(w.held)-1].NumRows() {
			if err := w.merge(len(w.held) - 2); err != nil {
				return err
			}
		}
		if w.heldRows == groupRows {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// copied returns a batch with memory of its own: one that was received is a part of its message.
func copied(schema *arrow.Schema, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	return concatenated(schema, []arrow.RecordBatch{batch, batch.NewSlice(0, 0)})
}

// merge makes one batch of those from an index on.
func (w *parquetWriter) merge(from int) error {
	one, err := concatenated(w.schema, w.held[from:])
	if err != nil {
		return err
	}
	w.held = append(w.held[:from], one)
	return nil
}

func concatenated(schema *arrow.Schema, batches []arrow.RecordBatch) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, schema.NumFields())
	rows := int64(0)
	for i := range columns {
		parts := make([]arrow.Array, len(batches))
		for j, b := range batches {
			parts[j] = b.Column(i)
		}
		var err error
		if columns[i], err = array.Concatenate(parts, memory.DefaultAllocator); err != nil {
			return nil, fstore.Errorf(fstore.ErrInvalid, "column %q: %v", schema.Field(i).Name, err)
		}
		rows = int64(columns[i].Len())
	}
	return array.NewRecordBatch(schema, columns, rows), nil
}

// flush writes a row group.
func (w *parquetWriter) flush() error {
	if err := w.merge(0); err != nil {
		return err
	}
	group := w.held[0]
	w.rows += group.NumRows()
	w.held, w.heldRows, w.heldBytes = nil, 0, 0
	return w.to.Write(group)
}

// close ends the file.
func (w *parquetWriter) close() error {
	if w.heldRows > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return w.to.Close()
}
