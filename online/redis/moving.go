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
	if err := m.turnTo(found, c); err != nil {
		return nil, err
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

// refresh asks where the servers are, and closes the connections to all others.
func (m *moving) refresh(ctx context.Context) error {
	found, err := m.find(ctx)
	if err != nil || len(found.addrs) == 0 {
		return err
	}
	return m.turnTo(found, nil)
}

// turnTo makes the servers found the current ones, and closes the connections to all others. It registers a connection that is
// about to be opened to one of them, if any. Servers of an older configuration than the current one are refused.
func (m *moving) turnTo(found servers, opening *movingConn) error {
	m.mu.Lock()
	if found.epoch < m.current.epoch {
		m.mu.Unlock()
		return fstore.Errorf(fstore.ErrUnavailable, "only sentinels that missed a failover answer").
			WithHint("check that the other sentinels run and can be reached; if all of them were set up anew, restart this process")
	}
	m.current = found
	gone := m.release(func(addr string) bool { return !slices.Contains(found.addrs, addr) })
	if opening != nil {
		m.conns[opening] = true
	}
	m.mu.Unlock()
	closeAll(gone)
	return nil
}

// leave closes all connections. The next call asks where to go.
func (m *moving) leave() {
	m.mu.Lock()
	gone := m.release(func(string) bool { return true })
	m.mu.Unlock()
	closeAll(gone)
}

// release ends the dials to some addresses, and returns the connections to them, to be closed. m.mu is held.
func (m *moving) release(from func(addr string) bool) (gone []*movingConn) {
	for c := range m.conns {
		if from(c.addr) {
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
			_ = m.refresh(context.Background()) // sentinels that do not answer, or not well, change nothing
		}
	}
}
