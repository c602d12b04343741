package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	reflectpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
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

func TestBadRequests(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.MaxRequestBytes = 100_000 })
	w.store.Limits = online.Limits{MaxRows: 5, MaxFeatures: 3, MaxAnswerBytes: 64}
	id := func(values ...int64) *fstorev1.Column { return int64s("customer_id", values...) }
	floats := &fstorev1.Column{Name: "customer_id", Float64Values: []float64{1}}
	short := id(1, 2)
	short.Validity = []byte{1, 1}
	for _, c := range []struct {
		name string
		req  *fstorev1.GetOnlineFeaturesRequest
		code codes.Code
		text string
	}{
		{"nothing selected", &fstorev1.GetOnlineFeaturesRequest{}, codes.InvalidArgument, "one of a service, a model and features"},
		{"no features", byRefs(nil), codes.InvalidArgument, "the list of features is empty"},
		{"unknown service", byService("nope"), codes.NotFound, `there is no service "nope" (run: fstore list)`},
		{"empty service", byService(""), codes.NotFound, `there is no service ""`},
		{"unknown view", byRefs([]string{"nope.x"}), codes.NotFound, "nope.x"},
		{"not published", byService("early", id(1)), codes.FailedPrecondition, "early@1: not published in the online store (run: fstore materialize early@1)"},
		{"missing column", byService("churn"), codes.InvalidArgument, "customer_id is missing"},
		{"unknown column", byService("churn", id(1), int64s("typo", 1)), codes.InvalidArgument, "unknown key column typo (the key columns are customer_id)"},
		{"column where there are no keys", byService("global", int64s("nope", 1)), codes.InvalidArgument, "these features have no keys"},
		{"column twice", byService("churn", id(1), id(1)), codes.InvalidArgument, "twice"},
		{"wrong type", byService("churn", floats), codes.InvalidArgument, "customer_id is float64, not int64"},
		{"column without values", byService("churn", &fstorev1.Column{Name: "customer_id"}), codes.InvalidArgument, `column "customer_id": it has no values set`},
		{"null column", byService("churn", nil), codes.InvalidArgument, `column "": it has no values set`},
		{"bad validity", byService("churn", short), codes.InvalidArgument, "its validity has 2 bytes, want 1 for 2 rows"},
		{"too many rows", byService("churn", id(1, 2, 3, 4, 5, 6)), codes.ResourceExhausted, "6 rows of keys; the limit is 5"},
		{"too many features", byRefs([]string{"orders.value", "orders.value=b", "orders.value=c", "orders.value=d"}, id(1)), codes.ResourceExhausted, "4 features; the limit is 3"},
		{"answer too large", byService("churn", id(1, 2, 3, 4, 5)), codes.ResourceExhausted, "the limit is 64"},
		{"request too large", byService("churn", id(make([]int64, 200_000)...)), codes.ResourceExhausted, "100000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.client.GetOnlineFeatures(context.Background(), c.req)
			servertest.WantStatus(t, err, c.code, c.text)
		})
	}
	if _, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", id(1))); err != nil {
		t.Errorf("a good request behind the bad ones: %v", err)
	}
}

func TestColumnsOfDifferentLengths(t *testing.T) {
	v := view("pairs", 1, []fstore.Field{{Name: "a", Type: fstore.Int64}, {Name: "b", Type: fstore.Int32}}, fstore.Feature{Name: "x", Type: fstore.Int64})
	w := newWorld(t, nil)
	w.book.Set(page{Services: map[string]*fstore.FeatureList{"pairs": serviceOf("pairs", 1, v)}})
	publish(t, w.store, v, now, row{int64(1), int32(23), now, int64(5)})
	w.start(t)
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("pairs", int64s("a", 1, 12), int64s("b", 23)))
	servertest.WantStatus(t, err, codes.InvalidArgument, "key column b has 1 rows, not 2")
	_, err = w.client.GetOnlineFeatures(context.Background(), byService("pairs", int64s("a", 1, 12), int64s("b", 23, 1<<40)))
	servertest.WantStatus(t, err, codes.InvalidArgument, "in row 2 does not fit int32")
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("pairs", int64s("b", 23, 3), int64s("a", 1, 12)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]byte{0, 2}, got.Features[0].Statuses); diff != "" {
		t.Error(diff)
	}
}

func TestBytesThatAreNoMessage(t *testing.T) {
	w := shop(t, nil)
	var out fstorev1.GetOnlineFeaturesResponse
	err := w.conn.Invoke(context.Background(), fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName, &out, &out, grpc.ForceCodecV2(garbage{}))
	servertest.WantStatus(t, err, codes.InvalidArgument, "the request is not a message of GetOnlineFeatures")
	err = w.conn.Invoke(context.Background(), "/fstore.v1.FeatureStore/Nope", &out, &out)
	servertest.WantStatus(t, err, codes.Unimplemented, "")
}

