package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	generator "github.com/fstore-dev/fstore/internal/load"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// loadTime is how long each load lasts.
const loadTime = 5 * time.Second

// BenchmarkLoad puts fstore serve, a process of its own beside a real Redis, under load: closed loops of 1 to 64
// clients, each of which asks again once it has its answer; then open loops of 64 connections at a quarter, a half and three
// quarters of the rate that the closed loops reached, where requests begin at random instants whether or not earlier ones
// are answered, and a request's time counts from when it was due. The clients share the machine with the server.
func BenchmarkLoad(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			r := newRepo(b, redistest.StartTCP(b))
			r.write("fstore.yaml", "project: bench\n")
			r.write("wide.yaml", wideYAML([]string{"wide"}, 50))
			r.copy("rows.parquet", wideRows(10_000, 50))
			r.run("apply", "--yes")
			r.run("materialize")
			l := newLoad(b, r.serve(), keys)
			best := 0.0
			for _, clients := range []int{1, 4, 16, 64} {
				b.Run(fmt.Sprintf("closed/clients=%d", clients), func(b *testing.B) {
					for b.Loop() {
						r := l.closed(b, clients)
						best = max(best, r.PerSecond(r.InTime))
						report(b, r)
					}
				})
			}
			for _, share := range []float64{0.25, 0.5, 0.75} {
				b.Run(fmt.Sprintf("open/of_closed=%.2f", share), func(b *testing.B) {
					for b.Loop() {
						report(b, l.open(b, share*best))
					}
				})
			}
		})
	}
}

func report(b *testing.B, r *generator.Result) {
	b.ReportMetric(r.PerSecond(r.InTime), "requests/s")
	b.ReportMetric(float64(r.Latency.Quantile(0.5).Microseconds()), "p50_µs")
	b.ReportMetric(float64(r.Latency.Quantile(0.99).Microseconds()), "p99_µs")
	b.ReportMetric(float64(r.Latency.Quantile(0.999).Microseconds()), "p99.9_µs")
	if r.Due > 0 {
		b.ReportMetric(float64(r.Lag.Quantile(0.99).Microseconds()), "generator_p99_µs")
	}
	b.ReportMetric(0, "ns/op")
}

// load is a server and connections to it.
type load struct {
	clients []fstorev1.FeatureStoreClient
	keys    int
	draw    draw
	lasts   time.Duration
}

// draw returns what draws the keys that a client asks for.
type draw func(*rand.Rand) func() int64

// uniform draws any of 10,000 keys.
func uniform(r *rand.Rand) func() int64 { return func() int64 { return r.Int64N(10_000) } }

func newLoad(b *testing.B, address string, keys int) *load {
	l := &load{keys: keys, draw: uniform, lasts: loadTime}
	for range 64 {
		c := fstorev1.NewFeatureStoreClient(dial(b, address))
		firstAnswer(b, c, ask(keys)) // connects
		l.clients = append(l.clients, c)
	}
	return l
}

// request asks for the next keys that are drawn.
func (l *load) request(next func() int64) *fstorev1.GetOnlineFeaturesRequest {
	req := ask(l.keys)
	ids := req.Entities[0].Int64Values
	for i := range ids {
		ids[i] = next()
	}
	return req
}

// closed has clients ask again once they have their answer.
func (l *load) closed(b *testing.B, clients int) *generator.Result {
	return l.run(b, clients, generator.Plan{Concurrency: clients})
}

// open begins requests at a rate per second, the gaps between them drawn from an exponential distribution.
func (l *load) open(b *testing.B, rate float64) *generator.Result {
	return l.run(b, len(l.clients), generator.Plan{Rate: rate, Seed: 2, MaxInFlight: 100_000})
}

// run makes a load over some of the connections. A request that fails ends the benchmark.
func (l *load) run(b *testing.B, connections int, p generator.Plan) *generator.Result {
	var failed atomic.Pointer[error]
	p.Call = func(ctx context.Context, n int64, _ time.Time) generator.Outcome {
		next := l.draw(rand.New(rand.NewPCG(1, uint64(n))))
		if _, err := l.clients[int(n)%connections].GetOnlineFeatures(ctx, l.request(next)); err != nil {
			failed.Store(&err)
			return generator.Outcome{Failure: "failed"}
		}
		return generator.Outcome{}
	}
	p.Duration, p.Timeout, p.Clock = l.lasts, 2*loadTime, generator.Machine{Time: time.Now}
	p.Progress = func(time.Duration) {}
	r := generator.Run(b.Context(), p)
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return r
}
