package server_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// Two bytes of a request are an empty key column, which takes hundreds of bytes once it is decoded. So columns are bounded.
func TestRequestsOfManyColumnsAreRefused(t *testing.T) {
	w := shop(t, nil)
	columns := func(n int) *fstorev1.GetOnlineFeaturesRequest {
		return byService("churn", slices.Repeat([]*fstorev1.Column{{}}, n)...)
	}
	_, err := w.client.GetOnlineFeatures(context.Background(), columns(server.MaxColumns+20))
	servertest.WantStatus(t, err, codes.ResourceExhausted, "the request has more than 1000 key columns")
	_, err = w.client.GetOnlineFeatures(context.Background(), columns(server.MaxColumns))
	servertest.WantStatus(t, err, codes.InvalidArgument, "it has no values set")
}

// What callers do, the budget is whole once they are gone.
func TestBudgetsAreGivenBack(t *testing.T) {
	w := shop(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(3000))*time.Microsecond)
		req := byService([]string{"churn", "both", "nope", "panics", "early"}[random.IntN(5)], int64s("customer_id", make([]int64, random.IntN(20_000))...))
		if random.IntN(2) == 0 {
			_, _ = w.client.GetOnlineFeatures(ctx, req) // any answer will do
		} else {
			w.post(t, `{"service":"churn","entities":{"customer_id":[1,2,3`+strings.Repeat(",1", random.IntN(20_000))+`]}}`)
		}
		cancel()
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		arriving, streams := w.Arriving().Used(), w.grpc.Streams()
		if arriving == 0 && streams == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("arriving %d, streams %d", arriving, streams)
		}
	}
	// gRPC loses an answer whose stream the client ended a moment ago: its loopy writer drops the frame and does not give
	// the buffer back. Such an answer stays in flight until its connection is closed, as lease says.
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if n := w.InFlight().Used(); n != 0 {
		t.Errorf("%d bytes are in flight after the connections are closed", n)
	}
	if n := w.grpc.Connections(); n != 0 {
		t.Errorf("%d connections are still known", n)
	}
}

// One request may take most of the budget, and then others are refused until it is answered.
func TestRequestsBeyondTheBudgetAreRefusedAtOnce(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.MaxInFlight = 600_000 })
	arrived, release := w.hold()
	large := byService("churn", int64s("customer_id", make([]int64, 5000)...))
	first := make(chan error, 1)
	go func() {
		_, err := w.client.GetOnlineFeatures(context.Background(), large)
		first <- err
	}()
	<-arrived
	_, err := w.client.GetOnlineFeatures(context.Background(), large)
	servertest.WantStatus(t, err, 8, "serve.max_in_flight")
	if code, said := w.post(t, `{"service":"churn","entities":{"customer_id":[1`+strings.Repeat(",1", 5000)+`]}}`); code != 429 || !containsText(said, "RESOURCE_EXHAUSTED") {
		t.Errorf("over HTTP: %d %s", code, said)
	}
	release()
	if err := <-first; err != nil {
		t.Error(err)
	}
	w.backend.Hook(nil)
	if _, err := w.client.GetOnlineFeatures(context.Background(), large); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
