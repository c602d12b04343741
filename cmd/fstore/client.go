package main

import (
	"context"
	"errors"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// askServer asks a running server over gRPC.
func askServer(ctx context.Context, q *question, keys []fstore.Column) (*fstore.FeatureList, *online.Answer, error) {
	conn, err := grpc.NewClient("passthrough:///"+q.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, nil, usage.Errorf(nil, "--grpc %s: %v", q.grpc, err)
	}
	defer conn.Close()
	ask := server.Question{Service: q.selected.Service, Model: q.selected.Model, Features: q.selected.Features, Keys: keys}
	if q.events {
		ask.EventTimes = online.WithEventTimes
	}
	list, answer, err := server.Ask(ctx, conn, ask)
	if errors.Is(err, fstore.ErrUnavailable) && conn.GetState() == connectivity.TransientFailure {
		why := err.Error() // gRPC's words about its own inside, and at the end what happened
		if _, dialing, ok := strings.Cut(why, "Error while dialing: "); ok {
			why = strings.TrimSuffix(dialing, `"`)
		}
		return nil, nil, fstore.Errorf(fstore.ErrUnavailable, "no server answers at %s: %s", q.grpc, why).
			WithHint("start one there with fstore serve, or name another with --grpc")
	}
	return list, answer, err
}
