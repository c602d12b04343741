package grpcapi

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore/server"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
)

// gRPC's transport buffers what a client sends and what it does not read, and does not tell how much. So every
// connection counts: a request's bytes as they arrive, by following the frames, and an answer's bytes until the
// transport returns their buffers. With TLS, what counts is what TLS carries.

const (
	maxCalls  = 2000         // streams of all connections
	maxBeside = maxCalls / 2 // of them, those that are no look-ups: health's, which anybody may open, and reflection's
)

// frameCost is what a DATA frame costs in memory beside its bytes: a message may come in frames of one byte.
const frameCost = 64

// grpcConnections is all gRPC connections of a server.
type grpcConnections struct {
	arriving *server.Budget // bytes of requests, until their streams end
	port     *server.Port
	most     int // connections
	streams  atomic.Int64
	beside   atomic.Int64 // calls that are no look-ups

	mu       sync.Mutex // guards the rest
	all      map[*connection]struct{}
	shaking  map[net.Conn]struct{} // connections in the TLS handshake
	draining bool
}

// connection is a gRPC connection. It is the AuthInfo of its peer, so that calls find it.
type connection struct {
	net.Conn          // what TLS carries, if there is TLS
	raw      net.Conn // what the listener accepted
	writer   writer
	tls      *tls.ConnectionState
	remote   string // the client's address; empty: unknown
	of       *grpcConnections
	in, out  frames
	joined   bool        // for the reader alone
	greeted  atomic.Bool // the client's preface and its settings have arrived

	mu        sync.Mutex
	newest    uint32             // the largest number of a stream the client has opened
	open      map[uint32]int64   // by stream: bytes of it that have arrived
	bytes     int64              // the sum of open
	receiving map[*call]struct{} // calls whose request has not arrived
	answers   lease              // head of the ring of answers that are being sent, oldest first
	closed    bool
}

// AuthType implements credentials.AuthInfo.
func (c *connection) AuthType() string {
	if c.tls == nil {
		return "none"
	}
	return "tls"
}

// TLS returns what the handshake has settled, such as the client's verified certificates; nil without TLS.
func (c *connection) TLS() *tls.ConnectionState { return c.tls }

// watching is gRPC's credentials, for TLS or for no security, which has the server see its connections' bytes.
type watching struct {
	credentials.TransportCredentials
	of *grpcConnections
}

func newConnections(arriving *server.Budget, most int) *grpcConnections {
	return &grpcConnections{arriving: arriving, most: most, all: map[*connection]struct{}{}, shaking: map[net.Conn]struct{}{}}
}

// credentials returns those of a server with certificates, or of one without TLS.
func (g *grpcConnections) credentials(certificates *server.Certificates) credentials.TransportCredentials {
	if certificates == nil {
		return watching{insecure.NewCredentials(), g}
	}
	return watching{credentials.NewTLS(certificates.Config("h2")), g}
}

// Clone implements credentials.TransportCredentials.
func (w watching) Clone() credentials.TransportCredentials {
	return watching{w.TransportCredentials.Clone(), w.of}
}

// ServerHandshake implements credentials.TransportCredentials. The error is gRPC's to close the connection with. gRPC
// has set a deadline for it.
func (w watching) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if err := w.of.beginHandshake(raw); err != nil {
		w.of.refuse(raw, err)
		return nil, nil, err
	}
	defer w.of.endHandshake(raw)
	carried, info, err := w.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	c := &connection{
		Conn: carried, raw: raw, writer: writer{conn: carried}, of: w.of, open: map[uint32]int64{}, receiving: map[*call]struct{}{}, in: frames{skip: len(http2.ClientPreface)},
	}
	if from := raw.RemoteAddr(); from != nil {
		c.remote = from.String()
	}
	if secured, ok := info.(credentials.TLSInfo); ok {
		c.tls = &secured.State
	}
	c.answers.next, c.answers.prev = &c.answers, &c.answers
	return c, c, nil
}

// beginHandshake counts a connection until endHandshake: a slow handshake takes the place of a connection.
func (g *grpcConnections) beginHandshake(raw net.Conn) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.full(); err != nil {
		return err
	}
	g.shaking[raw] = struct{}{}
	return nil
}

func (g *grpcConnections) endHandshake(raw net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.shaking, raw)
}

// full returns why there may not be one more connection. g.mu is held.
func (g *grpcConnections) full() error {
	if g.draining {
		return server.ErrDraining
	}
	if len(g.all)+len(g.shaking) >= g.most {
		return errTooManyConnections
	}
	return nil
}

// refuse notes that a connection is closed because there are too many.
func (g *grpcConnections) refuse(raw net.Conn, why error) {
	if errors.Is(why, errTooManyConnections) {
		g.port.Refuse(raw.RemoteAddr().String())
	}
}

// join registers the connection with the server. That happens at its first read: gRPC closes whatever it reads from.
func (c *connection) join() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if err := c.of.full(); err != nil {
		return err
	}
	c.joined = true
	c.of.all[c] = struct{}{}
	return nil
}

