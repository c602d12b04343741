package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fstore-dev/fstore/internal/certfile"
)

// CertificateFiles names PEM files.
type CertificateFiles struct {
	Certificate, Key string // the server's own
	ClientCA         string // CAs that every client's certificate must come from; "": clients need none
}

// Certificates are what a server identifies itself with and knows its clients by. They follow their files: every
// handshake uses those read last, and a file that cannot be used leaves the ones before it in service.
type Certificates struct {
	files  CertificateFiles
	clock  func() time.Time
	loaded atomic.Pointer[tls.Config]

	failed  atomic.Int64 // loads
	problem string       // of the last load, for Follow alone; "" if it succeeded
}

// OpenCertificates reads the files. The error is a *certfile.Error.
func OpenCertificates(files CertificateFiles, clock func() time.Time) (*Certificates, error) {
	c := &Certificates{files: files, clock: clock}
	_, err := c.load()
	return c, err
}

// load reads the files. It reports whether they have changed.
func (c *Certificates) load() (changed bool, err error) {
	own, err := certfile.Pair(c.files.Certificate, c.files.Key, c.clock())
	if err != nil {
		return false, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*own}}
	if c.files.ClientCA != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.SessionTicketsDisabled = true // a resumed session would not be checked against the CAs of now
		if config.ClientCAs, err = certfile.Pool(c.files.ClientCA, c.clock()); err != nil {
			return false, err
		}
	}
	before := c.loaded.Load()
	if before != nil && config.ClientCAs.Equal(before.ClientCAs) &&
		slices.EqualFunc(own.Certificate, before.Certificates[0].Certificate, slices.Equal[[]byte]) {
		return false, nil
	}
	c.loaded.Store(config)
	return true, nil
}

// Config returns how a port does TLS whose protocol has a name in ALPN, such as h2.
func (c *Certificates) Config(protocol string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{protocol},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			config := c.loaded.Load().Clone()
			config.NextProtos = []string{protocol}
			return config, nil
		},
	}
}

// Expires returns when the certificate in service expires.
func (c *Certificates) Expires() time.Time { return c.loaded.Load().Certificates[0].Leaf.NotAfter }

// follow loads the files after each pause until ctx ends. It logs only changes.
func (c *Certificates) follow(ctx context.Context, pause time.Duration, log *slog.Logger) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look(log)
		}
	}
}

// look loads the files once. A failure counts and is logged once for as long as it lasts.
func (c *Certificates) look(log *slog.Logger) {
	changed, err := c.load()
	switch {
	case err != nil && err.Error() != c.problem:
		c.problem = err.Error()
		c.failed.Add(1)
		log.Error("new TLS files cannot be used; the ones before stay in service", "error", err)
		return
	case err != nil:
		return
	case changed:
		log.Info("new TLS certificates are in service", "expires", c.Expires())
	case c.problem != "":
		log.Info("the TLS files are in order again")
	}
	c.problem = ""
}

// register adds what /metrics shows.
func (c *Certificates) register(registry *prometheus.Registry) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fstore_tls_certificate_expiry_seconds", Help: "Unix time at which the TLS certificate in service expires.",
		}, func() float64 { return float64(c.Expires().Unix()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fstore_tls_reload_failures_total", Help: "Changes of TLS files that could not be used.",
		}, func() float64 { return float64(c.failed.Load()) }),
	)
}
