package client

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
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

// kindOf converts the error of a call to an fstore.Error of the kind for its code. A server that says when to try again is
// busy; one that does not has refused the request for its size.
func kindOf(err error) error {
	s := status.Convert(err)
	if wait, ok := retryAfter(err); ok && s.Code() == codes.ResourceExhausted {
		return &fstore.Error{Kind: fstore.ErrBusy, Message: s.Message(), Hint: fmt.Sprintf("try again in %s", wait.Round(time.Millisecond))}
	}
	if kind, ok := kinds[s.Code()]; ok {
		return &fstore.Error{Kind: kind, Message: s.Message()}
	}
	return fmt.Errorf("%s: %s", s.Code(), s.Message())
}

// retryAfter returns when the server says that a refused call may succeed, and whether it does say that.
func retryAfter(err error) (time.Duration, bool) {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return max(0, info.GetRetryDelay().AsDuration()), true
		}
	}
	return 0, false
}
