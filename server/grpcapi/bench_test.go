package grpcapi

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/cache"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
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

// BenchmarkCacheHit measures the p50 of an answer of one key × 50 features within the server, from the request's bytes
// to the answer's: admission, decoding, look-up, encoding, metrics. One server has its records in the cache, the other reads
// Redis over TCP; they answer in turn, within one run. The goal is 30 µs with the cache. BenchmarkCache of package
// test/bench measures whole calls.
func BenchmarkCacheHit(b *testing.B) {
	url := redistest.StartTCP(b)
	with, without := newWithin(b, url, cache.New(64<<20)), newWithin(b, url, nil)
	with.answer(b) // reads the store
	var hit, read []time.Duration
	for b.Loop() {
		hit = append(hit, with.answer(b))
		read = append(read, without.answer(b))
	}
	b.ReportMetric(p50(hit), "hit_µs")
	b.ReportMetric(p50(read), "off_µs")
	b.ReportMetric(with.hits/float64(len(hit)), "hits")
	b.ReportMetric(0, "ns/op")
}

func p50(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Nanoseconds()) / 1e3
}

// within calls a server without a network.
type within struct {
	*API
	request []byte
	hits    float64
}

func newWithin(b *testing.B, url string, records *cache.Cache) *within {
	backend, err := redis.Open(url)
	if err != nil {
		b.Fatal(err)
	}
	store, v := online.New(backend, "bench"), wideView(0, 50)
	b.Cleanup(func() { store.Close() })
	store.Cache = records
	core := servertest.New(b, func(o *server.Options) { o.Store, o.Clock = store, time.Now })
	core.Book.Set(page{Services: map[string]*fstore.FeatureList{"wide": serviceOf("wide", 1, v)}})
	publish(b, store, v, now, wideRows(100, 50)...)
	api, err := New(core.Server)
	if err != nil {
		b.Fatal(err)
	}
	core.Poll(b.Context())
	w := &within{API: api}
	if w.request, err = proto.Marshal(byService("wide", int64s("customer_id", 7))); err != nil {
		b.Fatal(err)
	}
	observed := store.Observe
	store.Observe = func(s *online.Stats) {
		if s.Cached {
			w.hits++
		}
		observed(s)
	}
	return w
}

// answer returns how long the server takes from the headers and bytes of a request to the bytes of its answer.
func (w *within) answer(b *testing.B) time.Duration {
	began := time.Now()
	stream, end := context.WithCancel(b.Context())
	ctx, err := w.admit(stream, &tap.Info{FullMethodName: fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName})
	if err != nil {
		b.Fatal(err)
	}
	receive := func(into any) error { return codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(w.request)}, into) }
	answer, err := w.handleGet(nil, ctx, receive, nil)
	if err != nil {
		b.Fatal(err)
	}
	answer.(encoded).slice().Free()
	end()
	return time.Since(began)
}
