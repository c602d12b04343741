package server_test

import (
	"context"
	"errors"
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
	"google.golang.org/grpc/mem"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

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
	servertest.WantStatus(t, err, codes.Internal, "a fault in the server; its log has details")
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
