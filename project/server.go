package project

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/breaker"
	"github.com/fstore-dev/fstore/online/cache"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/audit"
	"github.com/fstore-dev/fstore/server/feast"
	"github.com/fstore-dev/fstore/server/flight"
	"github.com/fstore-dev/fstore/server/grpcapi"
	"github.com/fstore-dev/fstore/server/httpapi"
	"github.com/fstore-dev/fstore/server/servedlog"
	"github.com/fstore-dev/fstore/tracing"
)

// ServerOptions say how a server answers look-ups.
type ServerOptions struct {
	Logger *slog.Logger
	// Stderr gets the audit log if the settings send it there. nil drops it.
	Stderr io.Writer
	// At replays a past instant: ages are computed at it, and every answer carries it. Zero means now.
	At time.Time
	// Replay allows At on a store that other servers may use, such as Redis.
	Replay bool
	// Program is the fstore command that makes training sets for callers, in a process of its own. Empty means the program
	// that is running.
	Program string
}

// Server is a listening server. Its owner must call Serve or Close.
type Server struct {
	grpc, http, metrics net.Listener

	settings *Settings
	server   *server.Server
	grpcAPI  *grpcapi.API
	httpAPI  *httpapi.API
	store    *online.Store
	breaker  *breaker.Backend // between the server and its store
	access   *access.Control  // nil: everybody may ask
	audit    *audit.Log       // nil: there is none
	served   *servedlog.Log   // nil: there is none
	tracer   *tracing.Tracer  // nil: traces are off
	patience time.Duration    // with the collector at the end
	logger   *slog.Logger
	offline  *offlineSets // nil: training sets are not served
}

// Server listens on the addresses in the settings. It returns ErrNotReady if nothing has been applied yet, and
// ErrConflict if an address is in use.
func (p *Project) Server(ctx context.Context, o ServerOptions) (_ *Server, err error) {
	s := p.Settings
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if !o.At.IsZero() && s.Online.scheme() != "sqlite" && !o.Replay {
		return nil, about("at", fstore.Errorf(fstore.ErrUsage, "would replay from %s, which other servers may use", s.Online).
			WithHint("also pass --replay, if no caller expects this server to answer as of now"))
	}
	certificates, err := s.certificates(p.options.Clock)
	if err != nil {
		return nil, err
	}
	follower, err := p.followed(ctx)
	if err != nil {
		return nil, err
	}
	backend, err := s.openBackend()
	if err != nil {
		return nil, err
	}
	out := &Server{settings: s, breaker: breaker.New(backend, logger), logger: logger}
	out.store = online.New(out.breaker, s.Project)
	if s.Cache > 0 {
		out.store.Cache = cache.New(s.Cache)
	}
	defer func() {
		if err != nil {
			_ = out.Close()
		}
	}()
	out.patience = p.tracePatience()
	if out.tracer, err = p.tracer(logger); err != nil {
		return nil, err
	}
	// The server waits for a store that cannot be reached, or must be filled again. Wrong settings need a person.
	switch _, err := out.store.Check(ctx); {
	case errors.Is(err, fstore.ErrUnavailable), errors.Is(err, online.ErrLost):
		out.breaker.Refuse(err)
	case err != nil:
		return nil, fmt.Errorf("check the online store: %w", err)
	}
	if out.grpc, err = s.listenForData("serve.grpc", s.GRPC); err != nil {
		return nil, err
	}
	if out.http, err = s.listenForData("serve.http", s.HTTP); err != nil {
		return nil, err
	}
	if out.metrics, err = s.listen("serve.metrics", s.Metrics); err != nil {
		return nil, err
	}
	if out.access, err = s.control(ctx, p.options.Clock, logger); err != nil {
		return nil, err
	}
	if out.audit, err = s.auditLog(o.Stderr, logger); err != nil {
		return nil, err
	}
	if out.served, err = p.servedLog(logger); err != nil {
		return nil, err
	}
	var pools func() map[string]online.Pool
	if b, ok := backend.(interface{ Pools() map[string]online.Pool }); ok {
		pools = b.Pools
	}
	out.server = server.New(server.Options{
		Catalog: catalog{follower}, Store: out.store, Pools: pools, Refusing: out.breaker.Open, Logger: o.Logger, Clock: p.options.Clock, Replay: o.At, Version: p.options.Version,
		MaxInFlight: s.MaxInFlight, Admission: s.Admission, Hosts: s.Hosts, Access: out.access, Audit: out.audit, Served: out.served, Tracer: out.tracer, Project: s.Project,
		Certificates: certificates, Metrics: out.metrics.Addr().String(),
	})
	var also []grpcapi.Service
	if s.Offline.Serve {
		if out.offline, err = p.offlineSets(ctx, o.Program); err != nil {
			return nil, err
		}
		also = append(also, flight.New(out.server, out.offline, flight.Options{Project: s.Project, Runs: s.Offline.Runs, Queue: s.Offline.Queue}))
	}
	if out.grpcAPI, err = grpcapi.New(out.server, also...); err != nil {
		return nil, err
	}
	var lookups map[string]server.LookupMethod
	if s.Feast {
		api := feast.New(out.server)
		if err = out.grpcAPI.AddLookups(api.GRPC()); err != nil {
			return nil, err
		}
		lookups = api.HTTP()
	}
	out.httpAPI = httpapi.New(out.server, lookups)
	return out, nil
}