// connectionOf returns the connection that a call came over; nil in tests that call without one.
func connectionOf(ctx context.Context) *connection {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	c, _ := p.AuthInfo.(*connection)
	return c
}

// Read implements net.Conn.
func (c *connection) Read(p []byte) (int, error) {
	if !c.joined {
		if err := c.join(); err != nil {
			c.of.refuse(c.raw, err)
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	c.in.scan(p[:n], c.arrived)
	if !c.greeted.Load() && c.in.pastFirst() {
		c.greeted.Store(true)
	}
	return n, err
}

// Write implements net.Conn.
func (c *connection) Write(p []byte) (int, error) {
	if c.out.arePings(p) && c.writer.keep(p) {
		return len(p), nil
	}
	return c.writer.write(p, &c.out, c.sent)
}

// Close implements net.Conn. Nothing is in flight after it: what gRPC had not sent is dropped.
func (c *connection) Close() error {
	c.leave()
	return c.Conn.Close()
}

// cut is Close without TLS's farewell, which can wait for a client that does not read. The transport finds it closed.
func (c *connection) cut() {
	c.leave()
	_ = c.raw.Close()
}

// leave takes the connection, and everything that is in flight over it, out of the counts.
func (c *connection) leave() {
	c.of.mu.Lock()
	delete(c.of.all, c)
	c.of.mu.Unlock()
	c.mu.Lock()
	for stream := range c.open {
		c.end(stream)
	}
	for c.answers.next != &c.answers {
		c.answers.next.leave()
	}
	c.closed = true
	c.mu.Unlock()
}

// arrived takes in a frame that the client sent.
func (c *connection) arrived(f frame) {
	c.mu.Lock()
	fits := true
	switch f.kind {
	case http2.FrameHeaders:
		if f.stream > c.newest && !c.closed {
			c.newest = f.stream
			c.open[f.stream] = 0
			c.of.streams.Add(1)
		}
	case http2.FrameData:
		if held, ok := c.open[f.stream]; ok {
			n := int64(f.length + frameCost)
			c.open[f.stream] = held + n
			c.bytes += n
			fits = c.of.arriving.Add(n)
		}
	case http2.FrameRSTStream:
		c.end(f.stream)
	}
	c.mu.Unlock()
	if !fits {
		c.of.makeRoom()
	}
}

// sent takes in a frame that the server sent.
func (c *connection) sent(f frame) {
	if !f.ends() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(f.stream)
}

// end forgets a stream. c.mu is held.
func (c *connection) end(stream uint32) {
	held, ok := c.open[stream]
	if !ok {
		return
	}
	delete(c.open, stream)
	c.bytes -= held
	c.of.arriving.Add(-held)
	c.of.streams.Add(-1)
}

// list returns the connections there are.
func (g *grpcConnections) list() []*connection {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*connection, 0, len(g.all))
	for c := range g.all {
		all = append(all, c)
	}
	return all
}

// makeRoom cancels the arriving requests of the connection that has the most bytes of such requests.
func (g *grpcConnections) makeRoom() {
	var most *connection
	var bytes int64
	for _, c := range g.list() {
		c.mu.Lock()
		if c.bytes > bytes && len(c.receiving) > 0 {
			most, bytes = c, c.bytes
		}
		c.mu.Unlock()
	}
	if most != nil {
		most.endReceiving(server.ErrBusy)
	}
}

// endReceiving ends the calls whose request has not arrived; why is what they are answered.
func (c *connection) endReceiving(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for call := range c.receiving {
		call.why = why
		call.cancel()
	}
	clear(c.receiving)
}

// endReceiving does it on all connections.
func (g *grpcConnections) endReceiving(why error) {
	for _, c := range g.list() {
		c.endReceiving(why)
	}
}

// closeMute closes the connections whose client has not greeted, and those that come: GracefulStop would wait 10 s for
// one.
func (g *grpcConnections) closeMute() {
	g.mu.Lock()
	g.draining = true
	for raw := range g.shaking {
		_ = raw.Close() // the handshake finds it closed
	}
	g.mu.Unlock()
	for _, c := range g.list() {
		if !c.greeted.Load() {
			c.cut()
		}
	}
}

// quiet returns true once no stream has been open for a while, or false once end is closed.
func (g *grpcConnections) quiet(end <-chan struct{}, while time.Duration) bool {
	const looks = 10
	tick := time.NewTicker(max(while/looks, time.Millisecond))
	defer tick.Stop()
	for n := 0; n < looks; n++ {
		select {
		case <-end:
			return false
		case <-tick.C:
		}
		if g.streams.Load() > 0 {
			n = -1
		}
	}
	return true
}

// closeSlow closes the connections that have an answer which was to be sent before an instant.
func (g *grpcConnections) closeSlow(before time.Time) {
	for _, c := range g.list() {
		c.mu.Lock()
		oldest := c.answers.next
		slow := oldest != &c.answers && oldest.since.Before(before)
		c.mu.Unlock()
		if slow {
			c.cut()
		}
	}
}
