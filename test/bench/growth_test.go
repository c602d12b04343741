package bench

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
)

// BenchmarkGrowth measures how the p50 of GetOnlineFeatures over loopback and a real Redis grows with each of what a
// request may have more of, the rest being one key, 50 features and one view.
func BenchmarkGrowth(b *testing.B) {
	for _, keys := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) { measureGrowth(b, keys, wideView("v0", 50)) })
	}
	for _, features := range []int{1, 10, 50, 250} {
		b.Run(fmt.Sprintf("features=%d", features), func(b *testing.B) { measureGrowth(b, 1, wideView("v0", features)) })
	}
	for _, n := range []int{1, 5, 20} {
		b.Run(fmt.Sprintf("views=%d", n), func(b *testing.B) {
			var views []*fstore.ViewVersion
			for i := range n {
				views = append(views, wideView(fmt.Sprintf("v%d", i), 50/n))
			}
			measureGrowth(b, 1, views...)
		})
	}
}

func measureGrowth(b *testing.B, keys int, views ...*fstore.ViewVersion) {
	store := openRedis(b, redistest.StartTCP(b))
	for _, v := range views {
		fill(b, store, v, rowsOf(v, 0, max(keys, 100)))
	}
	srv := server.New(server.Options{Catalog: &catalog{listOf(views...), views}, Store: store})
	conn := serve(b, func(ctx context.Context, l net.Listener) error { return srv.Serve(ctx, overGRPC(b, srv, l)) })
	client, req := fstorev1.NewFeatureStoreClient(conn), ask(keys)
	firstAnswer(b, client, req)
	var took []time.Duration
	for b.Loop() {
		took = append(took, timed(b, func() error { _, err := client.GetOnlineFeatures(b.Context(), req); return err }))
	}
	b.ReportMetric(float64(median(took).Microseconds()), "p50_µs")
	b.ReportMetric(0, "ns/op")
}

// ask is a request for the service "bench" and that many keys.
func ask(keys int) *fstorev1.GetOnlineFeaturesRequest {
	ids := make([]int64, keys)
	for i := range ids {
		ids[i] = int64(i)
	}
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "bench"},
		Entities:  []*fstorev1.Column{{Name: "customer_id", Int64Values: ids}},
	}
}

func timed(b *testing.B, do func() error) time.Duration {
	b.Helper()
	began := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkRegisteredViews measures the p50 of the same request to fstore serve, a process of its own, as the registry
// holds more and more views that it does not ask for: there must be no growth. It also reports what apply took.
func BenchmarkRegisteredViews(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("registered=%d", n), func(b *testing.B) {
			r := newRepo(b, redistest.StartTCP(b))
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("view%d", i)
			}
			r.write("fstore.yaml", "project: bench\n")
			r.write("wide.yaml", wideYAML(names, 50))
			r.copy("rows.parquet", wideRows(1000, 50))
			applied := r.run("apply", "--yes")
			r.run("materialize", names[0])
			client, req := fstorev1.NewFeatureStoreClient(dial(b, r.serve())), ask(1)
			firstAnswer(b, client, req)
			var took []time.Duration
			for b.Loop() {
				took = append(took, timed(b, func() error { _, err := client.GetOnlineFeatures(b.Context(), req); return err }))
			}
			b.ReportMetric(float64(median(took).Microseconds()), "p50_µs")
			b.ReportMetric(applied.took.Seconds(), "apply_s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
