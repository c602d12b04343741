package server_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/feast"
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
	ca      *certtest.CA // of the server's certificate; nil: plain text
	conn    *grpc.ClientConn
	client  fstorev1.FeatureStoreClient
	web     string // http://host:port
	metrics string // http://host:port of health and metrics
	asks    http.Client
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
	var ca *certtest.CA
	if os.Getenv(overTLS) != "" {
		before := change
		change = func(o *server.Options) {
			var files server.CertificateFiles
			var err error
			ca, files = newCertificates(t)
			if o.Certificates, err = server.OpenCertificates(files, time.Now); err != nil {
				t.Fatal(err)
			}
			if before != nil {
				before(o)
			}
		}
	}
	core := servertest.New(t, change)
	words := feast.New(core.Server)
	w := &world{
		ca: ca, Core: core, store: core.Store, backend: core.Backend, book: core.Book, log: core.Log,
		http: httpapi.New(core.Server, words.HTTP()), ticks: make(chan time.Time),
	}
	var err error
	if w.grpc, err = grpcapi.New(core.Server); err != nil {
		t.Fatal(err)
	}
	if err := w.grpc.AddLookups(words.GRPC()); err != nil {
		t.Fatal(err)
	}
	w.SetTick(w.ticks)
	return w
}

// overTLS is a variable that has worlds speak TLS.
const overTLS = "SERVER_TEST_OVER_TLS"

// newCertificates returns what a world over TLS needs.
func newCertificates(t testing.TB) (*certtest.CA, server.CertificateFiles) {
	t.Helper()
	ca := certtest.New(t, "server", time.Now())
	own := ca.Issue(t, "server")
	return ca, server.CertificateFiles{Certificate: own.Certificate, Key: own.Key}
}

// transport returns how HTTP clients connect, with connections of their own.
func (w *world) transport(t testing.TB) *http.Transport {
	t.Helper()
	if w.ca == nil {
		return &http.Transport{}
	}
	return &http.Transport{TLSClientConfig: clientConfig(t, w.ca, nil)}
}

// dial returns a new connection to the gRPC port, after the TLS handshake.
func (w *world) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := w.pipe.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if w.ca == nil {
		return conn
	}
	config := clientConfig(t, w.ca, nil)
	config.NextProtos = []string{"h2"}
	secured := tls.Client(conn, config)
	if err := secured.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secured
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
	creds := insecure.NewCredentials()
	if w.ca != nil {
		w.web = "https://" + web.Addr().String()
		creds = credentials.NewTLS(clientConfig(t, w.ca, nil))
	}
	w.asks = http.Client{Transport: w.transport(t)}
	w.conn, err = grpc.NewClient("passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(creds),
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
		w.asks.CloseIdleConnections()
	})
}

// shop returns a started world of a shop.
func shop(t testing.TB, change func(*server.Options)) *world {
	t.Helper()
	w := newWorld(t, change)
	w.Shop(t)
	return w.start(t)
}
