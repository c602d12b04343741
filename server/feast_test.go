package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/admission"
	"github.com/fstore-dev/fstore/server/audit"
	"github.com/fstore-dev/fstore/server/feast"
)

// feastRequest asks in Feast's words for a service, or else for orders:value, of customers.
func feastRequest(service string, customers int) *feastpb.GetOnlineFeaturesRequest {
	keys := &feastpb.RepeatedValue{}
	for i := range customers {
		keys.Val = append(keys.Val, &feastpb.Value{Val: &feastpb.Value_Int64Val{Int64Val: int64(i)}})
	}
	r := &feastpb.GetOnlineFeaturesRequest{Entities: map[string]*feastpb.RepeatedValue{"customer_id": keys}}
	if service == "" {
		r.Kind = &feastpb.GetOnlineFeaturesRequest_Features{Features: &feastpb.FeatureList{Val: []string{"orders:value"}}}
	} else {
		r.Kind = &feastpb.GetOnlineFeaturesRequest_FeatureService{FeatureService: service}
	}
	return r
}

// TestFeastsClientsEnterByTheSameDoors asks with every kind of token, over both protocols. The audit log names each request.
func TestFeastsClientsEnterByTheSameDoors(t *testing.T) {
	var out bytes.Buffer
	lines := audit.New(&out, slog.New(slog.DiscardHandler))
	w, tokens := locked(t, func(o *server.Options) { o.Audit = lines }, "online:read@shop", "online:read@shop/service:churn", "offline:read@shop")
	client := feastpb.NewServingServiceClient(w.conn)
	for _, c := range []struct {
		name, token, service string
		code                 codes.Code
		http                 int
	}{
		{"no token", "", "churn", codes.Unauthenticated, 401},
		{"a token for all, a service", tokens[0], "churn", codes.OK, 200},
		{"a token for all, features", tokens[0], "", codes.OK, 200},
		{"a token for the service", tokens[1], "churn", codes.OK, 200},
		{"the service with its version", tokens[1], "churn@v2", codes.OK, 200},
		{"a token for another service", tokens[1], "both", codes.PermissionDenied, 403},
		{"a token for a service, features", tokens[1], "", codes.PermissionDenied, 403},
		{"a token for training sets", tokens[2], "churn", codes.PermissionDenied, 403},
	} {
		_, err := client.GetOnlineFeatures(withToken(c.token), feastRequest(c.service, 2))
		if status.Code(err) != c.code {
			t.Errorf("%s over gRPC: %v, want %v", c.name, err, c.code)
		}
		body := `{"feature_service":"` + c.service + `","entities":{"customer_id":[0,1]}}`
		if c.service == "" {
			body = `{"features":["orders:value"],"entities":{"customer_id":[0,1]}}`
		}
		var headers []string
		if c.token != "" {
			headers = []string{"Bearer " + c.token}
		}
		if code, text, _ := w.ask(t, "POST", feast.Path, body, headers...); code != c.http {
			t.Errorf("%s over HTTP: %d %s, want %d", c.name, code, text, c.http)
		}
	}
	if _, err := client.GetFeastServingInfo(withToken(""), &feastpb.GetFeastServingInfoRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("GetFeastServingInfo without a token: %v", err)
	}
	if info, err := client.GetFeastServingInfo(withToken(tokens[2]), &feastpb.GetFeastServingInfoRequest{}); err != nil || info.GetVersion() != "fstore v1.2.3" {
		t.Errorf("GetFeastServingInfo: %v, %v", info, err)
	}
	_ = w.stop()
	answered := map[string]int{}
	for _, l := range audited(t, &out, lines) {
		if l.Method == "FeastGetOnlineFeatures" && l.Code == "OK" && l.Rows == 2 {
			answered[l.Transport+" "+l.Service]++
		}
	}
	for _, over := range []string{"grpc", "http"} {
		if got := answered[over+" churn"]; got != 3 {
			t.Errorf("%d audited answers of churn over %s, want 3", got, over)
		}
	}
}

// TestFeastsRequestsAreBoundedAndCounted sends too much, too late and too often.
func TestFeastsRequestsAreBoundedAndCounted(t *testing.T) {
	w := shop(t, func(o *server.Options) {
		o.MaxRequestBytes, o.Timeout = 8<<10, 100*time.Millisecond
		o.Admission = admission.Options{Rate: 1e-3, Burst: 3}
	})
	client := feastpb.NewServingServiceClient(w.conn)
	want := func(err error, code codes.Code, text string) {
		t.Helper()
		if s := status.Convert(err); s.Code() != code || !strings.Contains(s.Message(), text) {
			t.Errorf("%v, want %v %q", err, code, text)
		}
	}
	_, err := client.GetOnlineFeatures(t.Context(), feastRequest("churn", 5000))
	want(err, codes.ResourceExhausted, "vs. 8192)")
	w.backend.Hook(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	_, err = client.GetOnlineFeatures(t.Context(), feastRequest("churn", 1))
	want(err, codes.DeadlineExceeded, "")
	w.backend.Hook(nil)
	if _, err := client.GetOnlineFeatures(t.Context(), feastRequest("churn", 1)); err != nil {
		t.Error(err)
	}
	_, err = client.GetOnlineFeatures(t.Context(), feastRequest("churn", 1))
	want(err, codes.ResourceExhausted, "")
	for i, want := range []int{200, 200, 200, 429} {
		if code, text, _ := w.ask(t, "POST", feast.Path, `{"feature_service":"churn","entities":{"customer_id":[1]}}`); code != want {
			t.Errorf("request %d over HTTP: %d %s, want %d", i+1, code, text, want)
		}
	}
	if used := w.InFlight().Used(); used != 0 {
		t.Errorf("%d bytes are held after all requests", used)
	}
	_, text, _ := w.ask(t, "GET", "/metrics", "")
	for _, line := range []string{
		`fstore_requests_total{code="OK",method="FeastGetOnlineFeatures",transport="grpc"} 1`,
		`fstore_requests_total{code="DEADLINE_EXCEEDED",method="FeastGetOnlineFeatures",transport="grpc"} 1`,
		`fstore_requests_total{code="RESOURCE_EXHAUSTED",method="FeastGetOnlineFeatures",transport="grpc"} 2`,
		`fstore_requests_total{code="OK",method="FeastGetOnlineFeatures",transport="http"} 3`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the metrics lack %s:\n%s", line, text)
		}
	}
}
