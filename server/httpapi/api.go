// Package httpapi answers look-ups over HTTP JSON and, on a port of their own, health, readiness and metrics.
package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fstore-dev/fstore/server"
)

var (
	httpGet      = server.Method{Transport: "http", Name: "GetOnlineFeatures"}
	httpDescribe = server.Method{Transport: "http", Name: "DescribeFeatures"}
)

// API is an HTTP protocol of a server.
type API struct {
	core  *server.Server
	o     server.Options
	name  string
	hosts hosts
	also  map[string]server.LookupMethod // by path
	web   connections
	http  *http.Server

	serving sync.Mutex // held while it accepts connections

	linger time.Duration   // how long a draining server waits for clients to close idle connections
	late   context.Context //nolint:containedctx // lives as long as the server; ends where a draining server no longer waits for requests to arrive
	hurry  context.CancelFunc
}

// New returns the HTTP protocol of a server that has not begun: look-ups, over TLS if the server has certificates. also are
// further look-ups, by their paths, whose requests and answers are JSON.
func New(core *server.Server, also map[string]server.LookupMethod) *API {
	a := newAPI(core, "http")
	a.also = also
	a.linger = a.o.Linger
	a.http = a.newHTTP(a.lookups())
	if a.o.Certificates != nil {
		a.http.TLSConfig = a.o.Certificates.Config("http/1.1")
	}
	return a
}

// newAPI returns a protocol without its HTTP server.
func newAPI(core *server.Server, name string) *API {
	a := &API{core: core, o: core.Options(), name: name}
	for _, host := range a.o.Hosts {
		a.hosts = append(a.hosts, hostName(host))
	}
	a.web.open, a.web.most = map[net.Conn]bool{}, a.o.MaxConnections
	a.web.port = core.NewPort(name, a.web.count)
	a.late, a.hurry = context.WithCancel(context.Background())
	return a
}

// Name implements server.Protocol.
func (a *API) Name() string { return a.name }

// Serve implements server.Protocol.
func (a *API) Serve(l net.Listener) error {
	a.serving.Lock()
	defer a.serving.Unlock()
	defer context.AfterFunc(a.late, func() { _ = l.Close() })() // Serve then returns an error
	serve := a.http.Serve
	if a.http.TLSConfig != nil {
		serve = func(l net.Listener) error { return a.http.ServeTLS(l, "", "") }
	}
	if err := serve(l); a.late.Err() == nil {
		return err
	}
	return nil
}

// Drain implements server.Protocol: answers go on until clients have given up their connections or the linger is over.
func (a *API) Drain(ctx context.Context) (inTime bool) {
	lingering, end := context.WithTimeout(ctx, a.linger)
	defer end()
	a.web.wait(lingering)
	a.hurry()
	a.serving.Lock() // no connection is accepted any more
	defer a.serving.Unlock()
	a.web.end(ctx)
	inTime = a.http.Shutdown(ctx) == nil
	if !inTime {
		_ = a.http.Close() // the error is the listener's, which is closed already
	}
	return inTime
}
