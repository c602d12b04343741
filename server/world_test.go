package server_test

import (
	"cmp"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/grpcapi"
	"github.com/fstore-dev/fstore/server/httpapi"
	"github.com/fstore-dev/fstore/server/servertest"
)

// world is a server over a store in memory, reached in-process.
type world struct {
	*servertest.Core
	grpc    *grpcapi.API
	http    *httpapi.API
	pipe    *bufconn.Listener // gRPC's
	store   *online.Store
	backend *servertest.Backend
	book    *servertest.Book
	log     *servertest.Log
	dial    credentials.TransportCredentials // of the client; nil: plain text
	conn    *grpc.ClientConn
	client  fstorev1.FeatureStoreClient
	web     string // http://host:port
	metrics string // http://host:port of health and metrics
	stop    func() error
	ticks   chan time.Time
}

// refresh has the server look at its catalog: it returns when a look that began after the call is over.
func (w *world) refresh() {
	w.ticks <- now // taken once the look under way is over
	w.ticks <- now // taken once the one that the first began is over
}

// newWorld returns a world whose server has not begun.
func newWorld(t testing.TB, change func(*server.Options)) *world {
	t.Helper()
	core := servertest.New(t, change)
	w := &world{
		Core: core, store: core.Store, backend: core.Backend, book: core.Book, log: core.Log,
		http: httpapi.New(core.Server), ticks: make(chan time.Time),
	}
	var err error
	if w.grpc, err = grpcapi.New(core.Server); err != nil {
		t.Fatal(err)
	}
	w.SetTick(w.ticks)
	return w
}

// start begins the server, with what its catalog has now, and ends it with the test.
func (w *world) start(t testing.TB) *world {
	t.Helper()
	w.begin(t)
	w.refresh()
	<-w.Usable()
	return w
}

// overGRPC returns the endpoint of gRPC.
func (w *world) overGRPC(l net.Listener) server.Endpoint {
	return server.Endpoint{Protocol: w.grpc, Listener: l}
}

// overHTTP returns the endpoint of HTTP.
func (w *world) overHTTP(l net.Listener) server.Endpoint {
	return server.Endpoint{Protocol: w.http, Listener: l}
}

// overMetrics returns the endpoint of health and metrics.
func (w *world) overMetrics(l net.Listener) server.Endpoint {
	return server.Endpoint{Protocol: httpapi.NewMetrics(w.Server), Listener: l, Outlives: true}
}

// begin is start of a server that may have to wait for its catalog or its store.
func (w *world) begin(t testing.TB) {
	t.Helper()
	pipe := bufconn.Listen(1 << 20)
	w.pipe = pipe
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.web = "http://" + web.Addr().String()
	w.conn, err = grpc.NewClient("passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(cmp.Or(w.dial, insecure.NewCredentials())),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	w.client = fstorev1.NewFeatureStoreClient(w.conn)
	metrics, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.metrics = "http://" + metrics.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, w.overGRPC(pipe), w.overHTTP(web), w.overMetrics(metrics)) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		_ = w.stop()
		w.conn.Close()
	})
}

// shop returns a started world of a shop.
func shop(t testing.TB, change func(*server.Options)) *world {
	t.Helper()
	w := newWorld(t, change)
	w.Shop(t)
	return w.start(t)
}
