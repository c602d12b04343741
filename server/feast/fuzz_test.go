package feast

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/fstore-dev/fstore/internal/columntest"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server"
)

// FuzzRequest holds that no bytes make the decoder panic or allocate more than a multiple of them, and that it reads
// what it takes as protobuf's own decoder does.
func FuzzRequest(f *testing.F) {
	seeds := []*feastpb.GetOnlineFeaturesRequest{byService("churn", 1, -1), byRefs([]string{"a:b", "a@v2:c"}, 0), byRefs(nil), {}}
	for _, v := range []any{nil, true, int32(-1), int64(1 << 40), float32(0.5), math.NaN(), "ü", []byte{0xff}, []int64{1, -2}, []string{"", "b"}, [][]byte{{}}, []float64{1}, []float32{}, []bool{true}, []int32{-7}} {
		r := byService("s", 1)
		r.FullFeatureNames, r.IncludeFeatureViewVersionMetadata = true, true
		r.RequestContext = map[string]*feastpb.RepeatedValue{"c": {Val: []*feastpb.Value{valueOf(v), {}, valueOf(v)}}}
		seeds = append(seeds, r)
	}
	for _, s := range seeds {
		b, err := proto.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	budget := newWorld(f).InFlight()
	f.Fuzz(func(t *testing.T, b []byte) {
		h := server.NewHold(budget)
		defer h.Release()
		call := &grpcCall{}
		var err error
		alloctest.AtMost(t, 400*len(b), func() { err = call.Take(b, &h) })
		if err != nil {
			if !errors.Is(err, fstore.ErrInvalid) && !errors.Is(err, fstore.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		var want feastpb.GetOnlineFeaturesRequest
		if err := proto.Unmarshal(b, &want); err != nil {
			t.Fatalf("%x was taken: %v", b, err)
		}
		got := &call.request
		if got.full != want.GetFullFeatureNames() || got.versions != want.GetIncludeFeatureViewVersionMetadata() || got.service != want.GetFeatureService() {
			t.Fatalf("%x was read as %+v", b, got)
		}
		if diff := cmp.Diff(append([]string{}, got.refs...), append([]string{}, want.GetFeatures().GetVal()...)); diff != "" {
			t.Fatal(diff)
		}
		if n := len(want.GetEntities()) + len(want.GetRequestContext()); len(call.columns) != n {
			t.Fatalf("%d columns, want %d", len(call.columns), n)
		}
		for i := range call.columns {
			from := want.GetEntities()
			if i >= len(want.GetEntities()) {
				from = want.GetRequestContext()
			}
			readAs(t, budget, &call.columns[i], from[call.columns[i].Name])
		}
	})
}

// readAs compares a column with the message that it was read from.
func readAs(t *testing.T, budget *server.Budget, got *column, want *feastpb.RepeatedValue) {
	t.Helper()
	if got.Len != len(want.GetVal()) || got.typed && !got.Whole() {
		t.Fatalf("%d rows, want %d", got.Len, len(want.GetVal()))
	}
	if !got.typed {
		return
	}
	again := &column{}
	again.Name = got.Name
	b, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	h := server.NewHold(budget)
	defer h.Release()
	if err := (&decoder{hold: &h}).values(b, again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(columntest.Rows(&again.Column), columntest.Rows(&got.Column)); diff != "" {
		t.Fatal(diff)
	}
	for i, v := range want.GetVal() {
		set := v.ProtoReflect().WhichOneof(v.ProtoReflect().Descriptor().Oneofs().Get(0))
		null := set == nil || set.Number() == nullField || v.GetUnixTimestampVal() == noTime
		if got.IsNull(i) != null {
			t.Fatalf("row %d is %v, want %v", i+1, got.Value(i), v)
		}
	}
}

// FuzzJSON holds that no body makes the decoder panic or allocate more than a multiple of it.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"feature_service":"churn","entities":{"customer_id":[1,null,1e3]},"full_feature_names":true}`,
		`{"features":["orders:value"],"entities":{"customer_id":[1]},"request_context":{"t":[1700000000,"2026-01-01",-1,1e3]}}`,
		`{"features":null,"feature_service":null}`, `{"features":[],"feature_service":"s"}`, `{"features":"x"}`, `{"entities":[]}`, `{`, `[]`,
		`{"entities":{"a":{"val":[1]}}}`, `{"unknown":1}`, `{"features":["a:b"],"features":["c:d"]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		call := &httpCall{}
		var err error
		alloctest.AtMost(t, 40*len(text), func() { err = call.decode(text) })
		if err != nil {
			if name := server.Refuse(t.Context(), err).Name; name != "INVALID_ARGUMENT" {
				t.Fatalf("%s: %v", name, err)
			}
			return
		}
		var fields []fstore.Field
		for _, c := range call.columns {
			fields = append(fields, fstore.Field{Name: c.Name, Type: fstore.Timestamp})
		}
		columns, err := bodies.Columns(call.columns, &server.Target{Keys: fields}, 1000, appendParsed)
		if err == nil && len(columns) != len(call.columns) {
			t.Fatalf("%d columns, want %d", len(columns), len(call.columns))
		}
	})
}
