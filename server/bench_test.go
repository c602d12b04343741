package server_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// BenchmarkGetOnlineFeatures asks over a TCP connection for features of a store in memory, and in between sends as
// many bytes to and fro in a gRPC call that does nothing. It reports the medians of both, and their ratio.
func BenchmarkGetOnlineFeatures(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dx50", keys), func(b *testing.B) {
			w := wide(b, keys, 50)
			ids := make([]int64, keys)
			for i := range ids {
				ids[i] = int64(i)
			}
			req := byService("wide", int64s("customer_id", ids...))
			conn := w.dialTCP(b)
			client := fstorev1.NewFeatureStoreClient(conn)
			answer, err := client.GetOnlineFeatures(context.Background(), req)
			if err != nil {
				b.Fatal(err)
			}
			bare := echo(b, proto.Size(answer))
			in := wrapperspb.Bytes(make([]byte, proto.Size(req)-3))
			var ours, empty []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if _, err := client.GetOnlineFeatures(context.Background(), req); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				var out wrapperspb.BytesValue
				if err := bare.Invoke(context.Background(), "/echo/Echo", in, &out); err != nil {
					b.Fatal(err)
				}
				ours, empty = append(ours, middle.Sub(start)), append(empty, time.Since(middle))
			}
			b.ReportMetric(float64(median(ours).Nanoseconds()), "ns/call-p50")
			b.ReportMetric(float64(median(empty).Nanoseconds()), "ns/bare-p50")
			b.ReportMetric(float64(median(ours))/float64(median(empty)), "×bare")
			b.ReportMetric(float64(proto.Size(answer)), "answer-B")
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// wide returns a started world of one service: that many float64 features of that many customers.
func wide(b *testing.B, customers, features int) *world {
	v := wideView(0, features)
	w := newWorld(b, nil)
	w.book.Set(page{Services: map[string]*fstore.FeatureList{"wide": serviceOf("wide", 1, v)}})
	publish(b, w.store, v, now, wideRows(customers, features)...)
	return w.start(b)
}

// dialTCP returns a connection to the world's gRPC server over TCP.
func (w *world) dialTCP(b *testing.B) *grpc.ClientConn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = w.grpc.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

func serveTCP(b *testing.B, s *grpc.Server) *grpc.ClientConn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		s.Stop()
	})
	return conn
}

// echo returns a connection to a gRPC server whose one call answers with that many bytes.
func echo(b *testing.B, size int) *grpc.ClientConn {
	out := wrapperspb.Bytes(make([]byte, size-4))
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Echo", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var in wrapperspb.BytesValue
			return out, decode(&in)
		}}},
	}, nil)
	return serveTCP(b, s)
}
