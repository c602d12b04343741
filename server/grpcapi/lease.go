package grpcapi

import (
	"time"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/admission"
)

// lease is the budget of an answer until the transport has sent it, or its connection is closed. It is the mem.BufferPool
// that the answer's buffer is given back to.
type lease struct {
	hold  server.Hold
	call  *admission.Call
	conn  *connection // nil: nobody waits for it
	since time.Time

	prev, next *lease // in the connection's ring; nil once the lease has left it. conn.mu guards them
}

// join puts the lease into its connection's ring.
func (l *lease) join(c *connection, call *admission.Call, now time.Time) {
	if c == nil {
		return
	}
	l.conn, l.since, l.call = c, now, call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		l.hold.Release()
		return
	}
	call.Sending()
	l.prev, l.next = c.answers.prev, &c.answers
	l.prev.next, l.next.prev = l, l
}

// leave takes the lease out of the ring and gives its budget back, once. conn.mu is held.
func (l *lease) leave() {
	if l.next == nil {
		return
	}
	l.prev.next, l.next.prev = l.next, l.prev
	l.prev, l.next = nil, nil
	l.call.Sent()
	l.hold.Release()
}

// Get implements mem.BufferPool. Nobody gets a buffer from a lease.
func (l *lease) Get(n int) *[]byte { return server.Buffers.Get(n) }

// Put implements mem.BufferPool: the buffer was sent, or never will be.
func (l *lease) Put(b *[]byte) {
	server.Buffers.Put(b)
	if l.conn == nil {
		l.hold.Release()
		return
	}
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	l.leave()
}
