package flight

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
)

// DoGet implements flight.FlightServer.
func (a *API) DoGet(t *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	return a.run(stream.Context(), "DoGet", func(ctx context.Context) error {
		ticket, err := a.ticketOf(t.GetTicket())
		if err != nil {
			return err
		}
		set, err := a.found(ctx, access.OfflineRead, ticket.Name)
		if err != nil {
			return err
		}
		if set.SHA256 != ticket.SHA256 {
			return fstore.Errorf(fstore.ErrConflict, "training set %s was replaced by another one", set.Name).WithHint("take a new ticket of GetFlightInfo")
		}
		leave, err := a.reads.take("training sets are read")
		if err != nil {
			return err
		}
		defer leave()
		file, err := a.sets.Open(set)
		if err != nil {
			return err
		}
		if err := a.sets.Check(ctx, set, file); err != nil {
			return errors.Join(err, file.Close())
		}
		a.core.Moved(ctx, set.Rows)
		if ticket.As == asBytes {
			defer file.Close()
			return sendBytes(file, stream)
		}
		return sendRows(ctx, file, set, stream)
	})
}

// bytesSchema is that of a file's bytes.
var bytesSchema = arrow.NewSchema([]arrow.Field{{Name: "bytes", Type: arrow.BinaryTypes.Binary}}, nil)

// pieceBytes is how many bytes of a file a message has: less than the 4 MB that clients of gRPC accept by default.
const pieceBytes = 2 << 20

// sendBytes sends a file as it is.
func sendBytes(f io.Reader, stream flight.FlightService_DoGetServer) error {
	w := flight.NewRecordWriter(stream, ipc.WithSchema(bytesSchema))
	defer w.Close()
	piece := make([]byte, pieceBytes)
	offsets := make([]byte, 2*arrow.Int32SizeBytes)
	for {
		n, err := io.ReadFull(f, piece)
		if n == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		arrow.Int32Traits.CastFromBytes(offsets)[1] = int32(n)
		data := array.NewData(arrow.BinaryTypes.Binary, 1, []*memory.Buffer{nil, memory.NewBufferBytes(offsets), memory.NewBufferBytes(piece[:n])}, nil, 0, 0)
		column := array.MakeFromData(data)
		record := array.NewRecordBatch(bytesSchema, []arrow.Array{column}, 1)
		if err := w.Write(record); err != nil {
			return err
		}
	}
}

const (
	batchRows  = 64 << 10 // of a record batch
	batchBytes = 16 << 20 // about, of a record batch whose rows are large
)

// rows are the rows of a training set.
type rows struct {
	file   *file.Reader
	reader *pqarrow.FileReader
	schema *arrow.Schema
	set    *Set
}

// openRows reads the footer of a file. It owns the file, also if it fails.
func openRows(f File, set *Set) (_ *rows, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("its footer is not Parquet's")
		}
		if err != nil {
			_ = f.Close()
			err = unreadable(set, err)
		}
	}()
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	r := &rows{set: set}
	if r.file, err = file.NewParquetReader(f, file.WithReadProps(props)); err != nil {
		return nil, err
	}
	if r.reader, err = pqarrow.NewFileReader(r.file, pqarrow.ArrowReadProperties{BatchSize: r.batchRows()}, memory.DefaultAllocator); err != nil {
		return nil, err
	}
	schema, err := r.reader.Schema()
	if err != nil {
		return nil, err
	}
	r.schema = set.typed(schema)
	return r, nil
}

func (r *rows) close() { _ = r.file.Close() }

// batchRows returns how many rows a batch has, so that batches of wide rows are not large.
func (r *rows) batchRows() int64 {
	meta, bytes := r.file.MetaData(), int64(0)
	for _, group := range meta.RowGroups {
		bytes += group.GetTotalByteSize()
	}
	perRow := bytes/max(meta.GetNumRows(), 1) + 1
	return min(max(batchBytes/perRow, 1), batchRows)
}

// typed returns the schema of a file with its instants in UTC, and without metadata.
func (s *Set) typed(schema *arrow.Schema) *arrow.Schema {
	fields := make([]arrow.Field, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i] = arrow.Field{Name: f.Name, Type: f.Type, Nullable: f.Nullable}
		if s.Instants[f.Name] {
			fields[i].Type = arrow.FixedWidthTypes.Timestamp_us
		}
	}
	return arrow.NewSchema(fields, nil)
}

// sendRows sends the rows of a file as record batches.
func sendRows(ctx context.Context, f File, set *Set, stream flight.FlightService_DoGetServer) error {
	r, err := openRows(f, set)
	if err != nil {
		return err
	}
	defer r.close()
	batches, err := r.reader.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return unreadable(set, err)
	}
	defer batches.Release()
	w := flight.NewRecordWriter(stream, ipc.WithSchema(r.schema))
	defer w.Close()
	for batches.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.Write(retyped(batches.RecordBatch(), r.schema)); err != nil {
			return err
		}
	}
	if err := batches.Err(); err != nil && !errors.Is(err, io.EOF) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return unreadable(set, err)
	}
	return nil
}

// retyped returns a batch with the types of a schema, whose values have the same bytes.
func retyped(batch arrow.RecordBatch, schema *arrow.Schema) arrow.RecordBatch {
	columns := make([]arrow.Array, batch.NumCols())
	for i, c := range batch.Columns() {
		columns[i] = c
		if t := schema.Field(i).Type; !arrow.TypeEqual(t, c.DataType()) {
			d := c.Data()
			columns[i] = array.MakeFromData(array.NewData(t, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset()))
		}
	}
	return array.NewRecordBatch(schema, columns, batch.NumRows())
}
