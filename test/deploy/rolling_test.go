package deploy

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
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
	r := newRolling(t)
	proxy := newProxy(t, r.servers[0].grpc, r.servers[1].grpc)
	var answered atomic.Int64
	var asks []func() bool
	for range 4 {
		conn, err := grpc.NewClient(proxy.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := fstorev1.NewFeatureStoreClient(conn)
		for range 4 {
			asks = append(asks, func() bool { return lookup(t, client, &answered) })
		}
	}
	restarts := r.restart(&answered, asks, func(i int, s *server) { proxy.replace(i, s.grpc) })
	t.Logf("%d look-ups answered during %d restarts, over %d connections", answered.Load(), restarts, proxy.connections.Load())
	if n := proxy.connections.Load(); n < int64(4+restarts) {
		t.Errorf("the proxy forwarded %d connections: the restarts cut off nobody, and the test proves nothing", n)
	}
}

// HTTP/1.1 cannot tell a client that its connection is about to close, so some look-ups fail in restarts. Sent again, each is
// answered. The log counts the look-ups that took a second attempt, and more.
func TestRollingRestartsOverHTTPNeedARetry(t *testing.T) {
	const attempts = 5
	r := newRolling(t)
	proxy := newProxy(t, r.servers[0].http, r.servers[1].http)
	var answered atomic.Int64
	var mu sync.Mutex // guards failed and why
	failed, why := [attempts]int{}, map[string]int{}
	var asks []func() bool
	for range 16 {
		client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		asks = append(asks, func() bool {
			for attempt := range attempts {
				err := lookupHTTP(client, proxy.address)
				if err == nil {
					answered.Add(1)
					return true
				}
				mu.Lock()
				failed[attempt]++
				why[ports.ReplaceAllString(err.Error(), "")]++
				mu.Unlock()
			}
			return false
		})
	}
	restarts := r.restart(&answered, asks, func(i int, s *server) { proxy.replace(i, s.http) })
	t.Logf("%d look-ups answered during %d restarts; failed at the first, second… attempt: %v (%v)", answered.Load(), restarts, failed, why)
	if failed[attempts-1] > 0 {
		t.Errorf("%d look-ups are lost", failed[attempts-1])
	}
	if n := proxy.connections.Load(); n < int64(16+restarts) {
		t.Errorf("the proxy forwarded %d connections: the restarts cut off nobody, and the test proves nothing", n)
	}
}

// ports are what differs between errors of one kind.
var ports = regexp.MustCompile(`:[0-9]+`)

// lookupHTTP looks up two customers.
func lookupHTTP(client *http.Client, address string) error {
	resp, err := client.Post("http://"+address+"/v1/online-features", "application/json",
		strings.NewReader(`{"service":"churn","entities":{"customer_id":[12003,12012]}}`))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %s", resp.StatusCode, text)
	case !strings.Contains(string(text), `"customer_id":[12003,12012]`):
		return fmt.Errorf("an answer of something else: %.200s", text)
	}
	return nil
}

// rolling is two servers that are restarted in turn.
type rolling struct {
	*repo
	servers []*server
}

func newRolling(t *testing.T) *rolling {
	r := newShop(t, "FSTORE_ONLINE="+redistest.New(t).URL)
	r.must("materialize", "--leak-check", "off", "--to", "2025-12-01")
	return &rolling{r, []*server{r.serve(), r.serve()}}
}

// restart restarts the servers until enough look-ups are answered, while each of asks runs again and again, until it returns
// false. It returns the number of restarts.
func (r *rolling) restart(answered *atomic.Int64, asks []func() bool, replace func(i int, s *server)) (restarts int) {
	var clients sync.WaitGroup
	var over, failed atomic.Bool
	for _, ask := range asks {
		clients.Go(func() {
			for !over.Load() {
				if !ask() {
					failed.Store(true)
					return
				}
			}
		})
	}
	for restarts < 4 || answered.Load() < int64(*lookupsFlag) && !failed.Load() {
		i := restarts % len(r.servers)
		before := answered.Load()
		if status := r.servers[i].stop(); status != 0 {
			r.t.Errorf("a server ended with %d; its log:\n%s", status, r.servers[i].log.String())
		}
		r.servers[i] = r.serve()
		replace(i, r.servers[i])
		restarts++
		eventually(r.t, "look-ups are answered between restarts", func() error {
			if answered.Load() < before+100 && !failed.Load() {
				return io.ErrNoProgress
			}
			return nil
		})
	}
	over.Store(true)
	clients.Wait()
	return restarts
}

// lookup looks up two customers and counts the answer. It reports whether there was one.
func lookup(t *testing.T, client fstorev1.FeatureStoreClient, answered *atomic.Int64) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := client.GetOnlineFeatures(ctx, &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "churn"},
		Entities:  []*fstorev1.Column{{Name: "customer_id", Int64Values: []int64{12003, 12012}}},
	})
	if err != nil || answer.GetRows() != 2 {
		t.Errorf("a look-up is lost: %d rows, %v", answer.GetRows(), err)
		return false
	}
	answered.Add(1)
	return true
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
