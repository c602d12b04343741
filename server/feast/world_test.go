package feast

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// world is Feast's interface to a shop.
type world struct {
	*servertest.Core
	*API
}

func newWorld(t testing.TB) *world {
	t.Helper()
	core := servertest.New(t, nil)
	core.Shop(t)
	core.Poll(context.Background())
	return &world{core, New(core.Server)}
}

// call makes one call, and returns the bytes of its answer.
func (w *world) call(ctx context.Context, m server.LookupMethod, request []byte) ([]byte, error) {
	h := server.NewHold(w.core.InFlight())
	defer h.Release()
	c := m.New()
	if err := c.Take(request, &h); err != nil {
		return nil, err
	}
	if m.Transport == "grpc" {
		for i := range request { // gRPC uses the bytes again
			request[i] = 0xff
		}
	}
	buf, err := c.Answer(ctx, &h)
	if err != nil {
		return nil, err
	}
	defer server.Buffers.Put(buf)
	return append([]byte(nil), *buf...), nil
}

// grpc asks over gRPC.
func (w *world) grpc(t testing.TB, request *feastpb.GetOnlineFeaturesRequest) (*feastpb.GetOnlineFeaturesResponse, error) {
	t.Helper()
	b, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	_, methods := w.GRPC()
	out, err := w.call(t.Context(), methods["GetOnlineFeatures"], b)
	if err != nil {
		return nil, err
	}
	var answer feastpb.GetOnlineFeaturesResponse
	if err := proto.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return &answer, nil
}

// http asks over HTTP.
func (w *world) http(t testing.TB, body string) (string, error) {
	t.Helper()
	out, err := w.call(t.Context(), w.HTTP()[Path], []byte(body))
	return string(out), err
}

// valuesOf returns a column as Feast's values.
func valuesOf(c *fstore.Column) *feastpb.RepeatedValue {
	out := &feastpb.RepeatedValue{}
	for i := range c.Len {
		out.Val = append(out.Val, valueOf(c.Value(i)))
	}
	return out
}

func valueOf(v any) *feastpb.Value {
	switch v := v.(type) {
	case nil:
		return &feastpb.Value{}
	case bool:
		return &feastpb.Value{Val: &feastpb.Value_BoolVal{BoolVal: v}}
	case int32:
		return &feastpb.Value{Val: &feastpb.Value_Int32Val{Int32Val: v}}
	case int64:
		return &feastpb.Value{Val: &feastpb.Value_Int64Val{Int64Val: v}}
	case float32:
		return &feastpb.Value{Val: &feastpb.Value_FloatVal{FloatVal: v}}
	case float64:
		return &feastpb.Value{Val: &feastpb.Value_DoubleVal{DoubleVal: v}}
	case string:
		return &feastpb.Value{Val: &feastpb.Value_StringVal{StringVal: v}}
	case []byte:
		return &feastpb.Value{Val: &feastpb.Value_BytesVal{BytesVal: v}}
	case time.Time:
		return &feastpb.Value{Val: &feastpb.Value_UnixTimestampVal{UnixTimestampVal: v.Unix()}}
	case []bool:
		return &feastpb.Value{Val: &feastpb.Value_BoolListVal{BoolListVal: &feastpb.BoolList{Val: v}}}
	case []int32:
		return &feastpb.Value{Val: &feastpb.Value_Int32ListVal{Int32ListVal: &feastpb.Int32List{Val: v}}}
	case []int64:
		return &feastpb.Value{Val: &feastpb.Value_Int64ListVal{Int64ListVal: &feastpb.Int64List{Val: v}}}
	case []float32:
		return &feastpb.Value{Val: &feastpb.Value_FloatListVal{FloatListVal: &feastpb.FloatList{Val: v}}}
	case []float64:
		return &feastpb.Value{Val: &feastpb.Value_DoubleListVal{DoubleListVal: &feastpb.DoubleList{Val: v}}}
	case []string:
		return &feastpb.Value{Val: &feastpb.Value_StringListVal{StringListVal: &feastpb.StringList{Val: v}}}
	case [][]byte:
		return &feastpb.Value{Val: &feastpb.Value_BytesListVal{BytesListVal: &feastpb.BytesList{Val: v}}}
	case []time.Time:
		list := &feastpb.Int64List{}
		for _, at := range v {
			list.Val = append(list.Val, at.Unix())
		}
		return &feastpb.Value{Val: &feastpb.Value_UnixTimestampListVal{UnixTimestampListVal: list}}
	}
	panic("no such value")
}

// int64s returns a column of keys.
func int64s(values ...int64) *feastpb.RepeatedValue {
	out := &feastpb.RepeatedValue{}
	for _, v := range values {
		out.Val = append(out.Val, valueOf(v))
	}
	return out
}

// byRefs returns a request for features of customers.
func byRefs(refs []string, customers ...int64) *feastpb.GetOnlineFeaturesRequest {
	return &feastpb.GetOnlineFeaturesRequest{
		Kind:     &feastpb.GetOnlineFeaturesRequest_Features{Features: &feastpb.FeatureList{Val: refs}},
		Entities: map[string]*feastpb.RepeatedValue{"customer_id": int64s(customers...)},
	}
}

// byService returns a request for a feature service.
func byService(name string, customers ...int64) *feastpb.GetOnlineFeaturesRequest {
	r := byRefs(nil, customers...)
	r.Kind = &feastpb.GetOnlineFeaturesRequest_FeatureService{FeatureService: name}
	return r
}
