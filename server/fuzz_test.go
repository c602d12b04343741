package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// fuzzLimits are small, so that the limits on an answer do not hide what a request costs.
var fuzzLimits = online.Limits{MaxRows: 100, MaxFeatures: 20, MaxAnswerBytes: 64 << 10}

// fuzzWorld is a server with a service over every type of key, one of them as int32, and lists and numbers as features.
func fuzzWorld(f *testing.F) *world {
	keys := []fstore.Field{{Name: "i", Type: fstore.Int32}, {Name: "s", Type: fstore.String}, {Name: "t", Type: fstore.Timestamp}}
	v := view("v", 1, keys, fstore.Feature{Name: "x", Type: fstore.List(fstore.String)}, fstore.Feature{Name: "y", Type: fstore.Int64})
	u := view("u", 1, []fstore.Field{{Name: "b", Type: fstore.Bytes}, {Name: "o", Type: fstore.Bool}}, fstore.Feature{Name: "z", Type: fstore.Float64})
	w := newWorld(f, nil)
	w.store.Limits = fuzzLimits
	w.book.set(page{
		services: map[string]*fstore.FeatureList{"v": serviceOf("v", 1, v), "both": serviceOf("both", 1, v, u)},
		views:    map[string]*fstore.ViewVersion{"v": v, "u": u},
	})
	publish(f, w.store, v, now, row{int32(1), "a", now, now, []string{"p", "q"}, int64(2)})
	publish(f, w.store, u, now, row{[]byte("b"), true, now, 0.5})
	w.follower.poll(context.Background())
	return w
}

func strs(name string, values ...string) *fstorev1.Column {
	return &fstorev1.Column{Name: name, StringValues: values}
}

func times(name string, values ...int64) *fstorev1.Column {
	return &fstorev1.Column{Name: name, TimestampValues: values}
}

// fuzzRequests are requests that are right, and some that are nearly.
func fuzzRequests() []*fstorev1.GetOnlineFeaturesRequest {
	texts, at := strs("s", "a", ""), times("t", now.UnixMicro(), 0)
	texts.Validity = []byte{1}
	bytesOf := &fstorev1.Column{Name: "b", BytesValues: [][]byte{[]byte("b"), {}}}
	bools := &fstorev1.Column{Name: "o", BoolValues: []bool{true, false}}
	lists := &fstorev1.Column{Name: "i", Int64Values: []int64{1}, Offsets: []int32{0, 1, 1}}
	events := byService("both", int64s("i", 1, -1), texts, at, bytesOf, bools)
	events.EventTimestamps = true
	return []*fstorev1.GetOnlineFeaturesRequest{
		byService("v", int64s("i", 1, -1), texts, at), events, byRefs([]string{"v.x", "v.y=z", "u.z"}, int64s("i", 1<<40), texts, at, bytesOf, bools),
		byRefs([]string{"u.z"}, bools, bytesOf), byService("v", lists, texts, at), byService("v", int64s("i", 1), texts, at), byService("nope"), byRefs(nil),
		{},
		byService("v", int64s("i", make([]int64, 101)...), strs("s", make([]string, 101)...), times("t", make([]int64, 101)...)),
	}
}

