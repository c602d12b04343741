package grpcapi

import (
	"bytes"
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// Over gRPC text that is not UTF-8 is refused before it is looked at, in a key as in a name.
func TestRequestThatIsNotUTF8IsRefused(t *testing.T) {
	w := newWorld(t)
	w.Shop(t)
	w.Poll(context.Background())
	wire := codec{encoding.GetCodecV2(grpcproto.Name)}
	for name, req := range map[string]*fstorev1.GetOnlineFeaturesRequest{
		"key":       byService("churn", strs("customer_id", "aZZ")),
		"column":    byService("churn", int64s("aZZ", 1)),
		"service":   byService("aZZ", int64s("customer_id", 1)),
		"reference": byRefs([]string{"aZZ"}, int64s("customer_id", 1)),
		"model":     {Selection: &fstorev1.GetOnlineFeaturesRequest_Model{Model: &fstorev1.ModelRef{Name: "fraud", Version: "aZZ"}}},
	} {
		b := bytes.ReplaceAll(marshalled(t, req), []byte("ZZ"), []byte("\xed\xa0"))
		_, err := w.handleGet(nil, context.Background(), func(into any) error {
			return wire.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, into)
		}, nil)
		if status.Code(err) != codes.InvalidArgument || !bytes.Contains([]byte(err.Error()), []byte("is not a message of")) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