// garbage is a codec whose every message is bytes that are no protobuf.
type garbage struct{ encoding.CodecV2 }

func (garbage) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer("\xff\xff\xff\xff")}, nil
}
func (garbage) Name() string { return "proto" }

func TestGarbageOnBothPortsEndsOnlyItsConnection(t *testing.T) {
	w := newWorld(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, w.overGRPC(l), w.overHTTP(web)) }()
	for _, addr := range []net.Addr{l.Addr(), web.Addr()} {
		for _, text := range []string{
			"\x00\x01\x02\xff\xfe garbage, and more of it\r\n\r\n", "GET / HTTP/9.9\r\nHost: somewhere.example\r\n\r\n",
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\xff", 100),
		} {
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%q: the connection stays open", text)
			}
			conn.Close()
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPanicEndsOnlyItsRequest(t *testing.T) {
	w := shop(t, nil)
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("panics"))
	servertest.WantStatus(t, err, codes.Internal, "a fault in the server; its log says more")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the answer tells of the inside: %v", err)
	}
	if log := w.log.String(); !strings.Contains(log, "secret of the inside") || !strings.Contains(log, "servertest.go") {
		t.Errorf("the log has no panic with a stack:\n%s", log)
	}
	code, _ := w.post(t, `{"service":"panics"}`)
	if code != 500 {
		t.Errorf("over HTTP: got %d, want 500", code)
	}
	if _, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1))); err != nil {
		t.Errorf("the server does not go on: %v", err)
	}
}

func TestStoreThatHangsEndsAtTheDeadline(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.Timeout = 20 * time.Millisecond })
	w.backend.Hook(func(ctx context.Context) error {
		<-ctx.Done()
		return fstore.Errorf(fstore.ErrUnavailable, "redis at 10.0.0.7: %v", ctx.Err())
	})
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
	servertest.WantStatus(t, err, codes.DeadlineExceeded, "the deadline passed")
	code, body := w.post(t, `{"service":"churn","entities":{"customer_id":[1]}}`)
	if code != 504 || !containsText(body, "DEADLINE_EXCEEDED") {
		t.Errorf("over HTTP: got %d %s", code, body)
	}
}

func TestStoreThatIsAwayAndBack(t *testing.T) {
	w := shop(t, nil)
	w.backend.Hook(func(context.Context) error {
		return fstore.Errorf(fstore.ErrUnavailable, "redis at 10.0.0.7: connection refused")
	})
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
	servertest.WantStatus(t, err, codes.Unavailable, "the online store cannot answer now")
	if strings.Contains(err.Error(), "10.0.0.7") || !strings.Contains(w.log.String(), "10.0.0.7") {
		t.Errorf("the address belongs to the log and not to the answer: %v", err)
	}
	w.backend.Hook(nil)
	if _, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1))); err != nil {
		t.Error(err)
	}
}

func TestStoreThatIsSetUpWrongIsNotTheCallersFault(t *testing.T) {
	w := shop(t, nil)
	w.backend.Hook(func(context.Context) error {
		return fstore.Errorf(fstore.ErrInvalid, "redis at 10.0.0.7: NOAUTH Authentication required")
	})
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
	servertest.WantStatus(t, err, codes.Unavailable, "the online store cannot answer now")
	if code, body := w.post(t, `{"service":"churn","entities":{"customer_id":[1]}}`); code != 503 || containsText(body, "10.0.0.7") {
		t.Errorf("over HTTP: got %d %s", code, body)
	}
	if !strings.Contains(w.log.String(), "10.0.0.7") {
		t.Error("the log does not tell why")
	}
}

func TestHealthFollowsTheCatalogAndTheDrain(t *testing.T) {
	w := newWorld(t, nil).start(t)
	health := healthpb.NewHealthClient(w.conn)
	check := func(service string, want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := health.Check(context.Background(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || got.Status != want {
			t.Errorf("health of %q: got %v, %v, want %v", service, got.GetStatus(), err, want)
		}
	}
	check("", healthpb.HealthCheckResponse_NOT_SERVING)
	check("fstore.v1.FeatureStore", healthpb.HealthCheckResponse_NOT_SERVING)
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
	check("", healthpb.HealthCheckResponse_SERVING)
	check("fstore.v1.FeatureStore", healthpb.HealthCheckResponse_SERVING)
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

func TestReflectionNamesTheService(t *testing.T) {
	w := newWorld(t, nil).start(t)
	stream, err := reflectpb.NewServerReflectionClient(w.conn).ServerReflectionInfo(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "fstore.v1.FeatureStore.GetOnlineFeatures"}}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || len(got.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
