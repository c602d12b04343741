package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/fstore-dev/fstore/server"
)

// Closing a connection that an HTTP client keeps open is risky: a request may be on its way and would be lost unread.
// So a draining server keeps answering for a moment, and each answer tells its client to close the connection. Only
// connections that stay unused are then closed.

// connections counts the connections of an HTTP server.
type connections struct {
	mu   sync.Mutex // guards the rest
	open int
	none chan struct{}         // closed once open is 0; nil: nobody waits
	mute map[net.Conn]struct{} // those that have sent nothing, or less than the headers of a first request
}

// changed is the server's ConnState.
func (c *connections) changed(conn net.Conn, to http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mute, conn)
	switch to {
	case http.StateNew:
		c.mute[conn] = struct{}{}
		if c.open++; c.open > server.MaxConnections {
			_ = conn.Close() // the server finds it closed
		}
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
	if c.open == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// wait returns once no connection is open, or with ctx. Only one goroutine may wait.
func (c *connections) wait(ctx context.Context) {
	none := make(chan struct{})
	c.mu.Lock()
	if c.open == 0 {
		close(none)
	} else {
		c.none = none
	}
	c.mu.Unlock()
	select {
	case <-none:
	case <-ctx.Done():
	}
}

// closeMute closes the connections that no request has come over: Shutdown would wait 5 s for one.
func (c *connections) closeMute() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.mute {
		_ = conn.Close() // the server finds it closed
	}
}

// closing has every answer of a draining server close its connection.
func (a *API) closing(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-a.core.Draining():
			w.Header().Set("Connection", "close")
		default:
		}
		answer.ServeHTTP(w, r)
	})
}
