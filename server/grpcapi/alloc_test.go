package grpcapi

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/fstore-dev/fstore/server"
)

// A call allocates, above the backend and gRPC itself: the request's message (as many as it has columns and kinds), its
// deadline, and what a look-up allocates. Whatever the number of rows, features and views; the answer's bytes are in a pooled
// buffer.
func TestACallAllocatesLittle(t *testing.T) {
	for _, c := range []struct{ rows, views, features, most int }{
		{1, 1, 50, 16}, {100, 1, 50, 16}, {1000, 1, 50, 16}, {100, 5, 10, 16}, {100, 1, 250, 17},
	} {
		w := newWorld(t)
		var views []*fstore.ViewVersion
		for i := range c.views {
			views = append(views, wideView(i, c.features))
			publish(t, w.Store, views[i], now, wideRows(c.rows, c.features)...)
		}
		w.Book.Set(page{Services: map[string]*fstore.FeatureList{"wide": serviceOf("wide", 1, views...)}})
		w.Poll(context.Background())
		ids := make([]int64, c.rows)
		for i := range ids {
			ids[i] = int64(i)
		}
		message, err := proto.Marshal(byService("wide", int64s("customer_id", ids...)))
		if err != nil {
			t.Fatal(err)
		}
		receive := func(into any) error {
			return proto.Unmarshal(message, &into.(*received[fstorev1.GetOnlineFeaturesRequest]).message)
		}
		got := alloctest.Fewest(c.most, func() {
			answer, err := w.handleGet(nil, context.Background(), receive, nil)
			if err != nil {
				t.Fatal(err)
			}
			server.Buffers.Put(answer.(encoded).buf)
		})
		if got > c.most {
			t.Errorf("%d rows, %d views of %d features: %v allocations, at most %d are allowed", c.rows, c.views, c.features, got, c.most)
		}
	}
}
