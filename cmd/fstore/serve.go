package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var r serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve look-ups over gRPC and HTTP",
		Long: `Serve look-ups from the online store: gRPC fstore.v1.FeatureStore with health and reflection, and HTTP with
POST /v1/online-features and POST /v1/describe. A third port answers GET /healthz, /readyz and /metrics. The server
picks up later applies and publications by itself. If the online store is down, it waits for it.

To know its callers, the server reads tokens from the file in the setting serve.auth.tokens (fstore token create writes
it), or takes the JWTs of serve.auth.jwt.

The server first prints its addresses; port 0 takes a free port. On SIGTERM it answers the requests in flight and exits.

--tls-certificate and --tls-key serve gRPC and HTTP over TLS, and --tls-client-ca asks clients for certificates. The
files may be renewed while the server runs. An address that other machines can reach needs TLS and authentication.
--insecure-no-tls and --no-auth leave out one each. HTTP requests must be for localhost, the server's address or a name
in the setting serve.hosts.

--offline also makes training sets for callers and sends their rows, over Arrow Flight on the gRPC port (docs/flight.md).

--feast also answers services that were written for Feast, in Feast's words: feast.serving.ServingService on the gRPC port
and POST /get-online-features on the HTTP port (docs/feast.md).

--served-log keeps what is answered in a folder, as Parquet: keys, values, statuses and published instants of a sample of
requests (docs/served-log.md). fstore skew compares them with the offline result.

It sends traces to the OpenTelemetry collector that OTEL_EXPORTER_OTLP_ENDPOINT names (docs/operations.md).

--at replays a past day: ages are judged at that instant, and every answer states it. It may not be before the instant
from which a view is servable. A store other than the embedded one also needs --replay, because others could take this
server for a live one.`,
		Example: `  fstore serve
  fstore serve --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0
  FSTORE_SERVE_AUTH_TOKENS=.fstore/tokens.yaml fstore serve --grpc 0.0.0.0:6566 --tls-certificate tls.crt --tls-key tls.key
  fstore serve --grpc 0.0.0.0:6566 --insecure-no-tls --no-auth
  fstore serve --offline --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0
  fstore serve --feast --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0
  fstore serve --served-log served --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0
  FSTORE_ONLINE=redis://127.0.0.1:6379/0 fstore serve
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 fstore serve
  fstore serve --at 2025-12-01T06:00:00Z --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0`,
		Args: usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error { return a.serve(cmd.Context(), p, &r) })
		},
	}
	cmd.Flags().StringVar(&r.at, "at", "", "replay: judge ages, and end windows, at this instant instead of now")
	cmd.Flags().BoolVar(&r.confirmed, "replay", false, "with --at: allow a store that other servers may use, such as Redis")
	cmd.Flags().BoolVar(&r.stopOnEOF, "stop-on-eof", false, "stop when stdin ends: with the program that started this one and holds its stdin")
	flags := cmd.Flags()
	flags.String("grpc", "", "address of the gRPC server (setting serve.grpc)")
	flags.String("http", "", "address of the HTTP server (setting serve.http)")
	flags.String("metrics", "", "address of health and metrics (setting serve.metrics)")
	flags.String("tls-certificate", "", "PEM file of the server's certificate (setting serve.tls.certificate)")
	flags.String("tls-key", "", "PEM file of its private key (setting serve.tls.key)")
	flags.String("tls-client-ca", "", "PEM file of the CAs of the clients' certificates (setting serve.tls.client_ca)")
	flags.Bool("insecure-no-tls", false, "allow addresses that other machines can reach, without TLS (setting serve.insecure_no_tls)")
	flags.Bool("no-auth", false, "allow addresses that other machines can reach, without authentication (setting serve.no_auth)")
	flags.Bool("offline", false, "also make and serve training sets, over Arrow Flight (setting serve.offline)")
	flags.Bool("feast", false, "also answer look-ups in Feast's words (setting serve.feast)")
	flags.String("served-log", "", "folder that keeps what is answered (setting serve.log.path)")
	flags.String("served-log-sample", "", "share of the requests that it keeps, such as 1% (setting serve.log.sample)")
	for _, name := range []string{"issuer", "audience", "jwks"} { // for a program that starts a server only it may ask
		flags.String("jwt-"+name, "", "setting serve.auth.jwt."+name)
		_ = flags.MarkHidden("jwt-" + name)
	}
	flags.Bool("insecure", false, "")
	_ = flags.MarkHidden("insecure") // a setting that was removed: the error says what there is instead
	for flag, setting := range map[string]string{
		"grpc": "serve.grpc", "http": "serve.http", "metrics": "serve.metrics",
		"tls-certificate": "serve.tls.certificate", "tls-key": "serve.tls.key", "tls-client-ca": "serve.tls.client_ca",
		"jwt-issuer": "serve.auth.jwt.issuer", "jwt-audience": "serve.auth.jwt.audience", "jwt-jwks": "serve.auth.jwt.jwks",
		"served-log": "serve.log.path", "served-log-sample": "serve.log.sample",
		"insecure-no-tls": "serve.insecure_no_tls", "offline": "serve.offline", "feast": "serve.feast", "no-auth": "serve.no_auth", "insecure": "serve.insecure",
	} {
		settingFlag(cmd, flag, setting)
	}
	return cmd
}

