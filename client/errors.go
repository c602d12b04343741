package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
)

// kinds is the inverse of the server's table from kinds of errors to codes. A test of the server compares the two.
var kinds = map[codes.Code]error{
	codes.InvalidArgument:    fstore.ErrInvalid,
	codes.Unauthenticated:    fstore.ErrUnauthenticated,
	codes.PermissionDenied:   fstore.ErrForbidden,
	codes.NotFound:           fstore.ErrNotFound,
	codes.FailedPrecondition: fstore.ErrNotReady,
	codes.Aborted:            fstore.ErrConflict,
	codes.ResourceExhausted:  fstore.ErrTooLarge,
	codes.Unavailable:        fstore.ErrUnavailable,
	codes.DataLoss:           fstore.ErrCorrupt,
	codes.DeadlineExceeded:   context.DeadlineExceeded,
	codes.Canceled:           context.Canceled,
}

// kindOf converts the error of a call to an fstore.Error of the kind for its code.
func kindOf(err error) error {
	s := status.Convert(err)
	if kind, ok := kinds[s.Code()]; ok {
		return &fstore.Error{Kind: kind, Message: s.Message()}
	}
	return fmt.Errorf("%s: %s", s.Code(), s.Message())
}
