package grpcapi

import (
	"context"
	"math"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
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
	w := newWorld(f)
	w.Store.Limits = fuzzLimits
	w.Book.Set(page{
		Services: map[string]*fstore.FeatureList{"v": serviceOf("v", 1, v), "both": serviceOf("both", 1, v, u), "sent": sent(u)},
		Views:    map[string]*fstore.ViewVersion{"v": v, "u": u},
	})
	publish(f, w.Store, v, now, row{int32(1), "a", now, now, []string{"p", "q"}, int64(2)})
	publish(f, w.Store, u, now, row{[]byte("b"), true, now, 0.5})
	w.Poll(context.Background())
	return w
}

// sent returns a service of on-demand features over a view that read a request column of every kind.
func sent(u *fstore.ViewVersion) *fstore.FeatureList {
	l := serviceOf("sent", 1, u)
	yes := fstore.NewColumn("", fstore.Bool, 1)
	yes.Append(true)
	view := &fstore.OnDemandVersion{
		Ref: fstore.ViewRef{Name: "od", Version: 1},
		View: fstore.OnDemandView{
			Name: "od",
			Request: []fstore.RequestColumn{
				{Name: "price", Type: fstore.Float64},
				{Name: "sizes", Type: fstore.List(fstore.Float32)},
				{Name: "note", Type: fstore.String},
				{Name: "since", Type: fstore.Timestamp},
				{Name: "gift", Type: fstore.Bool, Default: &fstore.Value{Column: yes}},
				{Name: "n", Type: fstore.Int32},
			},
			Features: []fstore.Feature{
				{Name: "share", Type: fstore.Float64, Expression: "price / u.z"},
				{Name: "longest", Type: fstore.Float32, Expression: "max(sizes)"},
				{Name: "loud", Type: fstore.String, Expression: "upper(note)"},
				{Name: "parts", Type: fstore.List(fstore.String), Expression: "split(note, \",\")"},
				{Name: "waited", Type: fstore.Float64, Expression: "hours(at - since)"},
				{Name: "same", Type: fstore.Bool, Expression: "gift && n > 0"},
			},
		},
		Inputs: []fstore.OnDemandInput{{Name: "u", Ref: u.Ref, Keys: l.Uses[0].Keys, Features: []string{"z"}}},
	}
	l.OnDemand = []*fstore.OnDemandVersion{view}
	for _, f := range view.View.Features {
		l.Outputs = append(l.Outputs, fstore.OnDemandOutput{As: f.Name, Feature: f.Name})
	}
	return l
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
	price := &fstorev1.Column{Name: "price", Float64Values: []float64{math.NaN(), 2}}
	sizes := &fstorev1.Column{Name: "sizes", Float32Values: []float32{1, float32(math.Inf(1))}, Offsets: []int32{0, 2, 2}, Validity: []byte{1}}
	gift := &fstorev1.Column{Name: "gift", BoolValues: []bool{true, false}, Validity: []byte{2}}
	n := &fstorev1.Column{Name: "n", Int32Values: []int32{7, -1}}
	request := []*fstorev1.Column{bytesOf, bools, price, sizes, gift, n, strs("note", "é,b", ""), times("since", now.UnixMicro(), math.MaxInt64)}
	asked := byService("sent", append([]*fstorev1.Column{bytesOf, bools, int64s("price", 1, 1<<53), sizes, n, strs("note", "\x00", "ß")}, times("since", 0, 1))...)
	asked.EventTimestamps = true
	return []*fstorev1.GetOnlineFeaturesRequest{
		byService("v", int64s("i", 1, -1), texts, at), events, byRefs([]string{"v.x", "v.y=z", "u.z"}, int64s("i", 1<<40), texts, at, bytesOf, bools),
		byRefs([]string{"u.z"}, bools, bytesOf), byService("v", lists, texts, at), byService("v", int64s("i", 1), texts, at), byService("nope"), byRefs(nil),
		byService("sent", request...), asked, byService("sent", request[:5]...), byService("sent", append(request[1:], price)...),
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
				t.Fatalf("%v\n%s", err, w.Log)
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
