package system

import (
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A server that begins while Redis is away waits for it: it answers UNAVAILABLE and is not ready until Redis is there.
func TestServeBeginsWhileRedisIsAway(t *testing.T) {
	shop := newRedisShop(t, "", "--appendonly", "yes")
	before := shop.serve()
	want := firstAnswer(t, before)
	ends(t, before)
	shop.redis.Kill()

	s := shop.serveUnready()
	refusal(t, s, time.Second, codes.Unavailable)
	if code, text := s.get(t, "/healthz"); code != 200 {
		t.Errorf("healthz: %d %s", code, text)
	}
	if code, text := s.get(t, "/readyz"); code != 503 || !strings.Contains(text, "has not been re") {
		t.Errorf("readyz: %d %s", code, text)
	}
	shop.redis.Restart()
	recovers(t, s, want, 5*time.Second)
	for end := time.Now().Add(patience(5 * time.Second)); !s.ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not ready although it answers:\n%s", s.log)
		}
	}
	for _, says := range []string{"the online store cannot be used", "the online store can be used now"} {
		if !strings.Contains(s.log.String(), says) {
			t.Errorf("the log does not say %q:\n%s", says, s.log)
		}
	}

	// As it loads its data: the same.
	shop.wire.set(wireMode{answer: "-LOADING Redis is loading the dataset in memory\r\n"})
	shop.wire.cut()
	s = shop.serveUnready()
	refusal(t, s, time.Second, codes.Unavailable)
	shop.wire.set(wireMode{})
	shop.wire.cut()
	recovers(t, s, want, 5*time.Second)
}

// Redis goes while many ask, and comes back: each call is answered right, or refused within its deadline; the refused
// ones are counted; two seconds after Redis is back nothing is refused any more.
func TestRedisGoesAndComesBack(t *testing.T) {
	shop := newRedisShop(t, "", "--appendonly", "yes")
	s := shop.serve()
	want := firstAnswer(t, s)
	var asking sync.WaitGroup
	var answered, refused, late atomic.Int64
	settled := make(chan struct{})
	stop := make(chan struct{})
	for range 8 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				back := ended(settled)
				begin := time.Now()
				got, err := churnOf(s, time.Second)
				if took := time.Since(begin); took > time.Second+patience(2*time.Second) {
					late.Add(1)
				}
				switch code := status.Code(err); {
				case err == nil && !proto.Equal(got, want):
					t.Errorf("got %v", got)
					return
				case err == nil:
					answered.Add(1)
				case code == codes.Unavailable || code == codes.DeadlineExceeded:
					refused.Add(1)
					if back && (code == codes.Unavailable || *strict) {
						t.Errorf("refused although Redis is back: %v", err)
						return
					}
				default:
					t.Errorf("got %v", err)
					return
				}
			}
		})
	}
	more := func(n *atomic.Int64) {
		t.Helper()
		for from, end := n.Load(), time.Now().Add(patience(10*time.Second)); n.Load() < from+20; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("nothing goes on: %d answered, %d refused", answered.Load(), refused.Load())
				return
			}
		}
	}
	for range 2 {
		more(&answered)
		shop.redis.Kill()
		more(&refused)
		shop.redis.Restart()
		recovers(t, s, want, 2*time.Second)
		more(&answered)
	}
	time.Sleep(time.Second) // until then a call may meet a connection of before
	close(settled)
	more(&answered)
	close(stop)
	asking.Wait()
	if late.Load() > 0 {
		t.Errorf("%d calls outlived their deadlines by two seconds", late.Load())
	}
	if n := refusedAs(t, s, "UNAVAILABLE") + refusedAs(t, s, "DEADLINE_EXCEEDED"); int64(n) < refused.Load()*9/10 || n == 0 { // a client gives up a little before the server
		t.Errorf("%d calls were refused, %v are counted", refused.Load(), n)
	}
	if lines := strings.Count(s.log.String(), "a request failed"); lines == 0 || lines > 30 {
		t.Errorf("the log tells %d times of refused requests:\n%s", lines, s.log)
	}
}