// FuzzRequest holds that no bytes that arrive as a gRPC request make the server panic, find a fault in itself, or
// allocate more than a multiple of them; that what it answers is whole, has as many rows as the request, and is the
// same whatever way the request was written.
func FuzzRequest(f *testing.F) {
	w := fuzzWorld(f)
	for _, req := range fuzzRequests() {
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	wire := codec{encoding.GetCodecV2(grpcproto.Name)}
	call := func(ctx context.Context, b []byte) (*fstorev1.GetOnlineFeaturesResponse, error) {
		answer, err := w.handleGet(nil, ctx, func(into any) error {
			return wire.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, into)
		}, nil)
		if err != nil {
			return nil, err
		}
		sent, err := wire.Marshal(answer)
		if err != nil {
			return nil, err
		}
		defer sent.Free()
		var out fstorev1.GetOnlineFeaturesResponse
		return &out, proto.Unmarshal(sent.Materialize(), &out)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var answer *fstorev1.GetOnlineFeaturesResponse
		var err error
		// an empty string of a column takes two bytes of a message and 16 of a slice that grew
		alloctest.AtMost(t, 60*len(b)+8*fuzzLimits.MaxAnswerBytes, func() { answer, err = call(t.Context(), b) })
		var req fstorev1.GetOnlineFeaturesRequest
		if proto.Unmarshal(b, &req) != nil {
			if status.Code(err) != codes.InvalidArgument {
				t.Fatalf("it is no request, and the answer is %v", err)
			}
			return
		}
		if req.GetService() == "panics" {
			return
		}
		again, err2 := call(t.Context(), marshalled(t, &req))
		if status.Code(err) != status.Code(err2) {
			t.Fatalf("%v, written anew %v", err, err2)
		}
		if err != nil {
			switch status.Code(err) {
			case codes.InvalidArgument, codes.NotFound, codes.ResourceExhausted:
			default:
				t.Fatalf("%v\n%s", err, w.log)
			}
			return
		}
		if !proto.Equal(answer, again) {
			t.Fatalf("%v\nwritten anew %v", answer, again)
		}
		whole(t, &req, answer)
	})
}