// untilEOF returns a context that ends when stdin does.
func (a *app) untilEOF(ctx context.Context) context.Context {
	ctx, stop := context.WithCancel(ctx)
	go func() { // a read cannot be stopped: the goroutine ends with the program
		defer stop()
		_, _ = io.Copy(io.Discard, a.stdin)
	}()
	return ctx
}

// garbagePercent is GOGC for a server, unless the environment sets it. A server holds only some 10 MB, so Go's
// default of 100 would keep every core busy collecting garbage many times a second. docs/design/speed.md has the
// measurements.
const garbagePercent = 400

// offlineMemory is what uploads of labels and reads of training sets may need.
const offlineMemory = 512 << 20

// servedLogMemory is what the rows that wait for the served log, and a file that is sealed, may take.
const servedLogMemory = 256 << 20

// serveFlags are serve's flags that are not settings.
type serveFlags struct {
	at        string // --at
	confirmed bool   // --replay
	stopOnEOF bool   // --stop-on-eof
}

// instant returns the instant to replay, or zero if there is none.
func (r *serveFlags) instant() (time.Time, error) {
	switch {
	case r.at == "" && r.confirmed:
		return time.Time{}, usage.Errorf(nil, "--replay has no effect without --at").WithHint("give the instant, such as --at 2025-12-01T06:00:00Z")
	case r.at == "":
		return time.Time{}, nil
	}
	return instant("--at", r.at)
}

func (a *app) serve(ctx context.Context, p *project.Project, r *serveFlags) error {
	at, err := r.instant()
	if err != nil {
		return err
	}
	logger := a.logger()
	if !at.IsZero() {
		logger = logger.With("replay", fstore.FormatTime(at))
	}
	srv, err := p.Server(ctx, project.ServerOptions{Logger: logger, Stderr: a.stderr, At: at, Replay: r.confirmed})
	if err != nil {
		return asFlags(err)
	}
	if err := a.printAddresses(srv.Addresses(), at); err != nil {
		return errors.Join(err, srv.Close())
	}
	a.tuneGarbage(p.Settings)
	if !at.IsZero() {
		logger.Warn("this server replays a past instant")
	}
	for _, warning := range srv.Warnings() {
		logger.Warn(warning)
	}
	a.drains.Store(true)
	if r.stopOnEOF {
		ctx = a.untilEOF(ctx)
	}
	return srv.Serve(ctx)
}

// tuneGarbage makes Go collect garbage less often, but within the memory that a server may need: what is in flight,
// its garbage, the largest registries, the cache of records, and training sets that are sent.
func (a *app) tuneGarbage(s *project.Settings) {
	if _, set := a.lookup("GOGC"); !set {
		debug.SetGCPercent(garbagePercent)
	}
	if _, set := a.lookup("GOMEMLIMIT"); !set {
		limit := 128<<20 + s.MaxInFlight/3*4 + s.Cache/16*17
		if s.Offline.Serve {
			limit += offlineMemory
		}
		if s.Served.Path != "" {
			limit += servedLogMemory
		}
		debug.SetMemoryLimit(limit)
	}
}

// printAddresses prints where the server listens, and which instant it replays, if any.
func (a *app) printAddresses(at project.Addresses, replayed time.Time) error {
	lines := []string{"grpc", at.GRPC.String(), "http", at.HTTP.String(), "metrics", at.Metrics.String()}
	if !replayed.IsZero() {
		lines = append(lines, "replay", fstore.FormatTime(replayed))
	}
	if a.json() {
		out := map[string]string{}
		for i := 0; i < len(lines); i += 2 {
			out[lines[i]] = lines[i+1]
		}
		return json.NewEncoder(a.stdout).Encode(out) // one line, which callers read while the server runs
	}
	for i := 0; i < len(lines); i += 2 {
		if _, err := fmt.Fprintf(a.stdout, "%s %s\n", lines[i], lines[i+1]); err != nil {
			return err
		}
	}
	return nil
}
