package system

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// toxic is a fault of the network, as toxiproxy names it.
type toxic struct {
	Type       string         `json:"type"`
	Stream     string         `json:"stream"` // downstream: what Redis sends; upstream: what fstore sends
	Attributes map[string]any `json:"attributes"`
	Toxicity   float64        `json:"toxicity"` // the share of connections that it applies to
}

// network is a toxiproxy between fstore and a Redis.
type network struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

var quiet sync.Once

func newNetwork(t testing.TB, upstream string) *network {
	t.Helper()
	quiet.Do(func() { zerolog.SetGlobalLevel(zerolog.Disabled) }) // toxics have loggers of their own
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	n := &network{t: t, proxy: toxiproxy.NewProxy(api, "redis", "127.0.0.1:0", upstream)}
	if err := n.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.heal()
		n.down()
	})
	return n
}

// spoil adds toxics, also to the connections that exist.
func (n *network) spoil(toxics ...toxic) {
	n.t.Helper()
	for _, x := range toxics {
		text, err := json.Marshal(x)
		if err != nil {
			n.t.Fatal(err)
		}
		if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
			n.t.Fatal(err)
		}
	}
}

// heal removes all toxics.
func (n *network) heal() { n.proxy.Toxics.ResetToxics(context.Background()) }

// down closes all connections and refuses new ones.
func (n *network) down() { n.proxy.Stop() }

// up takes connections again.
func (n *network) up() {
	n.t.Helper()
	if err := n.proxy.Start(); err != nil {
		n.t.Fatal(err)
	}
}

// networkShop is a shop whose Redis is reached over a network, its server, and the right answers.
type networkShop struct {
	*repo
	redis   *redistest.Server
	network *network
	served  *served
	want    map[int64]*fstorev1.GetOnlineFeaturesResponse // by customer
}

func newNetworkShop(t testing.TB) *networkShop {
	t.Helper()
	s := &networkShop{redis: redistest.NewTCP(t), want: map[int64]*fstorev1.GetOnlineFeaturesResponse{}}
	s.network = newNetwork(t, strings.TrimSuffix(strings.TrimPrefix(s.redis.URL, "redis://"), "/0"))
	s.repo = newRepo(t, "redis://"+s.network.proxy.Listen+"/0")
	s.must("init", ".")
	s.must("apply", "--yes")
	s.materialize("--to", "2025-12-01")
	s.served = s.serve()
	for customer := int64(12000); customer < 12040; customer++ {
		answer, err := churnOf(s.served, 10*time.Second, customer)
		if err != nil {
			t.Fatal(err)
		}
		s.want[customer] = answer
	}
	return s
}

// outcome counts how a server treated its callers.
type outcome struct {
	answered, refused int
	latest            time.Duration // the most that a call took beyond its deadline
}

// ask makes calls one after the other, each for another customer. An answer must be that customer's, and an error must
// say that the store is at fault or that the time is over.
func (s *networkShop) ask(calls int, deadline time.Duration) (o outcome) {
	s.t.Helper()
	for i := range calls {
		customer := int64(12000 + i%len(s.want))
		begin := time.Now()
		got, err := churnOf(s.served, deadline, customer)
		o.latest = max(o.latest, time.Since(begin)-deadline)
		switch code := status.Code(err); {
		case err == nil && !proto.Equal(got, s.want[customer]):
			s.t.Errorf("customer %d: got %v, want %v", customer, got, s.want[customer])
		case err == nil:
			o.answered++
		case code == codes.Unavailable || code == codes.DeadlineExceeded:
			o.refused++
		default:
			s.t.Errorf("customer %d: %v", customer, err)
		}
	}
	return o
}

// crowd has several callers ask at once.
func (s *networkShop) crowd(callers, calls int, deadline time.Duration) (o outcome) {
	s.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	for range callers {
		all.Go(func() {
			mine := s.ask(calls, deadline)
			mu.Lock()
			defer mu.Unlock()
			o.answered += mine.answered
			o.refused += mine.refused
			o.latest = max(o.latest, mine.latest)
		})
	}
	all.Wait()
	return o
}

// slower returns how many look-ups took longer than a bound since before, as the server measured them. The bound must be
// one of the histogram's.
func (s *networkShop) slower(bound string, before map[string]float64) (n float64) {
	s.t.Helper()
	now := gauges(s.t, s.served)
	for _, code := range []string{"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED"} {
		series := fmt.Sprintf(`{code=%q,method="GetOnlineFeatures",transport="grpc"`, code)
		all := "fstore_request_duration_seconds_count" + series + "}"
		within := "fstore_request_duration_seconds_bucket" + series + fmt.Sprintf(",le=%q}", bound)
		if _, ok := now[within]; !ok && now[all] > 0 {
			s.t.Fatalf("/metrics has no %s", within)
		}
		n += now[all] - before[all] - (now[within] - before[within])
	}
	return n
}

// healthy waits until the server answers everyone again, and fails the test if that takes longer than within (see patience).
func (s *networkShop) healthy(within time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(patience(within)); ; time.Sleep(10 * time.Millisecond) {
		if s.ask(5, 5*time.Second).refused == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("calls are still refused %s after the fault:\n%s", within, s.served.log)
		}
	}
}
