package system

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// redisShop is a shop whose online store is a Redis behind a wire, with what is published at the first of December.
type redisShop struct {
	*repo
	redis  *redistest.Server
	wire   *wire
	socket string
}

// newRedisShop starts a redis-server with extra arguments and publishes to it. options end the URL: "?pool_size=2".
func newRedisShop(t testing.TB, options string, args ...string) *redisShop {
	t.Helper()
	s := &redisShop{redis: redistest.New(t, args...)}
	s.socket = strings.TrimSuffix(strings.TrimPrefix(s.redis.URL, "unix://"), "?db=0")
	s.wire = newWire(t, s.socket)
	s.repo = newRepo(t, s.wire.URL+options)
	s.must("init", ".")
	s.must("apply", "--yes")
	s.must("materialize", "--to", "2025-12-01")
	return s
}

// config sets a setting of the server, and cli runs any command of it.
func (s *redisShop) config(name, value string) { s.cli("config", "set", name, value) }

func (s *redisShop) cli(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-s", s.socket}, args...)...).CombinedOutput()
	if err != nil || strings.HasPrefix(string(out), "ERR") {
		s.t.Fatalf("redis-cli %v: %v %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// churnOf asks a server for the service churn of customers, with a deadline; 0: the server's own.
func churnOf(s *served, deadline time.Duration, customers ...int64) (*fstorev1.GetOnlineFeaturesResponse, error) {
	ctx, cancel := context.WithCancel(context.Background())
	if deadline > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), deadline)
	}
	defer cancel()
	if len(customers) == 0 {
		customers = []int64{12003, 12012, 99999}
	}
	return s.client.GetOnlineFeatures(ctx, churnRequest(customers...))
}

func churnRequest(customers ...int64) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "churn"},
		Entities: []*fstorev1.Column{{Name: "customer_id", Values: &fstorev1.Values{Kind: &fstorev1.Values_Int64Values{
			Int64Values: &fstorev1.Int64Values{Values: customers},
		}}}},
	}
}

// right fails the test where a server does not give the answer that it gave before.
func right(t testing.TB, s *served, want *fstorev1.GetOnlineFeaturesResponse) {
	t.Helper()
	got, err := churnOf(s, 10*time.Second)
	if err != nil || !proto.Equal(got, want) {
		t.Fatalf("got %v, %v, want %v\n%s", got, err, want, s.log)
	}
}

// anew fails the test where a server does not give the values that it gave before, from whatever generations, and
// returns its answer.
func anew(t testing.TB, s *served, before *fstorev1.GetOnlineFeaturesResponse) *fstorev1.GetOnlineFeaturesResponse {
	t.Helper()
	now, err := churnOf(s, 10*time.Second)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	same := proto.Clone(now).(*fstorev1.GetOnlineFeaturesResponse)
	if same.Views = before.Views; !proto.Equal(same, before) {
		t.Fatalf("got %v, and before %v", now, before)
	}
	return now
}

// firstAnswer returns what a server answers while all is well.
func firstAnswer(t testing.TB, s *served) *fstorev1.GetOnlineFeaturesResponse {
	t.Helper()
	a, err := churnOf(s, 10*time.Second)
	if err != nil || a.GetRows() != 3 || a.Features[0].Values.GetFloat64Values().GetValues()[0] != 77.58 {
		t.Fatalf("%v, %v\n%s", a, err, s.log)
	}
	return a
}

// recovers waits until a server answers as before, and fails the test where that takes longer than within.
func recovers(t testing.TB, s *served, want *fstorev1.GetOnlineFeaturesResponse, within time.Duration) {
	t.Helper()
	var got *fstorev1.GetOnlineFeaturesResponse
	var err error
	for end := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if got, err = churnOf(s, time.Second); err == nil && proto.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: got %v, %v, want %v\n%s", within, got, err, want, s.log)
		}
	}
}

// refusal is what a call that must fail gave, and how long it took.
func refusal(t testing.TB, s *served, deadline time.Duration, want ...codes.Code) {
	t.Helper()
	begin := time.Now()
	answer, err := churnOf(s, deadline)
	took := time.Since(begin)
	if !slices.Contains(want, status.Code(err)) {
		t.Errorf("got %v, %v, want %v\n%s", answer, err, want, s.log)
	}
	if deadline == 0 {
		deadline = 5 * time.Second // the server's
	}
	if took > deadline+2*time.Second { // the machine may be busy
		t.Errorf("a call with a deadline of %s took %s", deadline, took)
	}
}

// gauges returns what /metrics says, by name and labels.
func gauges(t testing.TB, s *served) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + s.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if i := strings.LastIndexByte(lines.Text(), ' '); i > 0 && name != "#" {
			name, value = lines.Text()[:i], lines.Text()[i+1:]
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out
}

// refusedAs counts the requests that a server has answered with a code, over gRPC.
func refusedAs(t testing.TB, s *served, code string) float64 {
	t.Helper()
	return gauges(t, s)[fmt.Sprintf(`fstore_requests_total{code=%q,method="GetOnlineFeatures",transport="grpc"}`, code)]
}

// get asks a server over HTTP.
func (s *served) get(t testing.TB, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + s.http + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text.String()
}

// ends ends a server, which has to go in peace.
func ends(t testing.TB, s *served) {
	t.Helper()
	s.conn.Close()
	if s.signal(syscall.SIGTERM); s.wait() != 0 {
		t.Errorf("serve ended badly:\n%s", s.log)
	}
}

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
	for end := time.Now().Add(5 * time.Second); !s.ready(); time.Sleep(10 * time.Millisecond) {
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
				begin := time.Now()
				got, err := churnOf(s, time.Second)
				if took := time.Since(begin); took > 3*time.Second {
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
					select {
					case <-settled:
						t.Errorf("refused although Redis is back: %v", err)
						return
					default:
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
		for from, end := n.Load(), time.Now().Add(10*time.Second); n.Load() < from+20; time.Sleep(time.Millisecond) {
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
	time.Sleep(time.Second) // what was asked before may still be refused; behind that nothing is
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
	for end := time.Now().Add(10 * time.Second); gauges(t, s)["go_goroutines"] > before+20; time.Sleep(20 * time.Millisecond) {
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
	shop := newRedisShop(t, "", "--maxmemory-policy", "noeviction")
	s := shop.serve()
	ask := func() string {
		return shop.must("get", "--grpc", s.grpc, "--features", "customer_product.last_price", "--entity", "customer_id=12003,stock_code=P10007", "--output", "json")
	}
	want := ask()
	for name, room := range map[string]int{"at the start": -10_000, "half-way": 80_000} {
		shop.config("maxmemory", "0")
		used, err := strconv.Atoi(field(shop.cli("info", "memory"), "used_memory"))
		if err != nil {
			t.Fatal(err)
		}
		shop.config("maxmemory", strconv.Itoa(used+room))
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
	shop.must("materialize", "customer_product", "--full", "--to", "2025-12-02")
	if now := ask(); now == want || !strings.Contains(now, `"published":"2025-12-02T00:00:00Z"`) {
		t.Errorf("once there is room: %s", now)
	}
}

// field returns a field of Redis' INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return v
		}
	}
	return ""
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