// A Redis that hangs, or is slow, costs a caller no more than its deadline, and nothing once it goes on.
func TestRedisHangsOrIsSlow(t *testing.T) {
	t.Parallel() // it waits most of the time
	shop := newRedisShop(t, "")
	s := shop.serve()
	want := firstAnswer(t, s)
	before := gauges(t, s)["go_goroutines"]

	shop.redis.Pause()
	var calls sync.WaitGroup
	for range 50 { // more than there are connections
		calls.Go(func() { refusal(t, s, 500*time.Millisecond, codes.DeadlineExceeded, codes.Unavailable) })
	}
	calls.Go(func() { refusal(t, s, 0, codes.DeadlineExceeded, codes.Unavailable) }) // within the server's own
	for _, path := range []string{"/healthz", "/metrics", "/readyz"} {
		begin := time.Now()
		if code, text := s.get(t, path); code != 200 || time.Since(begin) > 3*time.Second {
			t.Errorf("%s: %d after %s: %.200s", path, code, time.Since(begin), text)
		}
	}
	calls.Wait()
	shop.redis.Resume()
	recovers(t, s, want, 2*time.Second)

	shop.wire.set(wireMode{delay: 700 * time.Millisecond})
	refusal(t, s, 300*time.Millisecond, codes.DeadlineExceeded, codes.Unavailable)
	right(t, s, want)
	shop.wire.set(wireMode{piece: 40, delay: 100 * time.Microsecond}) // in small pieces it is the same answer
	right(t, s, want)
	shop.wire.set(wireMode{})
	recovers(t, s, want, 2*time.Second)
	for end := time.Now().Add(patience(10 * time.Second)); gauges(t, s)["go_goroutines"] > before+20; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v goroutines, and %v before", gauges(t, s)["go_goroutines"], before)
		}
	}
}

// An answer of Redis that breaks off anywhere is no answer.
func TestRedisBreaksOff(t *testing.T) {
	shop := newRedisShop(t, "")
	s := shop.serve()
	want := firstAnswer(t, s)
	for cut := 1; cut < 4000; cut += 1 + cut/3 {
		shop.wire.set(wireMode{cut: cut})
		shop.wire.cut()
		got, err := churnOf(s, 5*time.Second)
		if err == nil && !proto.Equal(got, want) {
			t.Fatalf("after %d bytes of Redis' answers: %v, want %v", cut, got, want)
		}
		if code := status.Code(err); err != nil && code != codes.Unavailable {
			t.Fatalf("after %d bytes of Redis' answers: %v", cut, err)
		}
	}
	shop.wire.set(wireMode{})
	shop.wire.cut()
	recovers(t, s, want, 2*time.Second)
}

// Redis is full while materialize writes: the run says so and ends, what was published goes on serving, and once there
// is room the next run completes.
func TestRedisIsFull(t *testing.T) {
	t.Parallel() // it waits most of the time
	shop := newRedisShop(t, "", "--maxmemory-policy", "noeviction")
	s := shop.serve()
	ask := func() string {
		return shop.must("get", "--grpc", s.grpc, "--features", "customer_product.last_price", "--entity", "customer_id=12003,stock_code=P10007", "--output", "json")
	}
	want := ask()
	for name, room := range map[string]int{"at the start": 0, "half-way": 80_000} {
		shop.config("maxmemory", "0")
		used, err := strconv.Atoi(field(shop.cli("info", "memory"), "used_memory"))
		if err != nil {
			t.Fatal(err)
		}
		limit := 1 // what is used goes up and down by itself
		if room > 0 {
			limit = used + room
		}
		shop.config("maxmemory", strconv.Itoa(limit))
		got := shop.run("materialize", "customer_product", "--full", "--to", "2025-12-02")
		if got.status != 6 || !strings.Contains(got.stderr, "OOM") || !strings.Contains(got.stderr, "raise maxmemory") {
			t.Errorf("%s: exit status %d\n%s", name, got.status, got.stderr)
		}
		if begun := strings.Contains(got.stdout, "failed"); begun != (room > 0) {
			t.Errorf("%s: it got as far as\n%s", name, got.stdout)
		}
		if now := ask(); now != want {
			t.Errorf("%s: %s\nand before %s", name, now, want)
		}
	}
	shop.config("maxmemory", "0")
	shop.materialize("customer_product", "--to", "2025-12-02") // goes on with the run that was broken off
	if now := ask(); now == want || !strings.Contains(now, `"published":"2025-12-02T00:00:00Z"`) {
		t.Errorf("once there is room: %s", now)
	}
}

// More callers than connections wait for their turn; a Redis that takes no more connections refuses, and it is over
// when it takes them again.
func TestMoreCallersThanConnections(t *testing.T) {
	shop := newRedisShop(t, "?pool_size=2")
	s := shop.serve()
	want := firstAnswer(t, s)
	var calls sync.WaitGroup
	for range 64 {
		calls.Go(func() {
			for range 5 {
				right(t, s, want)
			}
		})
	}
	calls.Wait()
	if n, err := strconv.Atoi(field(shop.cli("info", "clients"), "connected_clients")); err != nil || n > 4 { // two, and redis-cli's own
		t.Errorf("%d connections, %v", n, err)
	}
	held, err := net.Dial("unix", shop.socket)
	if err != nil {
		t.Fatal(err)
	}
	shop.config("maxclients", "1")
	shop.wire.cut()
	refusal(t, s, time.Second, codes.Unavailable, codes.DeadlineExceeded)
	got := shop.run("get", "--service", "churn", "--entity", "customer_id=12003")
	if got.status != 6 || !strings.Contains(got.stderr, "maxclients") {
		t.Errorf("get: exit status %d\n%s", got.status, got.stderr)
	}
	held.Close()
	recovers(t, s, want, 3*time.Second)
}
