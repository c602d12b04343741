package bench

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/feast"
	"github.com/fstore-dev/fstore/server/grpcapi"
)

// BenchmarkFeast measures the p50 of an answer in Feast's words beside the same features in fstore's own, alternating
// within one run: as the server alone costs (bytes), and as a client in Go with generated code sees it (p50).
func BenchmarkFeast(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			v := wideView("v0", 50)
			store := openRedis(b, redistest.StartTCP(b))
			fill(b, store, v, rowsOf(v, 0, 1000))
			srv := server.New(server.Options{Catalog: &catalog{listOf(v), []*fstore.ViewVersion{v}}, Store: store})
			api, err := grpcapi.New(srv)
			if err != nil {
				b.Fatal(err)
			}
			if err := api.AddLookups(feast.New(srv).GRPC()); err != nil {
				b.Fatal(err)
			}
			conn := serve(b, func(ctx context.Context, l net.Listener) error {
				return srv.Serve(ctx, server.Endpoint{Protocol: api, Listener: l})
			})
			own, inFeasts, ownRequest := fstorev1.NewFeatureStoreClient(conn), feastpb.NewServingServiceClient(conn), ask(keys)
			firstAnswer(b, own, ownRequest)
			request := &feastpb.GetOnlineFeaturesRequest{
				Kind:     &feastpb.GetOnlineFeaturesRequest_FeatureService{FeatureService: "bench"},
				Entities: map[string]*feastpb.RepeatedValue{"customer_id": {}},
			}
			for _, id := range ownRequest.Entities[0].Int64Values {
				values := request.Entities["customer_id"]
				values.Val = append(values.Val, &feastpb.Value{Val: &feastpb.Value_Int64Val{Int64Val: id}})
			}
			ownBytes, err := proto.Marshal(ownRequest)
			if err != nil {
				b.Fatal(err)
			}
			bytes, err := proto.Marshal(request)
			if err != nil {
				b.Fatal(err)
			}
			var answer *feastpb.GetOnlineFeaturesResponse
			var ours, ourBytes, theirs, theirBytes []time.Duration
			for b.Loop() {
				ours = append(ours, timed(b, func() error { _, err := own.GetOnlineFeatures(b.Context(), ownRequest); return err }))
				theirs = append(theirs, timed(b, func() (err error) { answer, err = inFeasts.GetOnlineFeatures(b.Context(), request); return err }))
				ourBytes = append(ourBytes, timed(b, func() error {
					return invokeRaw(b.Context(), conn, fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName, ownBytes)
				}))
				theirBytes = append(theirBytes, timed(b, func() error {
					return invokeRaw(b.Context(), conn, feastpb.ServingService_GetOnlineFeatures_FullMethodName, bytes)
				}))
			}
			if len(answer.GetResults()) != 51 || len(answer.GetResults()[50].GetValues()) != keys {
				b.Fatalf("%d vectors", len(answer.GetResults()))
			}
			b.ReportMetric(float64(median(theirs).Microseconds()), "p50_µs")
			b.ReportMetric(float64(median(ours).Microseconds()), "own_µs")
			b.ReportMetric(float64(median(theirs))/float64(median(ours)), "x_of_own")
			b.ReportMetric(float64(median(theirBytes).Microseconds()), "bytes_µs")
			b.ReportMetric(float64(median(theirBytes))/float64(median(ourBytes)), "x_of_own_bytes")
			b.ReportMetric(float64(proto.Size(answer)), "answer_B")
			b.ReportMetric(0, "ns/op")
		})
	}
}
