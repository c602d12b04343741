package server_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

func TestTheBreakerIsAMetric(t *testing.T) {
	var open atomic.Bool
	w := shop(t, func(o *server.Options) { o.Refusing = open.Load })
	for _, value := range []string{"0", "1", "0"} {
		open.Store(value == "1")
		if _, body := w.call(t, "GET", "/metrics", ""); !strings.Contains(string(body), "\nfstore_store_breaker_open "+value+"\n") {
			t.Errorf("/metrics does not say %s", value)
		}
	}
	w = shop(t, nil)
	if _, body := w.call(t, "GET", "/metrics", ""); strings.Contains(string(body), "breaker") {
		t.Error("a server without a breaker has a metric of one")
	}
}

// A server whose clock is set back goes on as before: values are as fresh as they were, and errors are logged.
func TestTheServersClockIsSetBack(t *testing.T) {
	var back atomic.Int64 // nanoseconds
	w := shop(t, func(o *server.Options) {
		o.Clock = func() time.Time { return now.Add(-time.Duration(back.Load())) }
	})
	ask := func() error {
		a, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
		if err == nil && a.GetRows() != 1 {
			t.Errorf("got %v", a)
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	fails := func() {
		t.Helper()
		w.backend.Hook(func(context.Context) error { return fstore.Errorf(fstore.ErrUnavailable, "away") })
		servertest.WantStatus(t, ask(), codes.Unavailable, "")
		w.backend.Hook(nil)
	}
	fails()
	for _, by := range []time.Duration{time.Second, time.Hour, 1000 * 24 * time.Hour} {
		back.Store(int64(by))
		if err := ask(); err != nil {
			t.Errorf("set back by %s: %v", by, err)
		}
		before := strings.Count(w.log.String(), "a request failed")
		fails()
		if strings.Count(w.log.String(), "a request failed") == before {
			t.Errorf("set back by %s: errors are no longer logged", by)
		}
		if code, _ := w.call(t, "GET", "/metrics", ""); code != 200 {
			t.Errorf("set back by %s: metrics: %d", by, code)
		}
	}
}

// BenchmarkRefused measures what a call costs a server whose breaker is open: from the resolved request to the refusal.
func BenchmarkRefused(b *testing.B) {
	w := wide(b, 100, 50)
	w.backend.Hook(func(context.Context) error {
		return fstore.Errorf(fstore.ErrUnavailable, "the circuit breaker is open")
	})
	target, err := w.Resolve(context.Background(), "wide", nil)
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]int64, 100)
	for i := range keys {
		keys[i] = int64(i)
	}
	columns := []fstore.Column{{Name: "customer_id", Type: fstore.Int64, Len: len(keys), Int64s: keys}}
	ctx := metadata.NewIncomingContext(context.Background(), nil)
	method := server.Method{Transport: "grpc", Name: "GetOnlineFeatures"}
	b.ReportAllocs()
	for b.Loop() {
		call, early := w.Admit(ctx, method, server.Caller{})
		if early != nil {
			b.Fatal(early)
		}
		refusal := w.Run(ctx, method, call, func(ctx context.Context) error {
			hold := server.NewHold(w.InFlight())
			defer hold.Release()
			_, err := w.Lookup(ctx, target, columns, online.WithoutEventTimes, &hold)
			return err
		})
		if refusal == nil || refusal.Code != codes.Unavailable {
			b.Fatal(refusal)
		}
	}
}
