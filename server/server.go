package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fstore-dev/fstore/online"
)

// Options are what a Server is made of. Catalog and Store must be set; of the others zero means the default.
type Options struct {
	Catalog Catalog       // where names come from
	Store   *online.Store // where values come from; the server sets its Observe and Elapsed

	Registry *prometheus.Registry // what /metrics shows; default: a new one
	Logger   *slog.Logger         // default: nothing is logged
	Clock    func() time.Time     // default: time.Now
	Replay   time.Time            // the instant that ages are judged at, and that every answer carries; zero: Clock's now
	Version  string               // of this build, for fstore_build_info; default: "unknown"

	Poll            time.Duration // between looks at the registry, and at a store that is away at first; default: a second
	Timeout         time.Duration // of requests whose caller sets no deadline; default: 5 s
	DrainTimeout    time.Duration // for requests under way when the server is told to end; default: 10 s
	Linger          time.Duration // that HTTP clients have to give up the connections they keep open, and requests to arrive in full; default: half a second
	MaxRequestBytes int           // of a gRPC message or an HTTP body; default: 4 MiB
	Hosts           []string      // names, beside those of loopback, that HTTP requests may be for; default: none
	MaxInFlight     int64         // bytes of all requests and answers in flight; default: 192 MiB
}

// Server answers requests until Serve's context ends.
type Server struct {
	store           *online.Store
	follower        *follower
	metrics         *metrics
	failures        *failures
	logger          *slog.Logger
	clock           func() time.Time
	replay          time.Time
	poll            time.Duration
	tick            <-chan time.Time // when to poll; nil: every poll
	timeout         time.Duration
	drainTimeout    time.Duration
	linger          time.Duration
	maxRequestBytes int
	hosts           hosts

	arriving    budget // bytes of requests as they arrive: a third of what may be in flight, so that slow callers leave room for others
	inFlight    budget // bytes of requests, look-ups and answers: the rest
	connections *grpcConnections
	late        context.Context //nolint:containedctx // ends where a draining server no longer waits for requests to arrive
	hurry       context.CancelFunc

	health   *health.Server
	grpc     *grpc.Server
	unfit    error // why this server cannot begin
	web      connections
	usable   chan struct{}  // closed once the online store was found right
	draining chan struct{}  // closed when the server is told to end
	underWay sync.WaitGroup // requests and streams
}

// New returns a server that has not begun. It takes over the store's Observe and Elapsed, so no look-up may be under
// way.
func New(o Options) *Server {
	s := &Server{
		store:           o.Store,
		logger:          or(o.Logger, slog.New(slog.DiscardHandler)),
		clock:           o.Clock,
		replay:          o.Replay,
		poll:            or(o.Poll, time.Second),
		timeout:         or(o.Timeout, 5*time.Second),
		drainTimeout:    or(o.DrainTimeout, 10*time.Second),
		linger:          or(o.Linger, 500*time.Millisecond),
		maxRequestBytes: or(o.MaxRequestBytes, 4<<20),
		health:          health.NewServer(),
		usable:          make(chan struct{}),
		draining:        make(chan struct{}),
	}
	for _, host := range o.Hosts {
		s.hosts = append(s.hosts, hostName(host))
	}
	total := or(o.MaxInFlight, 192<<20)
	s.arriving.limit, s.inFlight.limit = total/3, total-total/3
	s.connections = newConnections(&s.arriving)
	s.web.mute = map[net.Conn]struct{}{}
	s.late, s.hurry = context.WithCancel(context.Background())
	if s.clock == nil {
		s.clock = time.Now
	}
	s.failures = &failures{logger: s.logger, kinds: map[string]*failureKind{}}
	s.metrics = newMetrics(or(o.Registry, prometheus.NewRegistry()), or(o.Version, "unknown"))
	s.follower = &follower{
		catalog: o.Catalog, store: o.Store, clock: s.clock, log: s.logger, polled: make(chan struct{}),
		loaded: s.announce,
	}
	s.metrics.registry.MustRegister(&ages{follower: s.follower, store: o.Store, clock: s.clock, panicked: s.panicked})
	started := s.clock()
	s.store.Observe = s.metrics.lookup
	s.store.Elapsed = func() time.Duration { return s.clock().Sub(started) }
	s.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	s.grpc, s.unfit = s.newGRPC()
	return s
}

