package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fstore-dev/fstore"
)

// moving opens the connections of a client to servers that may change. When they have changed, it closes the
// connections to the old ones, also those that are in use or being opened.
type moving struct {
	find      func(context.Context) ([]string, error) // where connections may go
	transport *transport
	opened    func() // called before the first connection is opened

	mu    sync.Mutex
	conns map[*movingConn]bool // open, or being opened
}

// movingConn is a connection that its moving knows of.
type movingConn struct {
	net.Conn
	addr   string
	cancel context.CancelFunc // of the dial
	owner  *moving
}

func newMoving(find func(context.Context) ([]string, error), t *transport, opened func()) *moving {
	return &moving{find: find, transport: t, opened: opened, conns: map[*movingConn]bool{}}
}

// dial connects to one of the servers. The driver's network and address mean nothing.
func (m *moving) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	m.opened()
	addrs, err := m.find(ctx)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, fstore.Errorf(fstore.ErrUnavailable, "the sentinels know no replica that is up")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &movingConn{addr: addrs[rand.IntN(len(addrs))], cancel: cancel, owner: m} //nolint:gosec // G404: it spreads load
	m.mu.Lock()
	m.conns[c] = true
	m.mu.Unlock()
	conn, err := m.transport.dial(ctx, "tcp", c.addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch kept := m.conns[c]; {
	case err != nil:
		delete(m.conns, c)
		return nil, err
	case !kept: // the server changed
		_ = conn.Close() // nothing was sent
		return nil, errMoved
	}
	c.Conn = conn
	if plain, ok := conn.(syscall.Conn); ok {
		return plainConn{c, plain}, nil
	}
	return c, nil
}

var errMoved = errors.New("the primary or the replicas have just changed")

// keep closes the connections to all servers but some.
func (m *moving) keep(addrs []string) {
	m.mu.Lock()
	var gone []*movingConn
	for c := range m.conns {
		if !slices.Contains(addrs, c.addr) {
			delete(m.conns, c)
			c.cancel()
			if c.Conn != nil {
				gone = append(gone, c)
			}
		}
	}
	m.mu.Unlock()
	for _, c := range gone {
		_ = c.Conn.Close() // whoever uses it sees it closed
	}
}

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
			if addrs, err := m.find(context.Background()); err == nil && len(addrs) > 0 {
				m.keep(addrs)
			}
		}
	}
}
