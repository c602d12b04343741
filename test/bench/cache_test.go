package bench

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online/redis/redistest"
)

const cacheKeys = 200_000 // more than the cache of BenchmarkCache holds

// turns is how often each server has its turn.
const turns = 5

// BenchmarkCache puts two servers under the same load, one without and one with a cache of 64 MB, in turn, each a process of
// its own: 64 clients ask for one key of 50 features each and ask again once they have their answer. Once no key is asked
// for twice, so the cache never helps, and once the keys are drawn from a Zipf distribution, as where few keys are hot. It
// reports answers a second, the server's processor time for each answer, their ratios, and the share of hits.
// BenchmarkCacheHit of package grpcapi measures one answer within the server.
func BenchmarkCache(b *testing.B) {
	r := newRepo(b, redistest.StartTCP(b))
	r.write("fstore.yaml", "project: bench\n")
	r.write("wide.yaml", wideYAML([]string{"wide"}, 50))
	r.copy("rows.parquet", wideRows(cacheKeys, 50))
	r.run("apply", "--yes")
	r.run("materialize")
	off := newCached(b, r, "0")
	on := newCached(b, r, "64MB")
	for _, c := range []struct {
		name string
		draw draw
	}{{"different", different()}, {"zipf", zipf}} {
		b.Run("keys="+c.name, func(b *testing.B) {
			off.draw, on.draw = c.draw, c.draw
			for b.Loop() {
				var without, with served
				for range turns {
					without.add(off.measure(b))
					with.add(on.measure(b))
				}
				b.ReportMetric(without.rate(), "off/s")
				b.ReportMetric(with.rate(), "on/s")
				b.ReportMetric(with.rate()/without.rate(), "x_rate")
				b.ReportMetric(without.cpu(), "off_cpu_µs")
				b.ReportMetric(with.cpu(), "on_cpu_µs")
				b.ReportMetric(with.cpu()/without.cpu(), "x_cpu")
				b.ReportMetric(with.hits/with.answers, "hits")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// zipf draws few of the keys often: the first tenth of a percent gets about six of ten requests.
func zipf(r *rand.Rand) func() int64 {
	z := rand.NewZipf(r, 1.1, 1, cacheKeys-1)
	return func() int64 { return int64(z.Uint64()) }
}

// different draws keys that none of the clients has asked for, until all were.
func different() draw {
	var next atomic.Int64
	return func(*rand.Rand) func() int64 {
		return func() int64 { return next.Add(1) % cacheKeys }
	}
}

// cached is the load of a server with or without a cache.
type cached struct {
	*load
	metrics string // the server's address of metrics
}

func newCached(b *testing.B, r *repo, size string) *cached {
	set := *r
	set.env = append(set.env[:len(set.env):len(set.env)], "FSTORE_SERVE_CACHE="+size)
	l := newLoad(b, set.serve(), 1)
	l.lasts = loadTime / turns
	return &cached{l, set.metrics}
}

// served is what a server did under load.
type served struct{ answers, hits, seconds, cpuSeconds float64 }

func (s *served) add(o served) {
	s.answers += o.answers
	s.hits += o.hits
	s.seconds += o.seconds
	s.cpuSeconds += o.cpuSeconds
}

func (s *served) rate() float64 { return s.answers / s.seconds }

// cpu returns the µs of processor time for each answer.
func (s *served) cpu() float64 { return s.cpuSeconds * 1e6 / s.answers }

func (c *cached) measure(b *testing.B) served {
	cpu, hits := c.counts(b)
	began := time.Now()
	answers := c.closed(b, len(c.clients)).Answered
	took := time.Since(began)
	cpuAfter, hitsAfter := c.counts(b)
	return served{float64(answers), hitsAfter - hits, took.Seconds(), cpuAfter - cpu}
}

func (c *cached) counts(b *testing.B) (cpuSeconds, hits float64) {
	samples := scrape(b, c.metrics)
	return samples["process_cpu_seconds_total"], samples["fstore_cache_hits_total"]
}
