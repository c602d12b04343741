package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/admission"
	"github.com/fstore-dev/fstore/server/audit"
	"github.com/fstore-dev/fstore/server/servedlog"
	"github.com/fstore-dev/fstore/tracing"
)

// Options configure a Server. Catalog and Store are required. For the others, zero means the default.
type Options struct {
	Catalog Catalog       // where names come from
	Store   *online.Store // where values come from; the server sets its Observe, Elapsed and Begin

	Pools    func() map[string]online.Pool // the store's connections by the role of the server; nil: it has none
	Refusing func() bool                   // whether the store's circuit breaker is open; default: there is none
	Registry *prometheus.Registry          // what /metrics shows; default: a new one
	Logger   *slog.Logger                  // default: nothing is logged
	Clock    func() time.Time              // default: time.Now
	Replay   time.Time                     // the instant at which ages are computed and that every answer states; zero: Clock's now
	Access   *access.Control               // who may ask for what; nil: everybody for everything. Its owner keeps it up to date
	Audit    *audit.Log                    // gets a line for each request; nil: nobody wants one. Its owner runs it
	Served   *servedlog.Log                // gets what is answered; nil: nobody wants it. Its owner runs it
	Tracer   *tracing.Tracer               // records spans of requests; nil: nobody wants them. Its owner closes it
	Project  string                        // that grants are for; needed with Access
	Version  string                        // of this build, for fstore_build_info; default: "unknown"

	Poll            time.Duration     // between looks at the registry, and at a store that is away at first; default: a second
	Timeout         time.Duration     // of requests whose caller sets no deadline; default: 5 s
	DrainTimeout    time.Duration     // for requests under way when the server is told to end; default: 10 s
	Linger          time.Duration     // how long HTTP clients have to close idle connections, and requests to arrive in full; default: half a second
	HeaderTimeout   time.Duration     // for a connection's handshake, and for a request's headers; default: 10 s
	MaxConnections  int               // of each protocol; default: 1000
	MaxRequestBytes int               // of a gRPC message or an HTTP body; default: 4 MiB
	Hosts           []string          // names, beside those of loopback, that HTTP requests may be for; default: none
	Metrics         string            // the address of health and metrics, for hints; default: none
	Certificates    *Certificates     // for TLS on the ports that carry data; default: plain text
	MaxInFlight     int64             // bytes of all requests and answers in flight; default: 192 MiB
	Admission       admission.Options // when requests are refused because there are too many; the server sets its Clock
}

// Protocol is a way to call the server, such as gRPC. It uses its Server to resolve, run and refuse requests.
type Protocol interface {
	// Name is what errors call it.
	Name() string
	// Serve answers requests on a listener, which it closes, until Drain.
	Serve(l net.Listener) error
	// Drain ends the protocol: it accepts nothing new, and waits for requests in flight until ctx ends. It reports
	// whether they ended in time; the others have been canceled.
	Drain(ctx context.Context) (inTime bool)
}

// Endpoint is a protocol and where it listens.
type Endpoint struct {
	Protocol Protocol
	Listener net.Listener
	Outlives bool // drains once the others have drained, so that health and metrics tell of it
}

// Server resolves, runs and refuses the requests of its protocols until Serve's context ends.
type Server struct {
	options  Options
	store    *online.Store
	follower *follower
	metrics  *metrics
	failures *failures
	tick     <-chan time.Time // when to poll; nil: every Poll

	arriving Budget // bytes of requests as they arrive: a third of what may be in flight, so that slow callers leave room for others
	inFlight Budget // bytes of requests, look-ups and answers: the rest

	admission *admission.Control

	onReady  []func()       // called by announce
	usable   chan struct{}  // closed once the online store was found right
	draining chan struct{}  // closed when the server is told to end
	underWay sync.WaitGroup // requests and streams
}

