package flight

import (
	"context"
	"errors"
	"io"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
)

// preview answers with labels and their features, and records nothing: the summary, and then the bytes of a Parquet file,
// as many as the summary says. The file exists only while the call does.
func (a *API) preview(ctx context.Context, body []byte, say func([]byte) error) (err error) {
	r := &Request{}
	if err := decodeAction(body, r); err != nil {
		return err
	}
	a.asked(ctx, r)
	if err := r.check(); err != nil {
		return err
	}
	if err := a.mayPreview(ctx, r); err != nil {
		return err
	}
	leave, err := a.previews.take("previews are computed or read")
	if err != nil {
		return err
	}
	defer leave()
	made, err := a.compute(ctx, r, say)
	if err != nil {
		return err
	}
	a.core.Moved(ctx, made.Rows)
	defer func() { err = errors.Join(err, made.Close()) }()
	if err := say(made.Summary); err != nil {
		return err
	}
	return sendPieces(made, say)
}

// compute computes a preview in its turn, which ends before the caller has read the rows.
func (a *API) compute(ctx context.Context, r *Request, say func([]byte) error) (*Preview, error) {
	leave, err := a.turn(ctx, "", say)
	if err != nil {
		return nil, err
	}
	defer leave()
	return a.sets.Preview(ctx, r, say)
}

// mayPreview returns nil if the caller may have features of labels. A grant for one service or one model is for its
// features of labels that the caller sends. A query reads all sources.
func (a *API) mayPreview(ctx context.Context, r *Request) error {
	all := a.core.May(ctx, access.OfflineCreate, "")
	switch {
	case all == nil || r.LabelsSQL != "":
		return all
	case r.Service != "":
		return a.core.May(ctx, access.OfflineCreate, r.Service)
	}
	if model, err := fstore.ParseModelRef(r.Model); err == nil {
		return a.core.MayModel(ctx, access.OfflineCreate, model.Name)
	}
	return all
}

// sendPieces sends a file in pieces that clients of gRPC accept.
func sendPieces(file io.Reader, send func([]byte) error) error {
	for {
		piece := make([]byte, pieceBytes) // gRPC may read a message after it was sent
		n, err := io.ReadFull(file, piece)
		if n > 0 {
			if err := send(piece[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}
