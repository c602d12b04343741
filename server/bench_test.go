package server

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
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

// BenchmarkAnswer is the part of a call that is this package's: from a decoded request to the bytes to send.
func BenchmarkAnswer(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dx50", keys), func(b *testing.B) {
			w := wide(b, keys, 50)
			req := byService("wide", int64s("customer_id", make([]int64, keys)...))
			b.ReportAllocs()
			for b.Loop() {
				r := &received[fstorev1.GetOnlineFeaturesRequest]{lease: lease{hold: hold{budget: &w.inFlight}}}
				r.message.Selection, r.message.Entities = req.Selection, req.Entities
				answer, err := w.get(context.Background(), r)
				if err != nil {
					b.Fatal(err)
				}
				answer.slice().Free()
			}
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
	w.book.set(page{services: map[string]*fstore.FeatureList{"wide": serviceOf("wide", 1, v)}})
	publish(b, w.store, v, now, wideRows(customers, features)...)
	return w.start(b)
}

// wideView returns a view of that many float64 features, whose names no other number's view has.
func wideView(number, features int) *fstore.ViewVersion {
	var fs []fstore.Feature
	for i := range features {
		fs = append(fs, fstore.Feature{Name: fmt.Sprintf("v%d_f%03d", number, i), Type: fstore.Float64})
	}
	return view(fmt.Sprint("wide", strings.Repeat("_", number)), 1, customerKey, fs...)
}

// wideRows returns a row of wideView for each of the customers 0, 1, …
func wideRows(customers, features int) (rows []row) {
	for i := range customers {
		r := row{int64(i), now}
		for f := range features {
			r = append(r, float64(i*f)/7)
		}
		rows = append(rows, r)
	}
	return rows
}

// dialTCP returns a connection to the world's gRPC server over TCP.
func (w *world) dialTCP(b *testing.B) *grpc.ClientConn {
	return serveTCP(b, w.Server.grpc)
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
