package grpcapi

import (
	"testing"

	"github.com/fstore-dev/fstore/server/servertest"
)

// world is the gRPC protocol of a server that does not serve: tests call its handlers.
type world struct {
	*servertest.Core
	*API
}

func newWorld(t testing.TB) *world {
	t.Helper()
	core := servertest.New(t, nil)
	api, err := New(core.Server)
	if err != nil {
		t.Fatal(err)
	}
	return &world{core, api}
}
