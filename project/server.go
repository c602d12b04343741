package project

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/grpcapi"
	"github.com/fstore-dev/fstore/server/httpapi"
)

// ServerOptions say how look-ups are answered.
type ServerOptions struct {
	Logger *slog.Logger
	// At replays a past instant: ages are judged at it, and every answer carries it. Zero: now.
	At time.Time
	// Replay allows At on a store that others may serve from, such as Redis.
	Replay bool
}

// Server listens. Whoever has it calls Serve or Close.
type Server struct {
	grpc, http net.Listener
	server     *server.Server
	grpcAPI    *grpcapi.API
	store      *online.Store
}

// Server listens on the addresses in the settings. ErrNotReady: nothing was applied yet. ErrConflict: an address is in
// use.
func (p *Project) Server(ctx context.Context, o ServerOptions) (_ *Server, err error) {
	s := p.Settings
	if !o.At.IsZero() && s.Online.scheme() != "sqlite" && !o.Replay {
		return nil, about("at", fstore.Errorf(fstore.ErrUsage, "would replay from %s, which other servers may use", s.Online).
			WithHint("pass --replay, too, if no caller takes this server for one that answers as of now"))
	}
	follower, err := p.followed(ctx)
	if err != nil {
		return nil, err
	}
	store, err := s.openStore()
	if err != nil {
		return nil, err
	}
	out := &Server{store: store}
	defer func() {
		if err != nil {
			_ = out.Close()
		}
	}()
	// A store that is away may come: the server waits for it. One that is set up wrong is for somebody to see to.
	if _, err := out.store.Check(ctx); err != nil && !errors.Is(err, fstore.ErrUnavailable) {
		return nil, fmt.Errorf("check the online store: %w", err)
	}
	if out.grpc, err = s.listen("serve.grpc", s.GRPC); err != nil {
		return nil, err
	}
	if out.http, err = s.listen("serve.http", s.HTTP); err != nil {
		return nil, err
	}
	out.server = server.New(server.Options{
		Catalog: catalog{follower}, Store: out.store, Logger: o.Logger, Clock: p.options.Clock, Replay: o.At, Version: p.options.Version,
		MaxInFlight: s.MaxInFlight, Hosts: s.Hosts,
	})
	out.grpcAPI, err = grpcapi.New(out.server)
	return out, err
}

// Addresses returns where the server listens.
func (s *Server) Addresses() (grpc, http net.Addr) { return s.grpc.Addr(), s.http.Addr() }

// Serve answers until ctx ends and what is in flight then is answered.
func (s *Server) Serve(ctx context.Context) error {
	err := s.server.Serve(ctx, server.Endpoint{Protocol: s.grpcAPI, Listener: s.grpc}, server.Endpoint{Protocol: httpapi.New(s.server), Listener: s.http})
	return errors.Join(err, s.store.Close())
}

// Close closes a server that does not serve.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.grpc, s.http} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(append(errs, s.store.Close())...)
}

// listen listens on an address, which is this machine's alone unless the settings say otherwise.
func (s *Settings) listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		kind := fstore.ErrInvalid
		if errors.Is(err, syscall.EADDRINUSE) {
			kind = fstore.ErrConflict
		}
		return nil, fstore.Errorf(kind, "%s: %v", key, err).WithHint("set %s to another address; port 0 takes a free one", key)
	}
	if at, ok := l.Addr().(*net.TCPAddr); !s.Insecure && (!ok || !at.IP.IsLoopback()) {
		_ = l.Close() // nothing was accepted
		return nil, s.checks.misset(key, fmt.Sprintf("%s is open to other machines, and there is neither TLS nor authentication yet", address),
			"listen on 127.0.0.1, behind a proxy that has both, or pass --insecure (setting serve.insecure)")
	}
	return l, nil
}

// followed returns what follows the registry, to which something must have been applied. No file of it is held open.
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

// catalog shows the server the registry of one project.
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

// names are those of a snapshot, as a server asks for them: whatever serves.
type names struct{ rev *registry.Revision }

func (n names) Service(name string) (*fstore.FeatureList, error) { return n.rev.ServingService(name) }

func (n names) Model(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	return n.rev.ModelFeatures(ref)
}

func (n names) Features(refs []string) (*fstore.FeatureList, error) {
	return n.rev.ServingFeatures(refs)
}

func (n names) KeyColumns() map[string]bool { return n.rev.KeyColumns() }

func (n names) Live() []*fstore.ViewVersion { return n.rev.Live() }
