package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/grpcapi"
	"github.com/fstore-dev/fstore/server/httpapi"
)

// BenchmarkGetOnlineFeatures measures the p50 of GetOnlineFeatures over loopback gRPC and a real Redis beside its
// limit, a bare read of the same records plus a gRPC call of as many bytes, alternating within one run. The goals are
// 1.2 times the sum for one key, 1.25 times for a hundred, and 1.2 times for 5 views. x_as_bytes is the same call where the
// client leaves the answer as bytes, as the limit's does: what is left is the generated client's decoding. x_bare is a call
// whose handler does the bare read: what any server on gRPC and go-redis takes.
func BenchmarkGetOnlineFeatures(b *testing.B) {
	for _, shape := range []struct{ keys, features, views int }{{1, 50, 1}, {100, 50, 1}, {100, 50, 5}} {
		b.Run(fmt.Sprintf("keys=%d/features=%d/views=%d", shape.keys, shape.features, shape.views), func(b *testing.B) {
			var views []*fstore.ViewVersion
			for i := range shape.views {
				views = append(views, wideView(fmt.Sprintf("v%d", i), shape.features/shape.views))
			}
			measureGet(b, shape.keys, views)
		})
	}
}

func measureGet(b *testing.B, keys int, views []*fstore.ViewVersion) {
	ctx := b.Context()
	url := redistest.StartTCP(b)
	store := openRedis(b, url)
	for _, v := range views {
		fill(b, store, v, rowsOf(v, 0, 1000))
	}
	srv := server.New(server.Options{Catalog: &catalog{listOf(views...), views}, Store: store})
	conn := serve(b, func(ctx context.Context, l net.Listener) error { return srv.Serve(ctx, overGRPC(b, srv, l)) })
	client, req := fstorev1.NewFeatureStoreClient(conn), ask(keys)
	answer := firstAnswer(b, client, req)

	bare := newBareRead(b, url, keys, len(views), len(views[0].View.Features))
	echo := newEcho(b, proto.Size(answer), func(context.Context) error { return nil })
	reads := newEcho(b, proto.Size(answer), bare.read)
	in, err := proto.Marshal(req)
	if err != nil {
		b.Fatal(err)
	}
	var ours, asBytes, read, call, both []time.Duration
	for b.Loop() {
		ours = append(ours, timed(b, func() error { _, err := client.GetOnlineFeatures(ctx, req); return err }))
		asBytes = append(asBytes, timed(b, func() error { return invokeRaw(ctx, conn, fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName, in) }))
		read = append(read, timed(b, func() error { return bare.read(ctx) }))
		call = append(call, timed(b, func() error { return echo.call(ctx, in) }))
		both = append(both, timed(b, func() error { return reads.call(ctx, in) }))
	}
	limit := median(read) + median(call)
	b.ReportMetric(float64(median(ours).Microseconds()), "p50_µs")
	b.ReportMetric(float64(limit.Microseconds()), "limit_µs")
	b.ReportMetric(float64(median(ours))/float64(limit), "x_of_limit")
	b.ReportMetric(float64(median(asBytes))/float64(limit), "x_as_bytes")
	b.ReportMetric(float64(median(both))/float64(limit), "x_bare")
	b.ReportMetric(0, "ns/op") // three calls an iteration: the time of all of them says nothing
}

