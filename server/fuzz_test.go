package server

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// FuzzRequest holds that no gRPC request makes the server panic or find a fault in itself, and that what it answers
// has as many rows as the request.
func FuzzRequest(f *testing.F) {
	keys := []fstore.Field{{Name: "i", Type: fstore.Int32}, {Name: "s", Type: fstore.String}, {Name: "t", Type: fstore.Timestamp}}
	v := view("v", 1, keys, fstore.Feature{Name: "x", Type: fstore.List(fstore.String)}, fstore.Feature{Name: "y", Type: fstore.Int64})
	w := newWorld(f, nil)
	w.book.set(page{services: map[string]*fstore.FeatureList{"v": serviceOf("v", 1, v)}, views: map[string]*fstore.ViewVersion{"v": v}})
	publish(f, w.store, v, now, row{int32(1), "a", now, now, []string{"p", "q"}, int64(2)})
	w.follower.poll(context.Background())

	texts := &fstorev1.Column{Name: "s", Validity: []byte{1}, Values: &fstorev1.Values{Kind: &fstorev1.Values_StringValues{StringValues: &fstorev1.StringValues{Values: []string{"a", ""}}}}}
	times := &fstorev1.Column{Name: "t", Values: &fstorev1.Values{Kind: &fstorev1.Values_TimestampValues{TimestampValues: &fstorev1.TimestampValues{Values: []int64{now.UnixMicro(), 0}}}}}
	for _, req := range []*fstorev1.GetOnlineFeaturesRequest{
		byService("v", int64s("i", 1, -1), texts, times), byRefs([]string{"v.x", "v.y=z"}, int64s("i", 1<<40), texts), {},
	} {
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req fstorev1.GetOnlineFeaturesRequest
		if proto.Unmarshal(b, &req) != nil || req.GetService() == "panics" {
			return
		}
		var answer *fstorev1.GetOnlineFeaturesResponse
		refused := w.run(t.Context(), method{"grpc", "fuzz"}, func(ctx context.Context) (err error) {
			answer, err = w.message(ctx, &req)
			return err
		})
		if refused != nil {
			if refused.code == codes.Internal || refused.code == codes.DataLoss {
				t.Fatalf("%v: %v", refused.code, refused.cause)
			}
			return
		}
		if _, err := proto.Marshal(answer); err != nil {
			t.Fatal(err)
		}
		for _, feature := range answer.Features {
			c, err := columnFrom(feature.Name, feature.Values, feature.Validity)
			if err != nil || c.Len != int(answer.Rows) {
				t.Fatalf("%s has %d rows of %d: %v", feature.Name, c.Len, answer.Rows, err)
			}
		}
	})
}