// or returns v, or the default where v is the zero value.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Serve answers gRPC and HTTP on the listeners, of which one may be nil, until ctx ends; then it drains. It begins once
// the catalog was read, or could not be: who connects before that waits. Draining, health says
// NOT_SERVING, gRPC accepts nothing new, nor does HTTP once its clients have given up their connections or the linger is
// over, what is under way is finished within the drain timeout, and what is not by then is ended. It returns when all of its goroutines have: nil after a drain in time, else what went wrong. It
// closes the listeners. It may be called once.
func (s *Server) Serve(ctx context.Context, grpcListener, httpListener net.Listener) error {
	if s.unfit != nil {
		return errors.Join(s.unfit, closeAll(grpcListener, httpListener))
	}
	// Requests outlive ctx while the server drains.
	web := s.newHTTP(context.WithoutCancel(ctx))
	ctx, end := context.WithCancel(ctx)
	defer end()
	var group sync.WaitGroup
	var failed [2]error
	serve := func(i int, name string, run func() error) {
		group.Go(func() {
			if err := run(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
				failed[i] = fmt.Errorf("serve %s: %w", name, err)
				end() // one without the other is no server
			}
		})
	}
	tick := s.tick
	if tick == nil {
		ticker := time.NewTicker(s.poll)
		defer ticker.Stop()
		tick = ticker.C
	}
	group.Go(func() { s.follower.run(ctx, tick) })
	group.Go(func() { s.awaitStore(ctx) })
	group.Go(func() { s.closeSlow(ctx) })
	s.follower.first(ctx)
	if grpcListener != nil {
		serve(0, "grpc", func() error { return s.grpc.Serve(grpcListener) })
	}
	if httpListener != nil {
		serve(1, "http", func() error { return web.Serve(httpListener) })
	}
	<-ctx.Done()
	late := s.drain(web)
	group.Wait()
	return errors.Join(failed[0], failed[1], late)
}

func closeAll(listeners ...net.Listener) (err error) {
	for _, l := range listeners {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

// drain ends both servers and waits for what is under way.
func (s *Server) drain(web *http.Server) error {
	s.logger.Info("draining")
	s.health.Shutdown()
	close(s.draining)
	ctx, cancel := context.WithTimeout(context.Background(), s.drainTimeout)
	defer cancel()
	var group sync.WaitGroup
	var lateGRPC, lateHTTP bool
	stopped := make(chan struct{})
	lingering, end := context.WithTimeout(ctx, s.linger)
	defer end()
	group.Go(func() {
		<-lingering.Done()
		s.hurry()
		s.web.closeMute()
		s.connections.endReceiving(errDraining)
		if s.connections.quiet(stopped, s.linger) {
			s.grpc.Stop() // GracefulStop waits 5 s for a client that does not answer its ping
		}
	})
	s.connections.closeMute()
	group.Go(func() {
		defer close(stopped)
		s.grpc.GracefulStop()
	})
	group.Go(func() {
		select {
		case <-stopped:
		case <-ctx.Done():
			lateGRPC = true
			s.grpc.Stop()
		}
	})
	group.Go(func() {
		s.web.wait(lingering)
		if web.Shutdown(ctx) != nil {
			lateHTTP = true
			_ = web.Close() // the error is the listener's, which is closed already
		}
	})
	group.Wait()
	s.underWay.Wait()
	if lateGRPC || lateHTTP {
		return fmt.Errorf("requests were still under way after %s and were ended", s.drainTimeout)
	}
	return nil
}

const (
	sendTimeout = time.Minute     // for an answer to be read
	sendHurry   = 5 * time.Second // for the same, where the answers in flight take nearly all there may be
)

// closeSlow closes the gRPC connections of clients that do not read their answers, until ctx ends.
func (s *Server) closeSlow(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		patience := sendTimeout
		if s.inFlight.used.Load() > s.inFlight.limit/2 {
			patience = sendHurry
		}
		s.connections.closeSlow(s.clock().Add(-patience))
	}
}
