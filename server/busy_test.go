package server_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/admission"
	"github.com/fstore-dev/fstore/server/servertest"
)

// A caller that sends more than it may is told when to try again, over gRPC and HTTP. Health is never refused.
func TestARefusedCallerIsToldWhenToTryAgain(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.Admission.Rate, o.Admission.Burst = 0.25, 1 })
	req := byService("churn", int64s("customer_id", 1))
	if _, err := w.client.GetOnlineFeatures(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.GetOnlineFeatures(t.Context(), req)
	servertest.WantStatus(t, err, codes.ResourceExhausted, "the caller sends more than 0.25 requests per second")
	details := status.Convert(err).Details()
	if len(details) != 1 {
		t.Fatalf("details: %v", details)
	}
	if info, ok := details[0].(*errdetails.RetryInfo); !ok || info.RetryDelay.AsDuration() != 4*time.Second {
		t.Errorf("got %v, want a RetryInfo of 4 s", details[0])
	}
	health := healthpb.NewHealthClient(w.conn)
	for range 5 {
		if _, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Errorf("health: %v", err)
		}
	}

	for i, want := range []int{http.StatusOK, http.StatusTooManyRequests} { // another address than gRPC's pipe
		resp, err := http.Post(w.web+"/v1/online-features", "application/json", strings.NewReader(`{"service":"churn","entities":{"customer_id":[1]}}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		after := resp.Header.Get("Retry-After")
		if resp.StatusCode != want || (want == http.StatusTooManyRequests) != (after == "4" && strings.Contains(body.String(), "RESOURCE_EXHAUSTED")) {
			t.Errorf("call %d: status %d, Retry-After %q, body %s", i+1, resp.StatusCode, after, body.String())
		}
	}
}

// What callers do, no request holds a place of the limit once it is gone.
func TestPlacesAreGivenBack(t *testing.T) {
	w := shop(t, nil)
	w.backend.Hook(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	for i := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%10)*time.Millisecond)
		_, _ = w.client.GetOnlineFeatures(ctx, byService("churn", int64s("customer_id", 1))) // it ends with its deadline
		cancel()
	}
	w.backend.Hook(nil)
	for end := time.Now().Add(time.Minute); w.Admitted() != (admission.Stats{Limit: admission.Always}); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", w.Admitted())
		}
	}
}
