package main

import (
	"context"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// askServer asks a running server over gRPC.
func askServer(ctx context.Context, q *question, keys []fstore.Column) (*fstore.FeatureList, *online.Answer, error) {
	conn, err := grpc.NewClient("passthrough:///"+q.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, nil, &usageError{message: "--grpc " + q.grpc + ": " + err.Error()}
	}
	defer conn.Close()
	ask := server.Question{Service: q.service, Features: q.features, Keys: keys}
	if q.events {
		ask.EventTimes = online.WithEventTimes
	}
	return server.Ask(ctx, conn, ask)
}
