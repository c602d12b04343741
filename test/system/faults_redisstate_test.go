package system

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// refuses waits until a server refuses calls with a code, and fails the test if it gives a wrong answer before.
func refuses(t testing.TB, s *served, before *fstorev1.GetOnlineFeaturesResponse, code codes.Code) {
	t.Helper()
	for end := time.Now().Add(patience(10 * time.Second)); ; time.Sleep(10 * time.Millisecond) {
		got, err := churnOf(s, 5*time.Second)
		if status.Code(err) == code {
			return
		}
		if err == nil && !proto.Equal(got, before) {
			t.Fatalf("got %v, want %v", got, before)
		}
		if time.Now().After(end) {
			t.Fatalf("got %v, want %v\n%s", err, code, s.log)
		}
	}
}

// web fails the test unless a server answers a look-up over HTTP with a status.
func web(t testing.TB, s *served, want int) {
	t.Helper()
	resp, err := http.Post("http://"+s.http+"/v1/online-features", "application/json", strings.NewReader(`{"service":"churn","entities":{"customer_id":[12003]}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("HTTP status %d, want %d", resp.StatusCode, want)
	}
}

// open tells whether the circuit breaker of a server is open.
func open(t testing.TB, s *served) bool {
	t.Helper()
	return gauges(t, s)["fstore_store_breaker_open"] != 0
}

// closes waits until the circuit breaker of a server is closed.
func closes(t testing.TB, s *served) {
	t.Helper()
	for end := time.Now().Add(time.Minute); open(t, s); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the breaker stays open:\n%s", s.log)
		}
	}
}

// Redis is set to evict while a server runs, and drops records. The server refuses all reads from then on, although the
// policy is right again, until the store was filled anew and somebody has reset Redis' statistics.
func TestRedisEvictsWhileServing(t *testing.T) {
	t.Parallel() // it waits most of the time
	shop := newRedisShop(t, "")
	s := shop.serve()
	want := firstAnswer(t, s)
	if open(t, s) {
		t.Error("the breaker is open")
	}
	shop.config("maxmemory-policy", "allkeys-random")
	refuses(t, s, want, codes.Unavailable)
	web(t, s, 503)
	if !open(t, s) {
		t.Error("the breaker is closed")
	}
	if log := s.log.String(); !strings.Contains(log, "circuit breaker is open") || !strings.Contains(log, "maxmemory-policy is allkeys-random") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	if got := shop.run("doctor"); got.status != 4 || !strings.Contains(got.stdout, "maxmemory-policy is allkeys-random") {
		t.Errorf("doctor: exit status %d\n%s", got.status, got.stdout)
	}
	if code, text := s.get(t, "/readyz"); code != 200 {
		t.Errorf("readyz: %d %s", code, text)
	}
	shop.config("maxmemory-policy", "noeviction")
	recovers(t, s, want, 3*time.Second)

	shop.config("maxmemory-policy", "allkeys-random")
	refuses(t, s, want, codes.Unavailable)
	used, err := strconv.Atoi(field(shop.cli("info", "memory"), "used_memory"))
	if err != nil {
		t.Fatal(err)
	}
	shop.config("maxmemory", strconv.Itoa(used-50_000))
	shop.cli("set", "another", "key")
	shop.config("maxmemory", "0")
	shop.config("maxmemory-policy", "noeviction")
	if n := field(shop.cli("info", "stats"), "evicted_keys"); n == "0" {
		t.Fatal("nothing was evicted")
	}
	logs(t, s, "keys: features may be missing", 1)
	refusal(t, s, time.Second, codes.Unavailable)
	if got := shop.run("doctor"); got.status != 4 || !strings.Contains(got.stdout, "has evicted") || !strings.Contains(got.stdout, "config resetstat") {
		t.Errorf("doctor: exit status %d\n%s", got.status, got.stdout)
	}
	next := shop.serveUnready() // one that has not seen it happen
	defer next.kill()
	refusal(t, next, time.Second, codes.Unavailable)
	web(t, next, 503)
	if code, _ := next.get(t, "/readyz"); code != 503 {
		t.Errorf("readyz: %d", code)
	}
	if got := shop.run("materialize", "--to", "2025-12-01"); got.status != 0 || !strings.Contains(got.stderr, "has evicted") || !strings.Contains(got.stderr, "--full") {
		t.Errorf("materialize: exit status %d\n%s", got.status, got.stderr)
	}
	refusal(t, next, time.Second, codes.Unavailable)
	shop.materialize("--full", "--to", "2025-12-01")
	refusal(t, s, time.Second, codes.Unavailable)
	refusal(t, next, time.Second, codes.Unavailable)
	shop.cli("config", "resetstat")
	for _, each := range []*served{s, next} { // each has a breaker, which looks at a time of its own
		closes(t, each)
		anew(t, each, want)
	}
}

// A Redis that keeps nothing comes back empty: callers are told what to run, and once that was done they get answers.
func TestRedisComesBackEmpty(t *testing.T) {
	t.Parallel() // it waits most of the time
	shop := newRedisShop(t, "")
	s := shop.serve()
	want := firstAnswer(t, s)
	shop.redis.Kill()
	shop.redis.Restart()
	refuses(t, s, want, codes.FailedPrecondition)
	web(t, s, 409)
	if _, err := churnOf(s, time.Second); !strings.Contains(err.Error(), "fstore materialize") {
		t.Errorf("got %v", err)
	}
	if got := shop.run("get", "--service", "churn", "--entity", "customer_id=12003"); got.status != 1 || !strings.Contains(got.stderr, "fstore materialize") {
		t.Errorf("get: exit status %d\n%s", got.status, got.stderr)
	}
	shop.materialize("--to", "2025-12-01")
	anew(t, s, want)
}

// A Redis that becomes a replica answers reads, with a warning, and takes no writes.
func TestRedisBecomesAReplica(t *testing.T) {
	t.Parallel() // it waits most of the time
	shop := newRedisShop(t, "")
	s := shop.serve()
	want := firstAnswer(t, s)
	shop.cli("replicaof", "127.0.0.1", "1")
	logs(t, s, "it is a replica", 1)
	right(t, s, want)
	if got := shop.run("materialize", "customer_orders", "--to", "2025-12-02"); got.status != 6 || !strings.Contains(got.stderr, "it is a replica") {
		t.Errorf("materialize: exit status %d\n%s", got.status, got.stderr)
	}
	shop.cli("replicaof", "no", "one")
	shop.materialize("customer_orders", "--to", "2025-12-01")
	anew(t, s, want)
}

// CLIENT PAUSE holds every command. No call waits for longer than its deadline, and the breaker closes by itself.
func TestRedisPausesItsClients(t *testing.T) {
	t.Parallel() // it waits most of the time
	shop := newRedisShop(t, "")
	s := shop.serve()
	want := firstAnswer(t, s)
	shop.cli("client", "pause", "4000", "all")
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() { refusal(t, s, 200*time.Millisecond, codes.DeadlineExceeded, codes.Unavailable) })
	}
	calls.Wait()

	logs(t, s, "circuit breaker is open", 1) // a look hangs too
	web(t, s, 503)
	begin := time.Now()
	refusal(t, s, time.Minute, codes.Unavailable) // and a caller with much time gives up none
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("a refusal took %s", took)
	}
	recovers(t, s, want, 8*time.Second)
}

// A Redis that loads much data after a restart refuses commands; the server answers once it is loaded.
func TestRedisLoadsItsData(t *testing.T) {
	t.Parallel() // it waits most of the time
	shop := newRedisShop(t, "", "--key-load-delay", "200", "--loading-process-events-interval-bytes", "1024")
	s := shop.serve()
	want := firstAnswer(t, s)
	shop.cli("save")
	shop.redis.Kill()
	loaded := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			select {
			case <-loaded:
				return
			default:
			}
			got, err := churnOf(s, time.Second)
			if code := status.Code(err); err == nil && !proto.Equal(got, want) || err != nil && code != codes.Unavailable && code != codes.DeadlineExceeded {
				t.Errorf("got %v, %v", got, err)
				return
			}
		}
	})
	shop.redis.Restart() // returns once the data is loaded
	close(loaded)
	asking.Wait()
	recovers(t, s, want, 3*time.Second)
}
