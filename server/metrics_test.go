package server_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/cache"
	"github.com/fstore-dev/fstore/server"
)

func TestMetricsShowWhatWasDone(t *testing.T) {
	w := shop(t, nil)
	for range 3 {
		if _, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1, 2, 3, 4, 1))); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = w.client.GetOnlineFeatures(context.Background(), byService("nope"))
	_, _ = w.post(t, `{"service":`)
	_, _ = w.post(t, `{"service":"early","entities":{"customer_id":[1]}}`)
	code, body := w.call(t, "GET", "/metrics", "")
	if code != 200 {
		t.Fatalf("got %d %s", code, body)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(body)) {
		lines[strings.TrimSpace(line)] = true
	}
	for _, want := range []string{
		`fstore_requests_total{code="OK",method="GetOnlineFeatures",transport="grpc"} 3`,
		`fstore_requests_total{code="NOT_FOUND",method="GetOnlineFeatures",transport="grpc"} 1`,
		`fstore_requests_total{code="INVALID_ARGUMENT",method="GetOnlineFeatures",transport="http"} 1`,
		`fstore_requests_total{code="FAILED_PRECONDITION",method="GetOnlineFeatures",transport="http"} 1`,
		`fstore_request_duration_seconds_bucket{code="OK",method="GetOnlineFeatures",transport="grpc",le="5e-05"} 3`,
		`fstore_request_duration_seconds_count{code="OK",method="GetOnlineFeatures",transport="grpc"} 3`,
		`fstore_store_round_trips_total 5`, // the first look-up of a view reads its pointer first
		`fstore_store_duration_seconds_count 4`,
		`fstore_keys_requested_total 16`,
		`fstore_records_fetched_total 12`,
		`fstore_feature_values_total{status="PRESENT",version="1",view="orders"} 12`,
		`fstore_feature_values_total{status="NULL_VALUE",version="1",view="orders"} 6`,
		`fstore_feature_values_total{status="NOT_FOUND",version="1",view="orders"} 6`,
		`fstore_feature_values_total{status="OUTSIDE_MAX_AGE",version="1",view="orders"} 6`,
		`fstore_lookups_total{code="OK",model="",model_version="",service="churn"} 3`,
		`fstore_lookups_total{code="FAILED_PRECONDITION",model="",model_version="",service="early"} 1`,
		`fstore_view_published_timestamp_seconds{version="1",view="orders"} ` + unix(now.Add(-10*time.Minute)),
		`fstore_view_published_timestamp_seconds{version="1",view="today"} ` + unix(now.Add(-time.Minute)),
		`fstore_view_published{version="1",view="orders"} 1`,
		`fstore_catalog_revision 1`,
		`fstore_catalog_checked_timestamp_seconds ` + unix(now),
	} {
		if !lines[want] {
			t.Errorf("there is no line %s", want)
		}
	}
	if text := string(body); !strings.Contains(text, `fstore_build_info{goversion="go`) || !strings.Contains(text, `version="v1.2.3"} 1`) {
		t.Error("there is no build info")
	}
	if t.Failed() {
		for line := range strings.Lines(string(body)) {
			if strings.HasPrefix(line, "fstore_") && !strings.Contains(line, "_bucket") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// unix writes an instant as metrics do.
func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'g', -1, 64) }

// A view with a schedule says when it is due. The greatest event time is the data's.
func TestAScheduledViewSaysWhenItIsDue(t *testing.T) {
	w := newWorld(t, nil)
	v := orders(1)
	v.View.Publish = &fstore.Publish{Every: fstore.Duration(time.Hour), Delay: fstore.Duration(time.Minute)}
	w.book.Set(page{Views: map[string]*fstore.ViewVersion{"orders": v}})
	at := v.View.Publish.Latest(now)
	publish(t, w.store, v, at)
	was, _, err := w.store.Pointer(t.Context(), v.Ref)
	if err != nil {
		t.Fatal(err)
	}
	is := was
	is.MaxEvent = at.Add(-time.Second)
	h, _, err := w.store.Header(t.Context(), v.Ref, was.Generation)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := w.store.Fence(t.Context(), v.Ref, was.Generation)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Publish(t.Context(), h, h, f, &was, is); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	_, body := w.call(t, "GET", "/metrics", "")
	for _, want := range []string{
		`fstore_view_due_timestamp_seconds{version="1",view="orders"} ` + unix(at.Add(time.Hour+time.Minute)),
		`fstore_view_max_event_timestamp_seconds{version="1",view="orders"} ` + unix(at.Add(-time.Second)),
	} {
		if !containsText(body, want) {
			t.Errorf("there is no %s in\n%s", want, body)
		}
	}
}

