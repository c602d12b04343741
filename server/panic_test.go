package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/server/servertest"
	"google.golang.org/grpc/codes"
)

// Wherever a panic comes up, in a request's own goroutine or in another one, it ends the request at most.
func TestAPanicAnywhereEndsNothingElse(t *testing.T) {
	w := shop(t, nil)
	ask := func() error {
		_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	w.backend.Hook(func(context.Context) error { panic("secret of the store") })
	servertest.WantStatus(t, ask(), codes.Internal, "a fault in the server")
	if code, body := w.post(t, `{"service":"churn","entities":{"customer_id":[1]}}`); code != 500 || !strings.Contains(string(body), "INTERNAL") {
		t.Errorf("over HTTP: %d %s", code, body)
	}
	// The pointers are read in a goroutine of the metrics' registry.
	code, body := w.call(t, "GET", "/metrics", "")
	if code != 200 || !strings.Contains(string(body), "fstore_catalog_revision 1") {
		t.Errorf("metrics: %d %.500s", code, body)
	}
	w.backend.Hook(nil)
	if err := ask(); err != nil {
		t.Error(err)
	}
	if code, body = w.call(t, "GET", "/metrics", ""); code != 200 || !strings.Contains(string(body), "fstore_view_published_timestamp_seconds") {
		t.Errorf("metrics once all is well: %d %.500s", code, body)
	}
	if log := w.log.String(); !strings.Contains(log, "secret of the store") || !strings.Contains(log, "goroutine ") {
		t.Errorf("the log has no panic with a stack:\n%s", log)
	}
}