// Addresses are where a server listens.
type Addresses struct{ GRPC, HTTP, Metrics net.Addr }

// Addresses returns where the server listens.
func (s *Server) Addresses() Addresses {
	return Addresses{s.grpc.Addr(), s.http.Addr(), s.metrics.Addr()}
}

// Serve answers until ctx ends, and then until all requests in flight are answered.
func (s *Server) Serve(ctx context.Context) error {
	looking, stop := context.WithCancel(context.WithoutCancel(ctx)) // also while the server drains
	var looks sync.WaitGroup
	looks.Go(func() { s.breaker.Run(looking) })
	if s.access != nil {
		looks.Go(func() { s.access.Run(looking) })
	}
	if s.audit != nil {
		looks.Go(func() { s.audit.Run(looking) })
	}
	if s.served != nil {
		looks.Go(func() { s.served.Run(looking) })
	}
	err := s.server.Serve(ctx,
		server.Endpoint{Protocol: s.grpcAPI, Listener: s.grpc},
		server.Endpoint{Protocol: s.httpAPI, Listener: s.http},
		server.Endpoint{Protocol: httpapi.NewMetrics(s.server), Listener: s.metrics, Outlives: true})
	stop()
	looks.Wait()
	s.closeTracer()
	return errors.Join(err, s.offline.close(), s.closeAudit(), s.store.Close())
}

// Close closes a server that is not serving.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.grpc, s.http, s.metrics} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	s.closeTracer()
	return errors.Join(append(errs, s.offline.close(), s.closeAudit(), s.store.Close())...)
}

// followed returns a follower of a registry that has been applied to. It holds no file open.
func (p *Project) followed(ctx context.Context) (*registry.Follower, error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	if rev.Number == 0 {
		return nil, p.Settings.nothingApplied()
	}
	return watchRegistry(p.Settings.Registry, p.Settings.Project)
}

// catalog gives the server access to one project in the registry.
type catalog struct{ registry *registry.Follower }

func (c catalog) Revision(ctx context.Context) (server.Revision, error) {
	seen, err := c.registry.Look(ctx)
	return server.Revision{Registry: seen.Storage, Number: seen.Revision}, err
}

func (c catalog) Load(ctx context.Context) (server.Names, error) {
	rev, err := c.registry.Revision(ctx)
	if err != nil {
		return nil, err
	}
	return names{rev}, nil
}

// names resolves a server's names in a snapshot: whatever serves.
type names struct{ rev *registry.Revision }

func (n names) Service(name string) (*fstore.FeatureList, error) { return n.rev.ServingService(name) }

func (n names) Model(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	return n.rev.ModelFeatures(ref)
}

func (n names) Features(refs []string) (*fstore.FeatureList, error) {
	return n.rev.ServingFeatures(refs)
}

func (n names) SentColumns() map[string]bool { return n.rev.SentColumns() }

func (n names) Live() []*fstore.ViewVersion { return n.rev.Live() }