func marshalled(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// whole fails the test where an answer is not one to the request, row for row.
func whole(t *testing.T, req *fstorev1.GetOnlineFeaturesRequest, answer *fstorev1.GetOnlineFeaturesResponse) {
	t.Helper()
	for _, e := range req.Entities {
		if c, err := fstorev1.ColumnOf(e); err != nil || c.Len != int(answer.Rows) {
			t.Fatalf("%d rows of key column %s (%v) had %d rows of answer", c.Len, e.Name, err, answer.Rows)
		}
	}
	if answer.Rows > uint32(fuzzLimits.MaxRows) || len(answer.Features) > fuzzLimits.MaxFeatures || len(answer.Features) == 0 || len(answer.Views) == 0 {
		t.Fatalf("%d rows, %d features, %d views", answer.Rows, len(answer.Features), len(answer.Views))
	}
	for _, feature := range answer.Features {
		c, err := fstorev1.ColumnOf(feature)
		if err != nil || c.Len != int(answer.Rows) || c.Type.String() != feature.Type {
			t.Fatalf("%s has %d rows of %d, of %s: %v", feature.Name, c.Len, answer.Rows, feature.Type, err)
		}
		for i := range c.Len {
			present := len(feature.Statuses) == 0 || feature.Statuses[i] == byte(online.Present)
			if present == c.IsNull(i) { // there are no defaults here
				t.Fatalf("%s, row %d: present is %v, null is %v", feature.Name, i+1, present, c.IsNull(i))
			}
		}
		if n := len(feature.GetEventTimestamps()); req.EventTimestamps && n != c.Len || !req.EventTimestamps && n != 0 {
			t.Fatalf("%s has %d event times for %d rows", feature.Name, n, c.Len)
		}
	}
}

// FuzzRequestJSON holds that no body makes the decoder panic or allocate more than a multiple of it; that it takes
// nothing but JSON objects without a name twice, with a service or features; and that what it takes it reads as
// encoding/json does, and again where it is written anew.
func FuzzRequestJSON(f *testing.F) {
	for _, s := range []string{
		`{"service":"churn","entities":{"customer_id":[17850,null,1e3]},"event_timestamps":true}`,
		`{"features":["a.b","c.*"],"entities":{"k":["x","\u0000"],"t":["2026-01-01"]}}`,
		`{"features":["a.b=c"],"entities":{"k":["AA==","",true,"2026-01-01T00:00:00.000001Z","NaN"]}}`,
		`{"model":{"name":"m","version":"1"}}`, `{"model":{"name":"m"}}`, `{"model":{"name":"m","version":"1","x":1}}`,
		`{"service":"s","entities":{"k":[[[[]]]]}}`, `{}`, `[`, `{"entities":{"k":{"a":1}}}`, `{"service":"s","entities":{"k":[1,]}}`,
		`{"service":"s","entities":{"k":[9223372036854775807,-9223372036854775808,9223372036854775808,1e400,1.0,-0]}}`,
		`{"service":"s","service":"t"}`, `{"service":"s"} {}`, `{"service":"s","entities":{}}`, `{"Service":"s"}`, `{"service":null,"features":["a.b"]}`,
		`{"service":"\ud800","entities":{"\ud800":["\ud800"]}}`, "\ufeff{}", `{"service":"s","entities":{"k":[` + strings.Repeat("1,", 1000) + `1]}}`,
		strings.Repeat(`{"entities":`, 50), strings.Repeat("[", 20000), `{"service":"s","entities":{"k":` + strings.Repeat("[", 20000),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var req *jsonRequest
		var err error
		alloctest.AtMost(t, 40*len(body), func() { req, err = decodeRequest(body) })
		if err != nil {
			if r := refuse(t.Context(), err); r.name != "INVALID_ARGUMENT" {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		var oracle struct {
			Service  *string                    `json:"service"`
			Model    fstore.ModelRef            `json:"model"`
			Features []string                   `json:"features"`
			Entities map[string]json.RawMessage `json:"entities"`
			Events   bool                       `json:"event_timestamps"`
		}
		if err := json.Unmarshal(body, &oracle); err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		service := ""
		if oracle.Service != nil {
			service = *oracle.Service
		}
		if req.service != service || req.model != oracle.Model || fmt.Sprintf("%q", req.features) != fmt.Sprintf("%q", oracle.Features) || len(req.entities) != len(oracle.Entities) || (req.events == online.WithEventTimes) != oracle.Events {
			t.Fatalf("%q was read as %+v", body, req)
		}
		for _, e := range req.entities {
			if string(oracle.Entities[e.name]) != string(e.values) {
				t.Fatalf("%q: column %q was read as %q", body, e.name, e.values)
			}
		}
		for _, typ := range columntest.Types() {
			if typ.IsKey() {
				readsAs(t, req, typ, len(body))
			}
		}
	})
}

// readsAs reads the key columns of a body of n bytes as a type: as many rows as there are values, each as AppendJSON
// writes it again.
func readsAs(t *testing.T, req *jsonRequest, typ fstore.Type, n int) {
	t.Helper()
	var keys []fstore.Field
	for _, e := range req.entities {
		keys = append(keys, fstore.Field{Name: e.name, Type: typ})
	}
	var columns []fstore.Column
	var err error
	alloctest.AtMost(t, 100*n, func() { columns, err = req.columns(&target{keys: keys}, 1000) })
	if err != nil {
		if name := refuse(t.Context(), err).name; name != "INVALID_ARGUMENT" && name != "RESOURCE_EXHAUSTED" {
			t.Errorf("%v", err)
		}
		return
	}
	for i := range columns {
		var values []json.RawMessage
		if err := json.Unmarshal(req.entities[i].values, &values); err != nil {
			t.Fatalf("column %q was taken: %v", req.entities[i].values, err)
		}
		if columns[i].Type != typ || columns[i].Len > 1000 || columns[i].Len != len(values) {
			t.Fatalf("%d values, and column %d has %d rows of %s", len(values), i, columns[i].Len, columns[i].Type)
		}
		again := fstore.NewColumn("", typ, 1)
		if err := parseColumn(&again, columns[i].AppendValuesJSON(nil), 1000, (*fstore.Column).AppendParsed); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(columntest.Rows(&columns[i]), columntest.Rows(&again)); diff != "" {
			t.Fatal(diff)
		}
	}
}
