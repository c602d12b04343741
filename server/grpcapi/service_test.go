package grpcapi

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// A method that is added to the proto and has no handler keeps the server from starting: it would answer UNIMPLEMENTED.
func TestEveryMethodOfTheProtoHasAHandler(t *testing.T) {
	handle := func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) { return nil, nil }
	generated := fstorev1.FeatureStore_ServiceDesc
	later := generated
	later.Methods = append([]grpc.MethodDesc{{MethodName: "Added"}}, generated.Methods...)
	later.Streams = []grpc.StreamDesc{{StreamName: "Watched"}}
	both := map[string]grpc.MethodHandler{getOnlineFeatures: handle, describeFeatures: handle}
	for _, c := range []struct {
		generated grpc.ServiceDesc
		handlers  map[string]grpc.MethodHandler
		want      string
	}{
		{generated, both, ""},
		{generated, map[string]grpc.MethodHandler{getOnlineFeatures: handle}, "gRPC service fstore.v1.FeatureStore: method DescribeFeatures has no handler"},
		{later, both, "gRPC service fstore.v1.FeatureStore: method Added has no handler, stream Watched has no handler"},
		{generated, map[string]grpc.MethodHandler{getOnlineFeatures: handle, describeFeatures: handle, "Gone": handle}, "gRPC service fstore.v1.FeatureStore: handler Gone has no method"},
	} {
		desc, err := withHandlers(c.generated, c.handlers)
		if c.want == "" && (err != nil || len(desc.Methods) != len(c.generated.Methods)) || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
