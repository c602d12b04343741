package main

import (
	"context"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/online"
)

// askServer asks a running server over gRPC.
func askServer(ctx context.Context, q *question, keys []fstore.Column) (*fstore.FeatureList, *online.Answer, error) {
	c, err := q.server.Open()
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	req := client.Request{
		Selection: client.Selection{Service: q.selected.Service, Model: q.selected.Model, Features: q.selected.Features},
		Keys:      keys,
	}
	if q.events {
		req.EventTimes = online.WithEventTimes
	}
	answer, err := c.Get(ctx, req)
	if err != nil {
		return nil, nil, q.server.Explain(err)
	}
	return &fstore.FeatureList{Service: answer.Service, Model: answer.Model}, &answer.Answer, nil
}
