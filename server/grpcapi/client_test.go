package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/server"
)

// refuses fails every call with one error.
type refuses struct {
	grpc.ClientConnInterface
	err error
}

func (r refuses) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return r.err }

// What the server refuses for one of these kinds, the client takes for the same kind.
func TestTheClientsKindsAreTheServers(t *testing.T) {
	for _, kind := range []error{
		fstore.ErrInvalid, fstore.ErrNotFound, fstore.ErrNotReady, fstore.ErrConflict, fstore.ErrTooLarge, fstore.ErrUnavailable,
		fstore.ErrCorrupt, fstore.ErrUnauthenticated, fstore.ErrForbidden, context.DeadlineExceeded, context.Canceled,
	} {
		refusal := server.Refuse(context.Background(), fmt.Errorf("what happened: %w", kind))
		_, err := client.New(refuses{err: statusOf(refusal)}, client.Options{Attempts: 1}).Get(context.Background(), client.Request{})
		if !errors.Is(err, kind) {
			t.Errorf("%s is %v, want %v", refusal.Name, err, kind)
		}
	}
}

func TestAHintIsBehindTheMessage(t *testing.T) {
	err := statusOf(server.Refuse(context.Background(), fstore.Errorf(fstore.ErrNotReady, "not published").WithHint("run: fstore materialize a")))
	if want := "rpc error: code = FailedPrecondition desc = not published (run: fstore materialize a)"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
