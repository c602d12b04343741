package deploy

import (
	"context"
	"flag"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

var lookupsFlag = flag.Int("lookups", 5000, "look-ups in the test of rolling restarts")

// Two servers behind a proxy of TCP are restarted in turn, again and again, while clients of gRPC ask through it. They use the
// defaults of gRPC: no retry and no wait for a connection. No look-up is lost.
func TestRollingRestartsLoseNoLookup(t *testing.T) {
	r := newShop(t, "FSTORE_ONLINE="+redistest.New(t).URL)
	r.must("materialize", "--leak-check", "off", "--to", "2025-12-01")
	servers := []*server{r.serve(), r.serve()}
	proxy := newProxy(t, servers[0].grpc, servers[1].grpc)

	var answered atomic.Int64
	var clients sync.WaitGroup
	over := make(chan struct{})
	for range 4 {
		conn, err := grpc.NewClient(proxy.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := fstorev1.NewFeatureStoreClient(conn)
		for range 4 {
			clients.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
						lookup(t, client, &answered)
					}
				}
			})
		}
	}
	restarts := 0
	for restarts < 4 || answered.Load() < int64(*lookupsFlag) && !t.Failed() {
		i := restarts % len(servers)
		before := answered.Load()
		if status := servers[i].stop(); status != 0 {
			t.Errorf("a server ended with %d; its log:\n%s", status, servers[i].log.String())
		}
		servers[i] = r.serve()
		proxy.replace(i, servers[i].grpc)
		restarts++
		eventually(t, "look-ups are answered between restarts", func() error {
			if answered.Load() < before+100 && !t.Failed() {
				return io.ErrNoProgress
			}
			return nil
		})
	}
	close(over)
	clients.Wait()
	t.Logf("%d look-ups answered during %d restarts, over %d connections", answered.Load(), restarts, proxy.connections.Load())
	if n := proxy.connections.Load(); n < int64(4+restarts) {
		t.Errorf("the proxy forwarded %d connections: the restarts cut off nobody, and the test proves nothing", n)
	}
}

// lookup looks up two customers and counts the answer.
func lookup(t *testing.T, client fstorev1.FeatureStoreClient, answered *atomic.Int64) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := client.GetOnlineFeatures(ctx, &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "churn"},
		Entities:  []*fstorev1.Column{{Name: "customer_id", Int64Values: []int64{12003, 12012}}},
	})
	if err != nil || answer.GetRows() != 2 {
		t.Errorf("a look-up is lost: %d rows, %v", answer.GetRows(), err)
		return
	}
	answered.Add(1)
}

// proxy forwards connections to one backend after another. It knows nothing of gRPC or health: it goes to the next backend if one
// refuses a connection.
type proxy struct {
	address     string
	connections atomic.Int64 // that a backend took

	mu       sync.Mutex // guards the rest
	backends []string
	next     int
}

func newProxy(t *testing.T, backends ...string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), backends: backends}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			open.Go(func() { p.forward(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); open.Wait() })
	return p
}

// replace changes the address of a backend.
func (p *proxy) replace(i int, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backends[i] = address
}

// turn returns the backends in the order in which to try them.
func (p *proxy) turn() (order []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	for i := range p.backends {
		order = append(order, p.backends[(p.next+i)%len(p.backends)])
	}
	return order
}

// forward copies both ways between a client and a backend until both have closed their side.
func (p *proxy) forward(client net.Conn) {
	defer client.Close()
	for _, address := range p.turn() {
		backend, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		defer backend.Close()
		p.connections.Add(1)
		var both sync.WaitGroup
		both.Go(func() { pipe(backend, client) })
		both.Go(func() { pipe(client, backend) })
		both.Wait()
		return
	}
}

// pipe copies until its source ends, and passes the end on.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from) // a connection that is cut is the end, too
	_ = to.(*net.TCPConn).CloseWrite()
}