func TestPublishedInstantsOutliveTheStore(t *testing.T) {
	w := shop(t, nil)
	_, _ = w.call(t, "GET", "/metrics", "")
	w.backend.Hook(func(ctx context.Context) error {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > 5*time.Second {
			t.Errorf("the scrape waits until %s for the store", end)
			return nil
		}
		<-ctx.Done() // a store that hangs
		return fstore.Errorf(fstore.ErrUnavailable, "gone")
	})
	_, body := w.call(t, "GET", "/metrics", "")
	if !containsText(body, `fstore_view_published_timestamp_seconds{version="1",view="orders"} `+unix(now.Add(-10*time.Minute))) {
		t.Error("the published instant is gone with the store")
	}
}

func TestViewThatIsNotPublishedHasNoInstant(t *testing.T) {
	w := newWorld(t, nil)
	w.book.Set(page{Views: map[string]*fstore.ViewVersion{"orders": orders(3)}})
	w.start(t)
	_, body := w.call(t, "GET", "/metrics", "")
	if !containsText(body, `fstore_view_published{version="3",view="orders"} 0`) || containsText(body, "fstore_view_published_timestamp_seconds{") {
		t.Errorf("got %s", body)
	}
}

func TestViewThatAnotherDefinitionIsPublishedOfHasNoInstant(t *testing.T) {
	w := newWorld(t, nil)
	w.book.Set(page{Views: map[string]*fstore.ViewVersion{"orders": orders(1)}})
	other := orders(1)
	other.Fingerprint = "another registry's"
	publish(t, w.store, other, now)
	w.start(t)
	_, body := w.call(t, "GET", "/metrics", "")
	if !containsText(body, `fstore_view_published{version="1",view="orders"} 0`) || containsText(body, "fstore_view_published_timestamp_seconds{") {
		t.Errorf("got %s", body)
	}
}

// A store that shows an earlier publication than before is counted and logged, once.
func TestAStoreThatWentBackIsCounted(t *testing.T) {
	w := shop(t, nil)
	ask := func() {
		t.Helper()
		if _, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1))); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	w.store.WentBack(fstore.ViewRef{Name: "orders", Version: 1}, fstore.Pointer{Number: 7, Published: now}, fstore.Pointer{Number: 5, Published: now.Add(-time.Hour)})
	ask()
	_, body := w.call(t, "GET", "/metrics", "")
	if !strings.Contains(string(body), "\nfstore_store_went_back_total 1\n") {
		t.Error("it is not counted")
	}
	if text := w.log.String(); strings.Count(text, "went back in time") != 1 || !strings.Contains(text, "orders@1") || !strings.Contains(text, "was_publication=7") {
		t.Errorf("the log: %s", text)
	}
}

// With a cache, its metrics tell how many look-ups it answered. Those of the store do not count these.
func TestTheCacheIsCounted(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.Store.Cache = cache.New(1 << 20) })
	for _, key := range []int64{1, 1, 2, 1, 2} {
		if _, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", key))); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = w.client.GetOnlineFeatures(context.Background(), byService("churn"))
	_, body := w.call(t, "GET", "/metrics", "")
	for _, want := range []string{
		"\nfstore_cache_hits_total 3\n", "\nfstore_cache_misses_total 2\n", "\nfstore_store_round_trips_total 3\n", "\nfstore_keys_requested_total 5\n", "\nfstore_records_fetched_total 2\n",
		fmt.Sprintf("\nfstore_cache_bytes %d\n", w.store.Cache.Bytes()),
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("there is no line %s", want)
		}
	}
	_, body = shop(t, nil).call(t, "GET", "/metrics", "")
	if strings.Contains(string(body), "fstore_cache_") {
		t.Error("there are metrics of a cache that there is not")
	}
}