// BenchmarkNarrowViews measures the p50 of 50 features from five views of one entity beside 50 from one view, alternating
// within one run. The goal is 1.3 times its time.
func BenchmarkNarrowViews(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			store := openRedis(b, redistest.StartTCP(b))
			clientOf := func(views ...*fstore.ViewVersion) fstorev1.FeatureStoreClient {
				for _, v := range views {
					fill(b, store, v, rowsOf(v, 0, 1000))
				}
				srv := server.New(server.Options{Catalog: &catalog{listOf(views...), views}, Store: store})
				return fstorev1.NewFeatureStoreClient(serve(b, func(ctx context.Context, l net.Listener) error { return srv.Serve(ctx, overGRPC(b, srv, l)) }))
			}
			var narrow []*fstore.ViewVersion
			for i := range 5 {
				narrow = append(narrow, wideView(fmt.Sprintf("v%d", i), 10))
			}
			ofFive, ofOne, req := clientOf(narrow...), clientOf(wideView("wide", 50)), ask(keys)
			firstAnswer(b, ofFive, req)
			firstAnswer(b, ofOne, req)
			var five, one []time.Duration
			for b.Loop() {
				five = append(five, timed(b, func() error { _, err := ofFive.GetOnlineFeatures(b.Context(), req); return err }))
				one = append(one, timed(b, func() error { _, err := ofOne.GetOnlineFeatures(b.Context(), req); return err }))
			}
			b.ReportMetric(float64(median(five).Microseconds()), "p50_µs")
			b.ReportMetric(float64(median(one).Microseconds()), "one_view_µs")
			b.ReportMetric(float64(median(five))/float64(median(one)), "x_of_one_view")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkGetOnlineFeaturesHTTP measures the p50 of an answer over HTTP, read in full, beside the same answer over gRPC,
// alternating within one run. The goal is 1.6 times its time.
func BenchmarkGetOnlineFeaturesHTTP(b *testing.B) {
	const keys = 100
	v := wideView("v0", 50)
	store := openRedis(b, redistest.StartTCP(b))
	fill(b, store, v, rowsOf(v, 0, 1000))
	srv := server.New(server.Options{Catalog: &catalog{listOf(v), []*fstore.ViewVersion{v}}, Store: store})
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	conn := serve(b, func(ctx context.Context, l net.Listener) error {
		return srv.Serve(ctx, overGRPC(b, srv, l), server.Endpoint{Protocol: httpapi.New(srv, nil), Listener: web})
	})
	client, req := fstorev1.NewFeatureStoreClient(conn), ask(keys)
	firstAnswer(b, client, req)
	ids, err := json.Marshal(req.Entities[0].Int64Values)
	if err != nil {
		b.Fatal(err)
	}
	body := fmt.Sprintf(`{"service":"bench","entities":{"customer_id":%s}}`, ids)
	var size int64
	var overHTTP, overGRPC []time.Duration
	for b.Loop() {
		overGRPC = append(overGRPC, timed(b, func() error { _, err := client.GetOnlineFeatures(b.Context(), req); return err }))
		overHTTP = append(overHTTP, timed(b, func() (err error) {
			size, err = post("http://"+web.Addr().String()+"/v1/online-features", body)
			return err
		}))
	}
	b.ReportMetric(float64(median(overHTTP).Microseconds()), "p50_µs")
	b.ReportMetric(float64(median(overGRPC).Microseconds()), "grpc_µs")
	b.ReportMetric(float64(median(overHTTP))/float64(median(overGRPC)), "x_of_grpc")
	b.ReportMetric(float64(size), "answer_B")
	b.ReportMetric(0, "ns/op")
}

// post sends JSON and returns how many bytes were answered.
func post(url, body string) (int64, error) {
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	return n, err
}

// firstAnswer waits until the server has loaded its catalog.
func firstAnswer(b *testing.B, client fstorev1.FeatureStoreClient, req *fstorev1.GetOnlineFeaturesRequest) *fstorev1.GetOnlineFeaturesResponse {
	b.Helper()
	for {
		answer, err := client.GetOnlineFeatures(b.Context(), req, grpc.WaitForReady(true))
		if err == nil {
			return answer
		}
		if b.Context().Err() != nil {
			b.Fatal(err)
		}
	}
}

// catalog names one list as the service "bench".
type catalog struct {
	list *fstore.FeatureList
	live []*fstore.ViewVersion
}

func (c *catalog) Revision(context.Context) (server.Revision, error) {
	return server.Revision{Number: 1}, nil
}
func (c *catalog) Load(context.Context) (server.Names, error)          { return c, nil }
func (c *catalog) Service(string) (*fstore.FeatureList, error)         { return c.list, nil }
func (c *catalog) Features(refs []string) (*fstore.FeatureList, error) { return c.list, nil }
func (c *catalog) Model(fstore.ModelRef) (*fstore.FeatureList, error)  { return c.list, nil }
func (c *catalog) SentColumns() map[string]bool                        { return nil }

func (c *catalog) Live() []*fstore.ViewVersion { return c.live }

// overGRPC returns the endpoint at which a server answers gRPC.
func overGRPC(b *testing.B, srv *server.Server, l net.Listener) server.Endpoint {
	api, err := grpcapi.New(srv)
	if err != nil {
		b.Error(err)
	}
	return server.Endpoint{Protocol: api, Listener: l}
}

// serve runs a gRPC server on a free port until the benchmark ends and returns a connection to it.
func serve(b *testing.B, run func(context.Context, net.Listener) error) *grpc.ClientConn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, l) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return dial(b, l.Addr().String())
}

// dial returns a connection to a gRPC server, which is closed when the benchmark ends.
func dial(b *testing.B, address string) *grpc.ClientConn {
	b.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

// bareRead is a go-redis MGET of records as large as ours.
type bareRead struct {
	client *goredis.Client
	keys   []string
}

func newBareRead(b *testing.B, url string, keys, views, features int) *bareRead {
	b.Helper()
	o, err := goredis.ParseURL(url)
	if err != nil {
		b.Fatal(err)
	}
	r := &bareRead{client: goredis.NewClient(o)}
	b.Cleanup(func() { r.client.Close() })
	for k := range keys {
		for v := range views {
			key := fmt.Sprintf("bare:%d:%08d", v, k)
			r.keys = append(r.keys, key)
			if err := r.client.Set(b.Context(), key, make([]byte, 10+8*features), 0).Err(); err != nil {
				b.Fatal(err)
			}
		}
	}
	return r
}

// read is a GET for one key, a pipelined MGET for more.
func (r *bareRead) read(ctx context.Context) error {
	if len(r.keys) == 1 {
		return r.client.Get(ctx, r.keys[0]).Err()
	}
	_, err := r.client.Pipelined(ctx, func(p goredis.Pipeliner) error { p.MGet(ctx, r.keys...); return nil })
	return err
}

// echo is a gRPC method that answers a number of bytes and does little else.
type echo struct{ conn *grpc.ClientConn }

type rawCodec struct{}

func (rawCodec) Name() string                  { return "bench-raw" }
func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

var _ encoding.Codec = rawCodec{}

// newEcho returns a method that does work before it answers.
func newEcho(b *testing.B, size int, work func(context.Context) error) *echo {
	b.Helper()
	out := make([]byte, size)
	handler := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var in []byte
		if err := decode(&in); err != nil {
			return nil, err
		}
		return &out, work(ctx)
	}
	s := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Call", Handler: handler}},
	}, struct{}{})
	conn := serve(b, func(ctx context.Context, l net.Listener) error {
		stop := context.AfterFunc(ctx, s.Stop)
		defer stop()
		return s.Serve(l)
	})
	return &echo{conn}
}

func (e *echo) call(ctx context.Context, in []byte) error {
	return invokeRaw(ctx, e.conn, "/bench.Echo/Call", in)
}

// invokeRaw calls a method and leaves the answer as the bytes it is.
func invokeRaw(ctx context.Context, conn *grpc.ClientConn, method string, in []byte) error {
	var out []byte
	return conn.Invoke(ctx, method, &in, &out, grpc.ForceCodec(rawCodec{}))
}
