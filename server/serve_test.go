package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
)

// hold makes the store's next reads wait until release is called; arrived receives one signal for each of them.
func (w *world) hold() (arrived chan struct{}, release func()) {
	arrived, free := make(chan struct{}, 10), make(chan struct{})
	w.backend.Hook(func(ctx context.Context) error {
		arrived <- struct{}{}
		select {
		case <-free:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return arrived, func() { close(free) }
}

func TestDrainFinishesWhatIsUnderWay(t *testing.T) {
	w := shop(t, nil)
	arrived, release := w.hold()
	results := make(chan error, 2)
	go func() {
		_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
		results <- err
	}()
	posted := make(chan int, 1)
	go func() {
		code, _ := w.post(t, `{"service":"churn","entities":{"customer_id":[1]}}`)
		posted <- code
	}()
	<-arrived
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	<-w.Draining()
	release()
	if err := <-results; err != nil {
		t.Errorf("gRPC: %v", err)
	}
	if code := <-posted; code != 200 {
		t.Errorf("HTTP: got %d", code)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
	_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
	servertest.WantStatus(t, err, codes.Unavailable, "")
}

func TestAConnectionKeptOpenIsAnsweredWhileDraining(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.Linger = time.Hour })
	client := &http.Client{Transport: w.transport(t)} // with connections of its own
	ask := func() *http.Response {
		t.Helper()
		r, err := client.Post(w.web+"/v1/online-features", "application/json", strings.NewReader(`{"service":"churn","entities":{"customer_id":[1]}}`))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 200 {
			t.Fatal(r.StatusCode, err)
		}
		return r
	}
	if ask().Close {
		t.Error("a connection is closed before the drain")
	}
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	<-w.Draining()
	if !ask().Close {
		t.Error("the client is not told to give its connection up")
	}
	if err := <-stopped; err != nil { // long before the linger is over: no connection is open
		t.Error(err)
	}
}

func TestDrainEndsWhatTakesTooLong(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.DrainTimeout = 10 * time.Millisecond; o.Timeout = time.Hour })
	arrived, release := w.hold()
	defer release()
	result := make(chan error, 1)
	go func() {
		_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
		result <- err
	}()
	<-arrived
	if err := w.stop(); err == nil || !strings.Contains(err.Error(), "still in flight after 10ms") {
		t.Errorf("Serve: got %v", err)
	}
	servertest.WantStatus(t, <-result, codes.Unavailable, "")
}

func TestListenerThatFailsEndsTheServer(t *testing.T) {
	w := newWorld(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web.Close()
	if err := w.Serve(context.Background(), w.overGRPC(l), w.overHTTP(web)); err == nil || !strings.HasPrefix(err.Error(), "serve http: ") {
		t.Errorf("got %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the other listener is still open")
	}
}

func TestServerToldToEndBeforeItBegins(t *testing.T) {
	w := newWorld(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Serve(ctx, w.overGRPC(l)); err != nil {
		t.Error(err)
	}
}

// late is a catalog that is read only after the server has begun to accept, or a while has passed.
type late struct {
	server.Catalog
	accepts <-chan struct{}
	early   chan bool
}

func (l late) Load(ctx context.Context) (server.Names, error) {
	select {
	case <-l.accepts:
		l.early <- true
	case <-time.After(100 * time.Millisecond):
		l.early <- false
	}
	return l.Catalog.Load(ctx)
}

// watched is a listener that tells when it is first asked for a connection.
type watched struct {
	net.Listener
	accepts func()
}

func (w watched) Accept() (net.Conn, error) {
	w.accepts()
	return w.Listener.Accept()
}

func TestNobodyIsAnsweredBeforeTheCatalogWasRead(t *testing.T) {
	accepts, early := make(chan struct{}), make(chan bool, 1)
	w := newWorld(t, func(o *server.Options) { o.Catalog = late{o.Catalog, accepts, early} })
	w.book.Set(page{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, w.overGRPC(watched{l, sync.OnceFunc(func() { close(accepts) })})) }()
	if <-early {
		t.Error("the server accepts connections before its catalog was read")
	}
	<-accepts // and then it does
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAConnectionThatHasNotGreetedDoesNotHoldUpTheDrain(t *testing.T) {
	settings := "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
	for name, sent := range map[string]string{
		"nothing": "", "no HTTP/2": "hello", "a part of the preface": http2.ClientPreface[:10], "no settings": http2.ClientPreface,
		"a part of the settings' header": http2.ClientPreface + settings[:5], "a part of the settings": http2.ClientPreface + settings[:12],
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, patient).start(t)
			conn := w.dial(t)
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			w.drainsSoon(t)
		})
	}
}
