package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// BenchmarkOverload offers fstore serve more than it can answer: requests for 100 keys of 50 features begin at random
// instants over 64 connections, whether or not earlier ones are answered, and each has a deadline of a second. The server has one
// core; the generator and Redis share another. A request's time counts from when it was due. Goodput is answers within the
// deadline, a second. Saturation is the most that closed loops reach.
//
// The goals: at 1.5 times saturation at least 0.9 of the best goodput, at 3 times at least 0.6, and a p99 of the
// answered at most 5 times that at half load.
func BenchmarkOverload(b *testing.B) {
	if runtime.NumCPU() < 2 {
		b.Skip("the server needs a core of its own")
	}
	pin(b, os.Getpid(), 0)
	url := redistest.StartTCP(b) // stays there
	pin(b, os.Getpid(), 1)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := newRepo(b, url)
	r.write("fstore.yaml", "project: bench\n")
	r.write("wide.yaml", wideYAML([]string{"wide"}, 50))
	r.copy("rows.parquet", wideRows(10_000, 50))
	r.run("apply", "--yes")
	r.run("materialize")
	r.bin, r.before = "taskset", []string{"-c", "0", r.bin}
	o := newOverload(b, r.serve())
	saturation := o.saturation(b)
	b.Logf("saturation: %.0f requests/s", saturation)
	best, half := 0.0, time.Duration(0)
	for _, share := range []float64{0.5, 0.8, 1, 1.5, 3} {
		b.Run(fmt.Sprintf("of_saturation=%.1f", share), func(b *testing.B) {
			for b.Loop() {
				got := o.open(b, share*saturation)
				p99 := got.at(0.99)
				best = max(best, got.goodput())
				if share == 0.5 {
					half = p99
				}
				b.ReportMetric(got.goodput(), "goodput/s")
				b.ReportMetric(got.goodput()/best, "of_best")
				b.ReportMetric(float64(got.refused)/loadTime.Seconds(), "refused/s")
				b.ReportMetric(float64(got.late)/loadTime.Seconds(), "late/s")
				b.ReportMetric(float64(got.at(0.5).Microseconds()), "p50_µs")
				b.ReportMetric(float64(p99.Microseconds()), "p99_µs")
				b.ReportMetric(float64(p99)/float64(half), "p99_of_half")
				slices.Sort(got.lags)
				slices.Sort(got.refusals)
				b.ReportMetric(float64(got.lags[len(got.lags)*99/100].Microseconds()), "lag_p99_µs")
				if len(got.refusals) > 0 {
					b.ReportMetric(float64(got.refusals[len(got.refusals)*99/100].Microseconds()), "refusal_p99_µs")
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// pin keeps a process and all of its threads on one core.
func pin(b *testing.B, pid, core int) {
	b.Helper()
	if out, err := exec.Command("taskset", "-a", "-p", "-c", strconv.Itoa(core), strconv.Itoa(pid)).CombinedOutput(); err != nil {
		b.Skipf("pin process %d: %v %s", pid, err, out)
	}
}

// overload is connections to a server and the bytes of requests.
type overload struct {
	conns    []*grpc.ClientConn
	requests [][]byte
}

func newOverload(b *testing.B, address string) *overload {
	o := &overload{}
	r := rand.New(rand.NewPCG(1, 3))
	l := &load{keys: 100}
	for range 64 {
		conn := dial(b, address)
		firstAnswer(b, fstorev1.NewFeatureStoreClient(conn), ask(l.keys))
		o.conns = append(o.conns, conn)
	}
	for range 512 {
		in, err := proto.Marshal(l.request(r))
		if err != nil {
			b.Fatal(err)
		}
		o.requests = append(o.requests, in)
	}
	return o
}

func (o *overload) ask(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return invokeRaw(ctx, o.conns[n%len(o.conns)], fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName, o.requests[n%len(o.requests)])
}

// saturation returns how many requests a second 16 clients get answered that ask again once they have their answer.
func (o *overload) saturation(b *testing.B) float64 {
	until := time.Now().Add(loadTime)
	var answered atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for n := i; time.Now().Before(until); n += 16 {
				if o.ask(b.Context(), n) == nil {
					answered.Add(1)
				}
			}
		})
	}
	group.Wait()
	return float64(answered.Load()) / loadTime.Seconds()
}

// outcome is what became of the requests of an open loop.
type outcome struct {
	answered       []time.Duration // within the deadline, in order
	refused, late  int
	lags, refusals []time.Duration
}

func (o *outcome) goodput() float64 { return float64(len(o.answered)) / loadTime.Seconds() }

func (o *outcome) at(q float64) time.Duration {
	if len(o.answered) == 0 {
		return 0
	}
	return o.answered[int(q*float64(len(o.answered)-1))]
}

// open begins requests at a rate per second, the gaps between them drawn from an exponential distribution.
func (o *overload) open(b *testing.B, rate float64) *outcome {
	r := rand.New(rand.NewPCG(1, 2))
	var group sync.WaitGroup
	var mu sync.Mutex // guards got and failed
	var got outcome
	var failed error
	began := time.Now()
	for n, due := 0, began; due.Sub(began) < loadTime; n++ {
		due = due.Add(time.Duration(r.ExpFloat64() / rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		group.Go(func() {
			lag := time.Since(due)
			err := o.ask(b.Context(), n)
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			got.lags = append(got.lags, lag)
			if status.Code(err) == codes.ResourceExhausted {
				got.refusals = append(got.refusals, took-lag)
			}
			switch code := status.Code(err); {
			case code == codes.OK && took <= time.Second:
				got.answered = append(got.answered, took)
			case code == codes.ResourceExhausted && !strings.Contains(err.Error(), "received message"):
				got.refused++
			case code == codes.OK, code == codes.DeadlineExceeded:
				got.late++
			default:
				failed = err
			}
		})
	}
	group.Wait()
	if failed != nil {
		b.Fatal(failed)
	}
	slices.Sort(got.answered)
	return &got
}
