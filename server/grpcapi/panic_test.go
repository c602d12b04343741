package grpcapi

import (
	"context"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/server/servertest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

func TestAPanicOfACallIsInternal(t *testing.T) {
	w := newWorld(t)
	_, err := w.guardedCall(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"},
		func(context.Context, any) (any, error) { panic("secret of the call") })
	servertest.WantStatus(t, err, codes.Internal, "a fault in the server")
	if log := w.Log.String(); !strings.Contains(log, "secret of the call") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}
