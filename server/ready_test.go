package server_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// A server whose store is away when it begins answers UNAVAILABLE, is not ready, and is both right by itself once the
// store is there; what happens to the store later takes it out of service no more.
func TestAServerWaitsForItsStore(t *testing.T) {
	var away atomic.Pointer[error]
	fail := func(err error) { away.Store(&err) }
	w := newWorld(t, func(o *server.Options) { o.Poll = time.Millisecond })
	w.backend.Checks = func(context.Context) error { return *away.Load() }
	w.backend.Hook(func(context.Context) error { return *away.Load() })
	fail(nil)
	v := orders(1)
	w.book.Set(page{Services: map[string]*fstore.FeatureList{"churn": serviceOf("churn", 1, v)}})
	publish(t, w.store, v, now, row{int64(1), now, int64(3), 10.5})
	fail(fstore.Errorf(fstore.ErrUnavailable, "redis at secret: connection refused"))
	w.begin(t)
	w.refresh()

	health := healthpb.NewHealthClient(w.conn)
	state := func() healthpb.HealthCheckResponse_ServingStatus {
		r, err := health.Check(context.Background(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	ask := func() error {
		_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
		return err
	}
	servertest.WantStatus(t, ask(), codes.Unavailable, "the online store cannot answer now")
	if status, body := w.call(t, "GET", "/readyz", ""); status != 503 || !strings.Contains(string(body), "the online store has not been reached yet") {
		t.Errorf("readyz: %d %s", status, body)
	}
	if got := state(); got != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v", got)
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(w.log.String(), "the online store cannot be used"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the log does not tell of a store that is away")
		}
	}
	fail(nil)
	<-w.Usable()
	for end := time.Now().Add(time.Minute); state() != healthpb.HealthCheckResponse_SERVING; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("health does not become SERVING")
		}
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	fail(fstore.Errorf(fstore.ErrUnavailable, "away again"))
	servertest.WantStatus(t, ask(), codes.Unavailable, "")
	if status, body := w.call(t, "GET", "/readyz", ""); status != 200 || state() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("readyz: %d %s, health %v", status, body, state())
	}
	log := w.log.String()
	for _, says := range []string{"the online store cannot be used; requests are refused until it can", "the online store can be used now"} {
		if strings.Count(log, says) != 1 {
			t.Errorf("the log does not say once %q:\n%s", says, log)
		}
	}
}

// A panic while the store is looked at is one more reason why it cannot be used.
func TestAPanicOfTheStoresCheckEndsNothing(t *testing.T) {
	var calm atomic.Bool
	w := newWorld(t, func(o *server.Options) { o.Poll = time.Millisecond })
	w.backend.Checks = func(context.Context) error {
		if !calm.Load() {
			panic("in the driver")
		}
		return nil
	}
	w.book.Set(page{})
	w.begin(t)
	w.refresh()
	for end := time.Now().Add(time.Minute); !strings.Contains(w.log.String(), "in the driver"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the panic is not in the log")
		}
	}
	calm.Store(true)
	<-w.Usable()
}
