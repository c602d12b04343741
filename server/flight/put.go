package flight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
)

// DoPut implements flight.FlightServer: it keeps labels as a Parquet file that is named by its digest. A stream that
// breaks leaves nothing.
func (a *API) DoPut(stream flight.FlightService_DoPutServer) error {
	return a.run(stream.Context(), "DoPut", func(ctx context.Context) error {
		if err := a.core.MaySome(ctx, access.OfflineCreate); err != nil {
			return err
		}
		leave, err := a.puts.take("uploads of labels run")
		if err != nil {
			return err
		}
		defer leave()
		kept, err := a.put(ctx, stream)
		if err != nil {
			return err
		}
		a.core.Moved(ctx, kept.Rows)
		meta, err := json.Marshal(kept)
		if err != nil {
			return err
		}
		return stream.Send(&flight.PutResult{AppMetadata: meta})
	})
}

// kept is what PutResult says of labels.
type kept struct {
	Digest string `json:"digest"` // SHA-256 of the file
	Rows   int64  `json:"rows"`
}

// put writes the labels of a stream.
func (a *API) put(ctx context.Context, stream flight.FlightService_DoPutServer) (k kept, err error) {
	in := &uploaded{stream: stream}
	first, err := in.Recv()
	if err != nil {
		return k, broken(ctx, err)
	}
	path, err := pathOf(first.GetFlightDescriptor())
	if err != nil {
		return k, err
	}
	if len(path) != 1 || path[0] != labelsPath {
		return k, badPath(path)
	}
	in.again = first
	labels, err := a.sets.NewLabels(ctx)
	if err != nil {
		return k, err
	}
	defer labels.Discard()
	if k.Rows, err = in.write(labels); err != nil {
		return k, broken(ctx, err)
	}
	k.Digest, err = labels.Keep()
	return k, err
}

// uploaded is a stream of labels. What it brings was checked before Arrow decodes it.
type uploaded struct {
	stream flight.DataStreamReader
	again  *flight.FlightData // was received, and is to be received again
	failed error              // of the stream; Arrow's decoder hides it
}

// Recv implements flight.DataStreamReader.
func (u *uploaded) Recv() (*flight.FlightData, error) {
	if data := u.again; data != nil {
		u.again = nil
		return data, nil
	}
	data, err := u.stream.Recv()
	if err == nil {
		err = checkMessage(data.GetDataHeader())
		data.DataBody = slices.Clip(data.DataBody) // Arrow takes what lies behind a body for a part of it
	}
	if err != nil && !errors.Is(err, io.EOF) {
		u.failed = err
	}
	return data, err
}

// write decodes the stream and writes it as Parquet.
func (u *uploaded) write(to io.Writer) (n int64, err error) {
	defer func() {
		if p := recover(); p != nil { // Arrow panics at what its sender has made wrong
			err = malformed(p)
		}
		if u.failed != nil {
			err = u.failed
		}
	}()
	r, err := flight.NewRecordReader(u, ipc.WithEnsureNativeEndian(true))
	if err != nil {
		return 0, malformed(err)
	}
	defer r.Release()
	if err := checkColumns(r.Schema()); err != nil {
		return 0, err
	}
	w := newLabelWriter(to, r.Schema())
	for r.Next() {
		batch := r.RecordBatch()
		if err := checkBatch(batch); err != nil {
			return 0, err
		}
		if err := w.add(batch); err != nil {
			return 0, err
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return 0, malformed(err)
	}
	if u.failed != nil {
		return 0, u.failed
	}
	return w.rows, w.close()
}

func malformed(what any) error {
	return fstore.Errorf(fstore.ErrInvalid, "the stream is not a valid Arrow stream: %.200s", fmt.Sprint(what))
}

// broken returns the error of a stream as its caller is to have it. gRPC's own are of the caller's making.
func broken(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return fstore.Errorf(fstore.ErrInvalid, "the stream has no schema").WithHint("send a schema, then record batches")
	case ctx.Err() != nil:
		return ctx.Err()
	case status.Code(err) == codes.ResourceExhausted:
		return fstore.Errorf(fstore.ErrTooLarge, "a record batch is too large: %s", status.Convert(err).Message()).WithHint("send batches of at most 16 MB")
	case status.Code(err) != codes.Unknown:
		return fstore.Errorf(fstore.ErrInvalid, "the stream broke: %s", status.Convert(err).Message())
	}
	return err
}