// New returns a server that has not started. It replaces the store's Observe, Elapsed and WentBack, and with a tracer its Begin, so no look-up may be in
// flight.
func New(o Options) *Server {
	o.Logger = or(o.Logger, slog.New(slog.DiscardHandler))
	o.Registry = or(o.Registry, prometheus.NewRegistry())
	o.Poll = or(o.Poll, time.Second)
	o.Timeout = or(o.Timeout, 5*time.Second)
	o.DrainTimeout = or(o.DrainTimeout, 10*time.Second)
	o.Linger = or(o.Linger, 500*time.Millisecond)
	o.HeaderTimeout = or(o.HeaderTimeout, 10*time.Second)
	o.MaxConnections = or(o.MaxConnections, 1000)
	o.MaxRequestBytes = or(o.MaxRequestBytes, 4<<20)
	o.MaxInFlight = or(o.MaxInFlight, 192<<20)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{options: o, store: o.Store, usable: make(chan struct{}), draining: make(chan struct{})}
	o.Admission.Clock = o.Clock
	s.admission = admission.New(o.Admission)
	s.arriving.limit, s.inFlight.limit = o.MaxInFlight/3, o.MaxInFlight-o.MaxInFlight/3
	s.failures = &failures{logger: o.Logger, kinds: map[string]*failureKind{}}
	s.metrics = newMetrics(o.Registry, or(o.Version, "unknown"))
	s.metrics.admissions(s.admission)
	s.follower = &follower{
		catalog: o.Catalog, store: o.Store, clock: o.Clock, log: o.Logger, polled: make(chan struct{}),
		loaded: s.announce,
	}
	o.Registry.MustRegister(&publications{follower: s.follower, store: o.Store, panicked: func(m Method, p any) { s.Panicked(m, p) }})
	if o.Store.Cache != nil {
		s.metrics.caches(o.Store.Cache)
	}
	if o.Pools != nil {
		o.Registry.MustRegister(pools(o.Pools))
	}
	if o.Refusing != nil {
		o.Registry.MustRegister(breakerOpen(o.Refusing))
	}
	if o.Access != nil {
		s.metrics.credentials(o.Access)
	}
	if o.Certificates != nil {
		o.Certificates.register(o.Registry)
	}
	if o.Audit != nil {
		o.Registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fstore_audit_lines_dropped_total", Help: "Lines of the audit log that were dropped, because too many waited to be written or they could not be written.",
		}, func() float64 { return float64(o.Audit.Dropped()) }))
	}
	if o.Tracer != nil {
		s.store.Begin = s.part
		o.Registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fstore_trace_spans_dropped_total", Help: "Spans that were dropped, because too many waited to be sent or the collector did not take them.",
		}, func() float64 { return float64(o.Tracer.Dropped()) }))
	}
	if o.Served != nil {
		s.metrics.servedLog(o.Served)
	}
	started := o.Clock()
	s.store.Observe = s.metrics.lookup
	s.store.WentBack = s.wentBack
	s.store.Elapsed = func() time.Duration { return o.Clock().Sub(started) }
	return s
}

// wentBack notes that the online store has lost publications.
func (s *Server) wentBack(ref fstore.ViewRef, was, is fstore.Pointer) {
	s.metrics.wentBack.Inc()
	s.options.Logger.Warn("the online store went back in time: fstore materialize repairs it", "view", ref.String(),
		"was", fstore.FormatTime(was.Published), "was_publication", was.Number, "was_run", was.Run,
		"is", fstore.FormatTime(is.Published), "is_publication", is.Number, "is_run", is.Run)
}

// or returns v, or otherwise if v is the zero value.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Options returns what the server is made of, with every default filled in.
func (s *Server) Options() Options { return s.options }

// Arriving is the budget of requests that have not arrived in full.
func (s *Server) Arriving() *Budget { return &s.arriving }

// InFlight is the budget of requests, look-ups and answers.
func (s *Server) InFlight() *Budget { return &s.inFlight }

// Draining is closed once the server was told to end.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Track counts a stream as under way until done is called: Serve waits for it.
func (s *Server) Track() (done func()) {
	s.underWay.Add(1)
	return s.underWay.Done
}

// Serve answers requests at every endpoint until ctx ends, and then drains. It begins once the catalog was read, or
// could not be: earlier callers wait. A draining server is not ready, accepts nothing new, and finishes requests in
// flight within the drain timeout. Serve returns after all of its goroutines: nil if everything ended in time, and
// otherwise an error. It closes the listeners. It may be called once.
func (s *Server) Serve(ctx context.Context, endpoints ...Endpoint) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	tick := s.tick
	if tick == nil {
		ticker := time.NewTicker(s.options.Poll)
		defer ticker.Stop()
		tick = ticker.C
	}
	var group sync.WaitGroup
	group.Go(func() { s.follower.run(ctx, tick) })
	group.Go(func() { s.awaitStore(ctx) })
	if c := s.options.Certificates; c != nil {
		group.Go(func() { c.follow(ctx, s.options.Poll, s.options.Logger) })
	}
	s.follower.first(ctx)
	failed := make([]error, len(endpoints))
	for i, e := range endpoints {
		group.Go(func() {
			if err := e.Protocol.Serve(e.Listener); err != nil {
				failed[i] = fmt.Errorf("serve %s: %w", e.Protocol.Name(), err)
				end() // one protocol without the others is not a server
			}
		})
	}
	<-ctx.Done()
	late := s.drain(endpoints)
	group.Wait()
	return errors.Join(append(failed, late)...)
}

// drain ends all protocols and waits for what is under way.
func (s *Server) drain(endpoints []Endpoint) error {
	s.options.Logger.Info("draining")
	close(s.draining)
	ctx, cancel := context.WithTimeout(context.Background(), s.options.DrainTimeout)
	defer cancel()
	inTime := make([]bool, len(endpoints))
	for _, outlives := range []bool{false, true} {
		var group sync.WaitGroup
		for i, e := range endpoints {
			if e.Outlives == outlives {
				group.Go(func() { inTime[i] = e.Protocol.Drain(ctx) })
			}
		}
		group.Wait()
	}
	s.underWay.Wait()
	if slices.Contains(inTime, false) {
		return fmt.Errorf("requests still in flight after %s were canceled", s.options.DrainTimeout)
	}
	return nil
}
