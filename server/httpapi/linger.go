package httpapi

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore/server"
)

// Closing a connection that an HTTP client keeps open is risky: a request may be on its way and would be lost unread. So a
// draining server goes on for a moment, and each answer asks its client to close the connection. Then it lets no new client
// connect, accepts those who have, and closes its port. Of the connections left it closes only those from which nothing
// has come for a moment and nothing is left to read. A request that is sent while the server closes such a connection is
// lost. HTTP cannot prevent that: clients try again.

// connections is the open connections of an HTTP server.
type connections struct {
	port *server.Port

	mu   sync.Mutex // guards the rest
	open map[net.Conn]*use
	none chan struct{} // closed once none is open; nil: nobody waits
}

// use is whether a request is under way on a connection.
type use struct {
	active bool
	since  time.Time
}

// changed is the server's ConnState.
func (c *connections) changed(conn net.Conn, to http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch to {
	case http.StateNew, http.StateIdle, http.StateActive:
		c.open[conn] = &use{to == http.StateActive, time.Now()}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	if to == http.StateNew && len(c.open) > server.MaxConnections {
		_ = conn.Close() // the server finds it closed
		c.port.Refuse(conn.RemoteAddr().String())
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

// closeQuiet closes connections without a request until none is open, or until ctx ends: those from which nothing has come
// for a while. Requests that come in pieces have to come quicker and quicker.
func (c *connections) closeQuiet(ctx context.Context, while time.Duration) {
	began := time.Now()
	for c.count() > 0 && ctx.Err() == nil {
		now, quiet := time.Now(), while
		switch took := now.Sub(began); {
		case took > 4*while:
			quiet = 0
		case took > 2*while:
			quiet = while / 10
		}
		for _, conn := range c.idleSince(now.Add(-quiet)) {
			_ = conn.Close() // the server finds it closed
		}
		tick, end := context.WithTimeout(ctx, drainTick)
		c.wait(tick)
		end()
	}
}

const drainTick = 5 * time.Millisecond // between looks of a draining server

// idleSince returns the connections without a request that have nothing to read, and from which nothing has come since.
func (c *connections) idleSince(since time.Time) (idle []net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, use := range c.open {
		if use.active || use.since.After(since) {
			continue
		}
		if w := watchedOf(conn); w == nil || !w.last().After(since) && !hasUnread(w.Conn) {
			idle = append(idle, conn)
		}
	}
	return idle
}

// watchedOf returns what the listener accepted, beneath TLS if there is TLS.
func watchedOf(conn net.Conn) *watched {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	w, _ := conn.(*watched)
	return w
}

// watched is a connection that remembers when something came.
type watched struct {
	net.Conn
	came atomic.Int64 // Unix time in nanoseconds
}

// Read implements net.Conn.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.came.Store(time.Now().UnixNano())
	}
	return n, err
}

func (w *watched) last() time.Time { return time.Unix(0, w.came.Load()) }

// watching is a listener whose connections are watched.
type watching struct {
	net.Listener
	stopped atomic.Bool // it is closed because the server drains
}

// Accept implements net.Listener.
func (l *watching) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watched{Conn: conn}, nil
}

// stop lets no new client connect, and closes the listener once all who have connected are accepted, or once ctx ends.
func (l *watching) stop(ctx context.Context) {
	refuseClients(l.Listener)
	const looks = 3
	for empty := 0; empty < looks && ctx.Err() == nil; empty++ {
		if clientsWait(l.Listener) {
			empty = -1
		}
		select {
		case <-ctx.Done():
		case <-time.After(drainTick):
		}
	}
	l.stopped.Store(true)
	_ = l.Close() // nobody waits for it any more
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
