package system

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
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
	s.materialize("--to", "2025-12-01")
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
		Entities:  []*fstorev1.Column{{Name: "customer_id", Int64Values: customers}},
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
	if err != nil || a.GetRows() != 3 || a.Features[0].Float64Values[0] != 77.58 {
		t.Fatalf("%v, %v\n%s", a, err, s.log)
	}
	return a
}

// recovers waits until a server answers as before, and fails the test where that takes longer than within (see patience).
func recovers(t testing.TB, s *served, want *fstorev1.GetOnlineFeaturesResponse, within time.Duration) {
	t.Helper()
	var got *fstorev1.GetOnlineFeaturesResponse
	var err error
	for end := time.Now().Add(patience(within)); ; time.Sleep(10 * time.Millisecond) {
		if got, err = churnOf(s, 5*time.Second); err == nil && proto.Equal(got, want) {
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
	if took > deadline+patience(2*time.Second) {
		t.Errorf("a call with a deadline of %s took %s", deadline, took)
	}
}

// gauges returns what /metrics says, by name and labels.
func gauges(t testing.TB, s *served) map[string]float64 {
	t.Helper()
	resp, err := http.Get(s.url("/metrics"))
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
	resp, err := http.Get(s.url(path))
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

// field returns a field of Redis' INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return v
		}
	}
	return ""
}

// ended reports whether a channel is closed.
func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
