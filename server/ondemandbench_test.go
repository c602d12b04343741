package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// mostAdded is what 50 on-demand features of up to three operators may add to a call, by rows.
var mostAdded = map[int]time.Duration{1: 40 * time.Microsecond, 100: 250 * time.Microsecond}

// BenchmarkOnDemand makes each call with and without 50 on-demand features beside the 50 features that they read, in turn. It
// reports the median of both, and what the features add as a share of what they may add.
func BenchmarkOnDemand(b *testing.B) {
	for rows, most := range mostAdded {
		b.Run(fmt.Sprintf("lookup/rows=%d", rows), func(b *testing.B) {
			s := online.New(memory.New(), "p")
			list := onlinetest.Arithmetic(b, s, 50, 1000)
			req := onlinetest.Keys(rows, 0, 1000)
			compare(b, most, list, func(l *fstore.FeatureList) func() error {
				p, err := s.Prepare(l)
				if err != nil {
					b.Fatal(err)
				}
				return func() error {
					a, err := p.Lookup(context.Background(), req)
					if err == nil {
						a.Release()
					}
					return err
				}
			})
		})
		b.Run(fmt.Sprintf("grpc/rows=%d", rows), func(b *testing.B) {
			w := newWorld(b, nil)
			list := onlinetest.Arithmetic(b, w.store, 50, 1000)
			w.book.Set(page{Services: map[string]*fstore.FeatureList{"without": without(list), "with": list}})
			w.start(b)
			stub := fstorev1.NewFeatureStoreClient(w.dialTCP(b))
			ids := make([]int64, rows)
			for i := range ids {
				ids[i] = int64(i)
			}
			compare(b, most, list, func(l *fstore.FeatureList) func() error {
				name := "with"
				if l.OnDemand == nil {
					name = "without"
				}
				req := byService(name, int64s("id", ids...))
				return func() error {
					_, err := stub.GetOnlineFeatures(context.Background(), req)
					return err
				}
			})
		})
	}
}

// without returns a list without its on-demand features.
func without(l *fstore.FeatureList) *fstore.FeatureList {
	plain := &fstore.FeatureList{Uses: l.Uses}
	for _, o := range l.Outputs {
		if f, ok := o.(fstore.FeatureOutput); ok {
			plain.Outputs = append(plain.Outputs, f)
		}
	}
	return plain
}

func compare(b *testing.B, most time.Duration, list *fstore.FeatureList, call func(*fstore.FeatureList) func() error) {
	plainly, fully := call(without(list)), call(list)
	var plain, full []time.Duration
	for b.Loop() {
		start := time.Now()
		err := plainly()
		middle := time.Now()
		if err == nil {
			err = fully()
		}
		if err != nil {
			b.Fatal(err)
		}
		plain, full = append(plain, middle.Sub(start)), append(full, time.Since(middle))
	}
	added := median(full) - median(plain)
	b.ReportMetric(float64(median(plain).Nanoseconds()), "ns/without-p50")
	b.ReportMetric(float64(median(full).Nanoseconds()), "ns/with-p50")
	b.ReportMetric(float64(added.Nanoseconds()), "ns/added-p50")
	b.ReportMetric(float64(added)/float64(most), "×limit")
}
