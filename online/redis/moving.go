package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fstore-dev/fstore"
)

// moving opens the connections of a client to servers that may change. When they have changed, it closes the
// connections to the old ones, also those that are in use or being opened. It never goes back to an older configuration:
// an old primary may be up again, with old data, and answers about it may be late.
type moving struct {
	find      func(context.Context) (servers, error) // where connections may go
	transport *transport
	opened    func() // called before the first connection is opened

	mu      sync.Mutex // guards the rest
	current servers    // the newest found
	conns   map[*movingConn]bool
}

// movingConn is a connection that its moving knows of.
type movingConn struct {
	net.Conn // nil while it is being opened
	addr     string
	cancel   context.CancelFunc // of the dial
	owner    *moving
}

func newMoving(find func(context.Context) (servers, error), t *transport, opened func()) *moving {
	return &moving{find: find, transport: t, opened: opened, conns: map[*movingConn]bool{}}
}

// dial connects to one of the servers. The driver's network and address mean nothing.
func (m *moving) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	m.opened()
	found, err := m.find(ctx)
	if err != nil {
		return nil, err
	}
	if len(found.addrs) == 0 {
		return nil, fstore.Errorf(fstore.ErrUnavailable, "the sentinels know no replica that is up")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &movingConn{addr: found.addrs[rand.IntN(len(found.addrs))], cancel: cancel, owner: m} //nolint:gosec // G404: it spreads load
	if !m.admit(c, found) {
		return nil, fstore.Errorf(fstore.ErrUnavailable, "only sentinels that missed a failover answer").
			WithHint("check that the other sentinels run and can be reached; if all of them were set up anew, restart this process")
	}
	conn, err := m.transport.dial(ctx, "tcp", c.addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch kept := m.conns[c]; {
	case !kept: // the server changed
		if err == nil {
			_ = conn.Close() // nothing was sent
		}
		return nil, errMoved
	case err != nil:
		delete(m.conns, c)
		return nil, err
	}
	c.Conn = conn
	if plain, ok := conn.(syscall.Conn); ok {
		return plainConn{c, plain}, nil
	}
	return c, nil
}

// address returns where the current servers are, or "" if none have been found.
func (m *moving) address() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.current.addrs, ", ")
}

// admit registers a connection that is about to be opened, unless newer servers have been found than those it goes to. If these
// are newer, it closes all other connections.
func (m *moving) admit(c *movingConn, found servers) bool {
	m.mu.Lock()
	if found.epoch < m.current.epoch {
		m.mu.Unlock()
		return false
	}
	var gone []*movingConn
	if found.epoch > m.current.epoch {
		gone = m.follow(found)
	}
	m.current = found
	m.conns[c] = true
	m.mu.Unlock()
	closeAll(gone)
	return true
}

// keep closes the connections to all servers but those found, unless newer ones have been found.
func (m *moving) keep(found servers) {
	m.mu.Lock()
	var gone []*movingConn
	if found.epoch >= m.current.epoch {
		gone = m.follow(found)
	}
	m.mu.Unlock()
	closeAll(gone)
}

// follow makes the servers found the current ones, and returns the connections to others, to be closed. m.mu is held.
func (m *moving) follow(found servers) (gone []*movingConn) {
	m.current = found
	for c := range m.conns {
		if !slices.Contains(found.addrs, c.addr) {
			delete(m.conns, c)
			c.cancel()
			if c.Conn != nil {
				gone = append(gone, c)
			}
		}
	}
	return gone
}

// closeAll closes connections. Whoever uses one sees it closed.
func closeAll(conns []*movingConn) {
	for _, c := range conns {
		_ = c.Conn.Close()
	}
}

var errMoved = errors.New("the primary or the replicas have just changed")

// Close implements net.Conn.
func (c *movingConn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.conns, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// plainConn also lets the driver see whether the connection was closed, which it cannot with TLS.
type plainConn struct {
	*movingConn
	syscall.Conn
}

// watchPeriod is how often the sentinels are asked whether the servers have changed.
const watchPeriod = time.Second

// followSentinels closes connections to servers that the sentinels have replaced, until done is closed.
func (b *Backend) followSentinels(done <-chan struct{}) {
	ticks := time.NewTicker(watchPeriod)
	defer ticks.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticks.C:
		}
		for _, m := range b.moving {
			if found, err := m.find(context.Background()); err == nil && len(found.addrs) > 0 {
				m.keep(found)
			}
		}
	}
}
