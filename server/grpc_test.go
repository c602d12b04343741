package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server/servertest"
)

func message(t *testing.T, text string) *fstorev1.GetOnlineFeaturesResponse {
	t.Helper()
	var m fstorev1.GetOnlineFeaturesResponse
	if err := protojson.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

func TestGetOnlineFeatures(t *testing.T) {
	w := shop(t, nil)
	// Customer 1 is there, 2 has nulls, 3 is stale, 4 is not there; the last key is null.
	keys := int64s("customer_id", 1, 2, 3, 4, 1)
	keys.Validity = []byte{0b01111}
	req := byService("churn", keys)
	req.EventTimestamps = true
	got, err := w.client.GetOnlineFeatures(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	fresh, old := now.Add(-time.Hour).UnixMicro(), now.AddDate(0, 0, -31).UnixMicro()
	events := fmt.Sprintf(`["%d", "%d", "%d", "0", "0"], "eventValidity": "Bw=="`, fresh, fresh, old)
	want := message(t, fmt.Sprintf(`{"rows": 5, "features": [
		{"name": "value", "type": "float64", "float64Values": [10.5, 0, 0, 0, 0],
		 "validity": "AQ==", "statuses": "AAEDAgI=", "eventTimestamps": %s},
		{"name": "lines", "type": "int64", "int64Values": ["3", "0", "0", "0", "0"],
		 "statuses": "AAEDAgI=", "eventTimestamps": %s}],
		"views": [{"name": "orders", "version": 1, "generation": "0000060100000000", "publishedMicros": "%d"}],
		"service": {"name": "churn", "version": 2}}`, events, events, now.Add(-10*time.Minute).UnixMicro()))
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("answer differs (-want +got):\n%s", diff)
	}
}

func TestAllPresentHasNoBitmapAndNoStatuses(t *testing.T) {
	w := shop(t, nil)
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range got.Features {
		if f.Validity != nil || f.Statuses != nil || f.EventTimestamps != nil {
			t.Errorf("%s has validity %v, statuses %v, event times %v; want none", f.Name, f.Validity, f.Statuses, f.EventTimestamps)
		}
	}
}

func TestFeaturesByReferenceKeepTheRequestsOrderAndNames(t *testing.T) {
	w := shop(t, nil)
	got, err := w.client.GetOnlineFeatures(context.Background(), byRefs([]string{"today.holiday", "orders.lines=n", "orders.value"}, int64s("customer_id", 1)))
	if err != nil {
		t.Fatal(err)
	}
	var names, views []string
	for _, f := range got.Features {
		names = append(names, f.Name)
	}
	for _, v := range got.Views {
		views = append(views, v.Name)
	}
	if diff := cmp.Diff([]string{"holiday", "n", "value"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"today", "orders"}, views); diff != "" {
		t.Error(diff)
	}
	if got.Service != nil {
		t.Errorf("got service %v, want none", got.Service)
	}
}

func TestListWithoutKeysHasOneRow(t *testing.T) {
	w := shop(t, nil)
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("global"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != 1 || !got.Features[0].BoolValues[0] {
		t.Errorf("got %v", got)
	}
}

func TestNoRowsHaveAnEmptyAnswer(t *testing.T) {
	w := shop(t, nil)
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id")))
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != 0 || len(got.Features) != 2 || got.Features[0].Type != "float64" {
		t.Errorf("got %v", got)
	}
}

// TestEveryTypeIsServed takes two records, one of values and one of nulls, through both protocols.
func TestEveryTypeIsServed(t *testing.T) {
	values := map[fstore.Type]any{
		fstore.Bool: true, fstore.Int32: int32(-7), fstore.Int64: int64(1)<<53 + 1, fstore.Float32: float32(0.1),
		fstore.Float64: 1e300, fstore.String: "naïve <b>", fstore.Bytes: []byte{0, 255}, fstore.Timestamp: now,
		fstore.List(fstore.Bool): []bool{true, false}, fstore.List(fstore.Int32): []int32{1, -1}, fstore.List(fstore.Int64): []int64{},
		fstore.List(fstore.Float32): []float32{0.5}, fstore.List(fstore.Float64): []float64{1, 2, 3}, fstore.List(fstore.String): []string{"", "b"},
		fstore.List(fstore.Bytes): [][]byte{{1}}, fstore.List(fstore.Timestamp): []time.Time{now},
	}
	var features []fstore.Feature
	full, empty := row{"a", now}, row{"b", now}
	for i, typ := range columntest.Types() {
		features = append(features, fstore.Feature{Name: fmt.Sprintf("f%02d", i), Type: typ})
		full, empty = append(full, values[typ]), append(empty, nil)
	}
	v := view("types", 1, []fstore.Field{{Name: "k", Type: fstore.String}}, features...)
	w := newWorld(t, nil)
	w.book.Set(page{Services: map[string]*fstore.FeatureList{"types": serviceOf("types", 1, v)}})
	publish(t, w.store, v, now, full, empty)
	w.start(t)
	strings := &fstorev1.Column{Name: "k", StringValues: []string{"a", "b", "c"}}
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("types", strings))
	if err != nil {
		t.Fatal(err)
	}
	_, body := w.post(t, `{"service":"types","entities":{"k":["a","b","c"]}}`)
	for i, f := range got.Features {
		want := fstore.NewColumn(f.Name, features[i].Type, 3)
		want.Append(values[features[i].Type])
		want.AppendNull()
		want.AppendNull()
		c, err := fstorev1.ColumnOf(f)
		if err != nil {
			t.Fatal(err)
		}
		if f.Type != features[i].Type.String() || c.Type != features[i].Type {
			t.Errorf("%s: got type %s with values of %s, want %s", f.Name, f.Type, c.Type, features[i].Type)
		}
		if diff := cmp.Diff(columntest.Rows(&want), columntest.Rows(&c)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", f.Name, f.Type, diff)
		}
		if diff := cmp.Diff([]byte{0, 1, 2}, f.Statuses); diff != "" {
			t.Errorf("%s: statuses %s", f.Name, diff)
		}
		if json := string((&want).AppendValuesJSON(nil)); !containsText(body, `"type":"`+f.Type+`","values":`+json) {
			t.Errorf("%s: the JSON answer has no %s", f.Type, json)
		}
	}
}

func containsText(b []byte, s string) bool { return strings.Contains(string(b), s) }

func TestHealthFollowsTheCatalogAndTheDrain(t *testing.T) {
	w := newWorld(t, nil).start(t)
	health := healthpb.NewHealthClient(w.conn)
	check := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", "fstore.v1.FeatureStore", "feast.serving.ServingService"} {
			got, err := health.Check(context.Background(), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || got.Status != want {
				t.Errorf("health of %q: got %v, %v, want %v", service, got.GetStatus(), err, want)
			}
		}
	}
	check(healthpb.HealthCheckResponse_NOT_SERVING)
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn"))
	servertest.WantStatus(t, err, codes.Unavailable, "has not read the registry yet")
	watch, err := health.Watch(context.Background(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.Status != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Fatalf("watch: got %v, %v", got, err)
	}
	w.book.Set(page{})
	w.refresh()
	check(healthpb.HealthCheckResponse_SERVING)
	if got, err := watch.Recv(); err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("watch: got %v, %v", got, err)
	}
	// An open watch does not hold up the drain, and never says SERVING again.
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	for {
		got, err := watch.Recv()
		if err != nil {
			break
		}
		if got.Status != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("watch: got %v while draining", got.Status)
		}
	}
}

func TestReflectionNamesTheServices(t *testing.T) {
	w := newWorld(t, nil).start(t)
	stream, err := reflectpb.NewServerReflectionClient(w.conn).ServerReflectionInfo(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range []string{"fstore.v1.FeatureStore.GetOnlineFeatures", "feast.serving.ServingService.GetOnlineFeatures", "feast.types.Value"} {
		if err := stream.Send(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}}); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil || len(got.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
			t.Errorf("%s: got %v, %v", symbol, got, err)
		}
	}
}
