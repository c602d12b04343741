package server_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server/feast"
	"github.com/fstore-dev/fstore/server/servertest"
)

// A service's bound reaches callers over gRPC and HTTP: as a mark on each stale view, or as a refusal that says what to run.
func TestStaleAnswersAreFlaggedOrRefused(t *testing.T) {
	w := newWorld(t, nil)
	v := orders(1)
	flag, refuse := servertest.ServiceOf("flag", 1, v), servertest.ServiceOf("refuse", 1, v)
	flag.MaxStaleness = &fstore.MaxStaleness{Age: fstore.Duration(time.Minute), Beyond: fstore.BeyondFlag}
	refuse.MaxStaleness = &fstore.MaxStaleness{Age: fstore.Duration(time.Minute), Beyond: fstore.BeyondRefuse}
	w.book.Set(page{
		Views:    map[string]*fstore.ViewVersion{"orders": v},
		Services: map[string]*fstore.FeatureList{"flag": flag, "refuse": refuse, "free": servertest.ServiceOf("free", 1, v)},
	})
	publish(t, w.store, v, now.Add(-time.Hour))
	w.start(t)

	answer, err := w.client.GetOnlineFeatures(context.Background(), byService("flag", int64s("customer_id", 1)))
	if err != nil || !answer.GetViews()[0].GetStale() {
		t.Errorf("got %v, %v", answer, err)
	}
	if _, body := w.post(t, `{"service":"flag","entities":{"customer_id":[1]}}`); !strings.Contains(string(body), `"stale":true`) {
		t.Errorf("over HTTP: %s", body)
	}
	_, err = w.client.GetOnlineFeatures(context.Background(), byService("refuse", int64s("customer_id", 1)))
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "orders@1 is stale") {
		t.Errorf("got %v", err)
	}

	words := feastpb.NewServingServiceClient(w.conn)
	for service, want := range map[string][]string{"flag": {"orders@1"}, "free": nil} {
		var header metadata.MD
		if _, err := words.GetOnlineFeatures(context.Background(), feastRequest(service, 2), grpc.Header(&header)); err != nil || !slices.Equal(header.Get("fstore-stale"), want) {
			t.Errorf("%s, in Feast's words: %v, %v", service, header, err)
		}
		code, body, got := w.ask(t, "POST", feast.Path, `{"feature_service":"`+service+`","entities":{"customer_id":[1]}}`)
		if code != 200 || !slices.Equal(got.Values("fstore-stale"), want) {
			t.Errorf("%s, in Feast's words over HTTP: %d %s, %v", service, code, body, got)
		}
	}
	if _, err := words.GetOnlineFeatures(context.Background(), feastRequest("refuse", 2)); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("in Feast's words: %v", err)
	}
	if code, body, _ := w.ask(t, "POST", feast.Path, `{"feature_service":"refuse","entities":{"customer_id":[1]}}`); code != 409 {
		t.Errorf("in Feast's words over HTTP: %d %s", code, body)
	}
}
