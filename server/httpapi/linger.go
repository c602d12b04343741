package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fstore-dev/fstore/server"
)

// Closing a connection that an HTTP client keeps open is risky: a request may be on its way and would be lost unread. So a
// draining server goes on for a moment, and each answer asks its client to close the connection. Then the server closes its
// port. Of the connections left it ends those that have no request and no byte to read. A request that is sent at that
// moment is lost, and so is one over a connection that the server has not accepted yet. HTTP cannot prevent that: clients
// try again.

// connections is the open connections of an HTTP server.
type connections struct {
	port *server.Port
	most int

	mu     sync.Mutex        // guards the rest
	open   map[net.Conn]bool // whether a request is under way
	none   chan struct{}     // closed once none is open; nil: nobody waits
	ending bool
}

// changed is the server's ConnState.
func (c *connections) changed(conn net.Conn, to http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch to {
	case http.StateNew, http.StateIdle:
		c.open[conn] = false
	case http.StateActive:
		c.open[conn] = true
		if c.ending {
			_ = conn.SetReadDeadline(time.Time{}) // end may have set one since its headers were read; the drain's time bounds it
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	if to == http.StateNew && len(c.open) > c.most {
		c.port.Refuse(conn.RemoteAddr().String())
		_ = conn.Close() // the server finds it closed
	}
	if len(c.open) == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// count returns how many connections are open.
func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// wait returns once no connection is open, or with ctx. Only one goroutine may wait.
func (c *connections) wait(ctx context.Context) {
	none := make(chan struct{})
	c.mu.Lock()
	if len(c.open) == 0 {
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

// end ends connections without a request until none is open, or until ctx ends.
func (c *connections) end(ctx context.Context) {
	const tick = 5 * time.Millisecond
	for c.count() > 0 && ctx.Err() == nil {
		c.endIdle()
		next, stop := context.WithTimeout(ctx, tick)
		c.wait(next)
		stop()
	}
}

// endIdle has the server close the connections that have no request, unless they have something to read. The server still
// answers a request whose headers it has read and not yet looked at.
func (c *connections) endIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	for conn, active := range c.open {
		if !active && !hasUnread(conn) {
			_ = conn.SetReadDeadline(time.Unix(0, 1)) // it has passed
		}
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
