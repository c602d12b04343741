package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"syscall"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server"
	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer look-ups over gRPC and HTTP",
		Long: `Answer look-ups from the online store: gRPC fstore.v1.FeatureStore with health and reflection, and HTTP with
POST /v1/online-features, /healthz, /readyz and /metrics. What is applied or published later is picked up by itself.
An online store that is away is waited for.
The addresses are printed first: port 0 takes a free one. SIGTERM ends the server once what is under way is answered.

There is no TLS and no authentication yet, so an address beyond this machine needs --insecure. HTTP requests must be for
localhost, the server's address or a name in the setting serve.hosts.`,
		Example: `  fstore serve
  fstore serve --grpc 127.0.0.1:0 --http 127.0.0.1:0
  fstore serve --grpc 0.0.0.0:6566 --insecure
  FSTORE_ONLINE=redis://127.0.0.1:6379/0 fstore serve`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
	cmd.Flags().String("grpc", "", "address of the gRPC server (setting serve.grpc)")
	cmd.Flags().String("http", "", "address of the HTTP server (setting serve.http)")
	cmd.Flags().Bool("insecure", false, "listen beyond this machine too, without TLS and authentication (setting serve.insecure)")
	settingFlag(cmd, "grpc", "serve.grpc")
	settingFlag(cmd, "http", "serve.http")
	settingFlag(cmd, "insecure", "serve.insecure")
	return cmd
}

// garbagePercent is how much garbage a server lets come together, in percent of what it holds, unless GOGC says. It holds
// little, some 10 MB, so that with Go's own 100 every core is busy collecting many times a second; docs/performance.md has
// what it is worth.
const garbagePercent = 400

func (a *app) serve(ctx context.Context) error {
	s, err := a.settings()
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
		grpc.Close()
		return err
	}
	if err := a.printAddresses(grpc.Addr(), web.Addr()); err != nil {
		return err
	}
	a.tuneGarbage(s)
	srv := server.New(server.Options{
		Catalog: catalog{reg}, Store: store, Logger: a.logger(), Clock: a.now, Version: buildVersion(),
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
		l.Close() // nothing was accepted
		return nil, a.misset(s.file, key, fmt.Sprintf("%s is open to other machines, and there is neither TLS nor authentication yet", address),
			"listen on 127.0.0.1, behind a proxy that has both, or pass --insecure (setting serve.insecure)")
	}
	return l, nil
}

func (a *app) printAddresses(grpc, web net.Addr) error {
	if a.json() {
		return json.NewEncoder(a.stdout).Encode(map[string]string{"grpc": grpc.String(), "http": web.String()}) // one line, to be read while it runs
	}
	_, err := fmt.Fprintf(a.stdout, "grpc %s\nhttp %s\n", grpc, web)
	return err
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
func (n names) Live() []*fstore.ViewVersion { return n.snap.Live() }
