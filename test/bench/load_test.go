package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

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
						took := l.closed(b, clients)
						best = max(best, float64(len(took))/loadTime.Seconds())
						report(b, took)
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

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) }
	b.ReportMetric(float64(len(took))/loadTime.Seconds(), "requests/s")
	b.ReportMetric(at(0.5), "p50_µs")
	b.ReportMetric(at(0.99), "p99_µs")
	b.ReportMetric(at(0.999), "p99.9_µs")
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

func (l *load) closed(b *testing.B, clients int) []time.Duration {
	until := time.Now().Add(l.lasts)
	took, failed := make([][]time.Duration, clients), make([]error, clients)
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			next := l.draw(rand.New(rand.NewPCG(1, uint64(i))))
			for began := time.Now(); began.Before(until) && failed[i] == nil; began = time.Now() {
				_, failed[i] = l.clients[i].GetOnlineFeatures(b.Context(), l.request(next))
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	group.Wait()
	for _, err := range failed {
		if err != nil {
			b.Fatal(err)
		}
	}
	return slices.Concat(took...)
}

// open begins requests at a rate per second, the gaps between them drawn from an exponential distribution.
func (l *load) open(b *testing.B, rate float64) []time.Duration {
	ctx, cancel := context.WithTimeout(b.Context(), 2*loadTime)
	defer cancel()
	r := rand.New(rand.NewPCG(1, 2))
	next := l.draw(r)
	var group sync.WaitGroup
	var mu sync.Mutex // guards took and failed
	var took []time.Duration
	var failed error
	began := time.Now()
	for n, due := 0, began; due.Sub(began) < loadTime; n++ {
		due = due.Add(time.Duration(r.ExpFloat64() / rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		req := l.request(next)
		group.Go(func() {
			_, err := l.clients[n%len(l.clients)].GetOnlineFeatures(ctx, req)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			if err != nil {
				failed = err
			}
		})
	}
	group.Wait()
	if failed != nil {
		b.Fatal(failed)
	}
	return took
}
