package system

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// A server that is told to end while it has more to do than it can answers every request, refuses it as busy, or sends its caller
// elsewhere. No request is lost, and the server ends in time.
func TestDrainUnderOverload(t *testing.T) {
	_, s := servedShop(t)
	firstAnswer(t, s)
	customers := make([]int64, 500)
	for i := range customers {
		customers[i] = 12000 + int64(i)
	}
	var answered atomic.Int64
	var group sync.WaitGroup
	over := make(chan struct{})
	for range 8 {
		conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := fstorev1.NewFeatureStoreClient(conn)
		for range 32 {
			group.Go(func() { askUntil(over, func() bool { return drainGRPC(t, client, customers, &answered) }) })
		}
	}
	web := newDrained(s.url("/v1/online-features"), &answered)
	defer web.client.CloseIdleConnections()
	for range 32 {
		group.Go(func() { askUntil(over, func() bool { return web.ask(t) }) })
	}
	for end := time.Now().Add(30 * time.Second); answered.Load() < 500 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	s.signal(syscall.SIGTERM)
	ended := s.wait()
	took := time.Since(start)
	close(over)
	group.Wait()
	if ended != 0 || took > 12*time.Second {
		t.Errorf("exit status %d after %s\n%s", ended, took, s.log)
	}
	if answered.Load() < 500 {
		t.Errorf("%d answers", answered.Load())
	}
	web.check(t)
}

// askUntil asks again and again until it is sent elsewhere, or until over.
func askUntil(over <-chan struct{}, ask func() bool) {
	for ask() {
		select {
		case <-over:
			return
		default:
		}
	}
}

// drainGRPC makes a call and reports whether the caller may ask again.
func drainGRPC(t *testing.T, client fstorev1.FeatureStoreClient, customers []int64, answered *atomic.Int64) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := client.GetOnlineFeatures(ctx, churnRequest(customers...))
	switch code := status.Code(err); code {
	case codes.OK:
		answered.Add(1)
		if int(answer.GetRows()) != len(customers) {
			t.Errorf("%d rows", answer.GetRows())
		}
		return true
	case codes.ResourceExhausted:
		return true
	case codes.Unavailable:
		return false
	default:
		t.Errorf("got %v", err)
		return false
	}
}
