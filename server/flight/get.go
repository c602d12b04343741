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
		defer file.Close()
		a.core.Moved(ctx, set.Rows)
		if ticket.As == asBytes {
			return a.sendFile(ctx, set, file, stream)
		}
		if err := a.sets.Check(ctx, set, file); err != nil { // only what was made is decoded
			return err
		}
		return sendRows(ctx, file, set, stream)
	})
}

// sendFile sends a file while its digest is checked, which takes as long as reading it. If it is not the file that was
// made, the call fails, whatever was sent before.
func (a *API) sendFile(ctx context.Context, set *Set, file File, stream flight.FlightService_DoGetServer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	check := make(chan struct{})
	var wrong error
	go func() {
		defer close(check)
		defer func() {
			if p := recover(); p != nil {
				a.core.Panicked(method("DoGet"), p)
				wrong = errCheck
				stop(wrong)
			}
		}()
		if wrong = a.sets.Check(ctx, set, file); wrong != nil {
			stop(wrong)
		}
	}()
	err := sendBytes(ctx, file, stream)
	if err != nil {
		stop(err) // the client is gone, or the check has failed
	}
	<-check
	if err != nil {
		return err
	}
	return wrong
}

// errCheck is the error of a check that panicked, of which callers learn only that the server is at fault.
var errCheck = errors.New("the check of a file panicked")

// bytesSchema is that of a file's bytes.
var bytesSchema = arrow.NewSchema([]arrow.Field{{Name: "bytes", Type: arrow.BinaryTypes.Binary}}, nil)

// pieceBytes is how many bytes of a file a message has: less than the 4 MB that clients of gRPC accept by default.
const pieceBytes = 2 << 20

// sendBytes sends a file as it is.
func sendBytes(ctx context.Context, f io.Reader, stream flight.FlightService_DoGetServer) error {
	w := flight.NewRecordWriter(stream, ipc.WithSchema(bytesSchema))
	defer w.Close()
	piece := make([]byte, pieceBytes)
	offsets := make([]byte, 2*arrow.Int32SizeBytes)
	for ctx.Err() == nil {
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
	return context.Cause(ctx)
}

// sendRows sends the rows of a file as record batches.
func sendRows(ctx context.Context, f File, set *Set, stream flight.FlightService_DoGetServer) error {
	r, err := openRows(f, set)
	if err != nil {
		return err
	}
	w := flight.NewRecordWriter(stream, ipc.WithSchema(r.schema))
	defer w.Close()
	return r.each(func(batch arrow.RecordBatch) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.Write(batch)
	})
}
