package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"syscall"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server"
	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve look-ups over gRPC and HTTP",
		Long: `Serve look-ups from the online store: gRPC fstore.v1.FeatureStore with health and reflection, and HTTP with
POST /v1/online-features, POST /v1/describe, /healthz, /readyz and /metrics. The server picks up later applies and
publications by itself. If the online store is down, it waits for it.

The server first prints its addresses; port 0 takes a free port. On SIGTERM it answers the requests in flight and exits.

There is no TLS and no authentication yet, so an address that other machines can reach needs --insecure. HTTP requests
must be for localhost, the server's address or a name in the setting serve.hosts.

--at replays a past day: ages are judged at that instant, and every answer states it. It may not be before the instant
from which a view is servable. A store other than the embedded one also needs --replay, because others could take this
server for a live one.`,
		Example: `  fstore serve
  fstore serve --grpc 127.0.0.1:0 --http 127.0.0.1:0
  fstore serve --grpc 0.0.0.0:6566 --insecure
  FSTORE_ONLINE=redis://127.0.0.1:6379/0 fstore serve
  fstore serve --at 2025-12-01T06:00:00Z --grpc 127.0.0.1:0 --http 127.0.0.1:0`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), &r) },
	}
	cmd.Flags().StringVar(&r.at, "at", "", "replay: judge ages at this instant instead of now")
	cmd.Flags().BoolVar(&r.confirmed, "replay", false, "with --at: allow a store that other servers may use, such as Redis")
	cmd.Flags().String("grpc", "", "address of the gRPC server (setting serve.grpc)")
	cmd.Flags().String("http", "", "address of the HTTP server (setting serve.http)")
	cmd.Flags().Bool("insecure", false, "allow addresses that other machines can reach, without TLS and authentication (setting serve.insecure)")
	settingFlag(cmd, "grpc", "serve.grpc")
	settingFlag(cmd, "http", "serve.http")
	settingFlag(cmd, "insecure", "serve.insecure")
	return cmd
}

// garbagePercent is how much garbage a server lets come together, in percent of what it holds, unless GOGC says. It holds
// little, some 10 MB, so that with Go's own 100 every core is busy collecting many times a second; docs/performance.md has
// what it is worth.
const garbagePercent = 400

// replay is what serve is told of a past instant to answer as of.
type replay struct {
	at        string // --at
	confirmed bool   // --replay
}

// instant returns the instant to replay; zero where there is none.
func (r *replay) instant(s *Settings) (at time.Time, err error) {
	switch {
	case r.at == "" && r.confirmed:
		return at, usageWithHint("--replay says nothing without --at", "give the instant, such as --at 2025-12-01T06:00:00Z")
	case r.at == "":
		return at, nil
	case s.Online.scheme() != "sqlite" && !r.confirmed:
		return at, usageWithHint(fmt.Sprintf("--at would replay from %s, which other servers may use", s.Online), "pass --replay, too, if no caller takes this server for one that answers as of now")
	}
	return instant("--at", r.at)
}

func (a *app) serve(ctx context.Context, r *replay) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	at, err := r.instant(s)
	if err != nil {
		return err
	}
	reg, err := followed(ctx, s)
	if err != nil {
		return err
	}
	store, err := openStore(s)
	if err != nil {
		return err
	}
	defer store.Close()
	// A store that is away may come: the server waits for it. One that is set up wrong is for somebody to see to.
	if _, err := store.Check(ctx); err != nil && !errors.Is(err, fstore.ErrUnavailable) {
		return fmt.Errorf("check the online store: %w", err)
	}
	grpc, err := a.listen(s, "serve.grpc", s.GRPC)
	if err != nil {
		return err
	}
	web, err := a.listen(s, "serve.http", s.HTTP)
	if err != nil {
		_ = grpc.Close()
		return err
	}
	if err := a.printAddresses(grpc.Addr(), web.Addr(), at); err != nil {
		return err
	}
	a.tuneGarbage(s)
	logger := a.logger()
	if !at.IsZero() {
		logger = logger.With("replay", fstore.FormatTime(at))
		logger.Warn("this server replays a past instant")
	}
	if s.Insecure {
		logger.Warn("there is no TLS and no authentication: whoever reaches this server is answered")
	}
	srv := server.New(server.Options{
		Catalog: catalog{reg}, Store: store, Logger: logger, Clock: a.now, Replay: at, Version: buildVersion(),
		MaxInFlight: s.MaxInFlight, Hosts: s.Hosts,
	})
	a.drains.Store(true)
	return srv.Serve(ctx, grpc, web)
}

// tuneGarbage has Go collect garbage seldom, but keep to what a server may need: what is in flight, its garbage, and as
// much as the largest registries take.
func (a *app) tuneGarbage(s *Settings) {
	if _, set := a.lookup("GOGC"); !set {
		debug.SetGCPercent(garbagePercent)
	}
	if _, set := a.lookup("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(128<<20 + s.MaxInFlight/3*4)
	}
}

func (a *app) listen(s *Settings, key, address string) (net.Listener, error) {
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
		return nil, a.misset(s.file, key, fmt.Sprintf("%s is open to other machines, and there is neither TLS nor authentication yet", address),
			"listen on 127.0.0.1, behind a proxy that has both, or pass --insecure (setting serve.insecure)")
	}
	return l, nil
}

// printAddresses says where the server listens, and which instant it replays, if any.
func (a *app) printAddresses(grpc, web net.Addr, replayed time.Time) error {
	lines := []string{"grpc", grpc.String(), "http", web.String()}
	if !replayed.IsZero() {
		lines = append(lines, "replay", fstore.FormatTime(replayed))
	}
	if a.json() {
		out := map[string]string{}
		for i := 0; i < len(lines); i += 2 {
			out[lines[i]] = lines[i+1]
		}
		return json.NewEncoder(a.stdout).Encode(out) // one line, to be read while it runs
	}
	for i := 0; i < len(lines); i += 2 {
		if _, err := fmt.Fprintf(a.stdout, "%s %s\n", lines[i], lines[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// followed returns what follows the registry, to which something must have been applied.
func followed(ctx context.Context, s *Settings) (*registry.Follower, error) {
	db, err := openExisting(ctx, s)
	if err != nil {
		return nil, err
	}
	revision, err := db.Revision(ctx, s.Project)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	if revision == 0 {
		return nil, nothingApplied(s)
	}
	return registry.Follow(s.Registry.reveal(), s.Project)
}

// catalog shows the server the registry of one project.
type catalog struct{ registry *registry.Follower }

func (c catalog) Revision(ctx context.Context) (server.Revision, error) {
	seen, err := c.registry.Look(ctx)
	return server.Revision{Registry: seen.File, Number: seen.Revision}, err
}

func (c catalog) Load(ctx context.Context) (server.Names, error) {
	snap, err := c.registry.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return names{snap}, nil
}

// names are those of a snapshot, as a server asks for them: whatever serves.
type names struct{ snap *registry.Snapshot }

func (n names) Service(name string) (*fstore.FeatureList, error) { return n.snap.ServingService(name) }

func (n names) Model(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	return n.snap.ModelFeatures(ref)
}

func (n names) Features(refs []string) (*fstore.FeatureList, error) {
	return n.snap.ServingFeatures(refs)
}
func (n names) KeyColumns() map[string]bool { return n.snap.KeyColumns() }

func (n names) Live() []*fstore.ViewVersion { return n.snap.Live() }
