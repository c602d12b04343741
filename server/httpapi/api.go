// Package httpapi answers look-ups over HTTP JSON, with health, readiness and metrics.
package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/fstore-dev/fstore/server"
)

var (
	httpGet      = server.Method{Transport: "http", Name: "GetOnlineFeatures"}
	httpDescribe = server.Method{Transport: "http", Name: "DescribeFeatures"}
)

// API is the HTTP protocol of a server.
type API struct {
	core  *server.Server
	o     server.Options
	hosts hosts
	web   connections
	http  *http.Server
	late  context.Context //nolint:containedctx // lives as long as the server; ends where a draining server no longer waits for requests to arrive
	hurry context.CancelFunc
}

// New returns the HTTP protocol of a server that has not begun.
func New(core *server.Server) *API {
	a := &API{core: core, o: core.Options()}
	for _, host := range a.o.Hosts {
		a.hosts = append(a.hosts, hostName(host))
	}
	a.web.mute = map[net.Conn]struct{}{}
	a.late, a.hurry = context.WithCancel(context.Background())
	a.http = a.newHTTP()
	return a
}

// Name implements server.Protocol.
func (a *API) Name() string { return "http" }

// Serve implements server.Protocol.
func (a *API) Serve(l net.Listener) error {
	if err := a.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Drain implements server.Protocol: answers go on until clients have given up their connections or the linger is over.
func (a *API) Drain(ctx context.Context) (inTime bool) {
	lingering, end := context.WithTimeout(ctx, a.o.Linger)
	defer end()
	var group sync.WaitGroup
	group.Go(func() {
		<-lingering.Done()
		a.hurry()
		a.web.closeMute()
	})
	a.web.wait(lingering)
	inTime = a.http.Shutdown(ctx) == nil
	if !inTime {
		_ = a.http.Close() // the error is the listener's, which is closed already
	}
	end() // nobody is left to linger for
	group.Wait()
	return inTime
}
