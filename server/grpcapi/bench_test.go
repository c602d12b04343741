package grpcapi

import (
	"context"
	"fmt"
	"testing"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
)

// BenchmarkAnswer is the part of a call that is this package's: from a decoded request to the bytes to send.
func BenchmarkAnswer(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dx50", keys), func(b *testing.B) {
			w, v := newWorld(b), wideView(0, 50)
			w.Book.Set(page{Services: map[string]*fstore.FeatureList{"wide": serviceOf("wide", 1, v)}})
			publish(b, w.Store, v, now, wideRows(keys, 50)...)
			w.Poll(context.Background())
			req := byService("wide", int64s("customer_id", make([]int64, keys)...))
			b.ReportAllocs()
			for b.Loop() {
				r := &received[fstorev1.GetOnlineFeaturesRequest]{lease: lease{hold: server.NewHold(w.InFlight())}}
				r.message.Selection, r.message.Entities = req.Selection, req.Entities
				answer, err := w.get(context.Background(), r)
				if err != nil {
					b.Fatal(err)
				}
				answer.slice().Free()
			}
		})
	}
}
