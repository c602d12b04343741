package grpcapi

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/admission"
)

// call is the context of a call over gRPC, from its headers on. The server can cancel it until its request has arrived:
// a stream of health or reflection at any time, because more requests may arrive.
type call struct {
	context.Context //nolint:containedctx // a call is a context
	cancel          context.CancelFunc
	of              *grpcConnections
	conn            *connection     // nil in tests that call without one
	admitted        *admission.Call // nil: it is not a look-up
	beside          bool            // it is not a look-up, and is counted as such
	why             error           // why the server ended it; guarded by conn.mu
	forget          func() bool     // stops over from being called
}

type callKey struct{}

// Value implements context.Context.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// admit is gRPC's tap handle: it takes a stream on as its headers have arrived, or refuses it.
func (a *API) admit(ctx context.Context, info *tap.Info) (context.Context, error) {
	if a.connections.streams.Load() > maxCalls {
		return ctx, statusOf(a.core.TooManyStreams(a.methodOf(info.FullMethodName), callerOf(ctx)))
	}
	ctx, refused := a.enter(ctx, info)
	if refused != nil {
		return ctx, statusOf(refused)
	}
	c := &call{conn: connectionOf(ctx), of: a.connections}
	method, limited := a.methods[info.FullMethodName]
	if limited {
		if c.admitted, refused = a.core.Admit(ctx, method, callerOf(ctx)); refused != nil {
			return ctx, statusOf(refused)
		}
	} else if c.beside = true; a.connections.beside.Add(1) > maxBeside {
		a.connections.beside.Add(-1)
		return ctx, statusOf(a.core.TooManyStreams(a.methodOf(info.FullMethodName), callerOf(ctx)))
	}
	c.Context, c.cancel = a.life(ctx, info.FullMethodName) // the stream's own context ends it, too
	if c.conn != nil {
		c.conn.mu.Lock()
		c.conn.receiving[c] = struct{}{}
		c.conn.mu.Unlock()
	}
	c.forget = context.AfterFunc(c.Context, c.over) // a stream may end without a handler
	return c, nil
}

// life returns the context of a call, with the time that it may take.
func (a *API) life(ctx context.Context, method string) (context.Context, context.CancelFunc) {
	if m, ok := a.serviceMethod(method); ok && m.Stream || isLong(method) {
		return context.WithCancel(ctx)
	}
	limit := a.o.Timeout
	if _, ok := ctx.Deadline(); ok {
		limit = maxLife
	}
	return context.WithTimeout(ctx, limit)
}

// callerOf returns who sends a call.
func callerOf(ctx context.Context) server.Caller {
	c := server.CallerOf(ctx)
	if c.Address != "" {
		return c
	}
	if p, ok := peer.FromContext(ctx); ok {
		c.Address = addressOf(p.Addr)
	}
	return c
}

// addressOf returns an address without the port.
func addressOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return a.String()
}

// isLong reports whether a method's streams may be open as long as their client likes: those of health's Watch and of reflection.
func isLong(method string) bool {
	return strings.HasSuffix(method, "/Watch") || strings.HasSuffix(method, "/ServerReflectionInfo")
}

// arrived returns why the server ended the call before its request had arrived; nil where it did not. It cannot
// afterwards.
func (c *call) arrived() error {
	if c == nil || c.conn == nil {
		return nil
	}
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	delete(c.conn.receiving, c)
	return c.why
}

// ended returns the status for the caller if the server ended the call, which is not a look-up, before its request had arrived.
func (c *call) ended() error {
	if why := c.arrived(); why != nil {
		return statusOf(server.Refuse(context.Background(), why))
	}
	return nil
}

// over forgets a call whose stream has ended.
func (c *call) over() {
	_ = c.arrived() // nobody is left to be told why it ended
	if c.beside {
		c.of.beside.Add(-1)
		return
	}
	c.admitted.Abandon()
}

// turn waits until the server has capacity for the call, whose request has arrived.
func (c *call) turn(ctx context.Context) error {
	if c == nil {
		return nil
	}
	if c.forget != nil {
		c.forget() // its handler leaves it from here on, so its end need not start a goroutine
	}
	return c.admitted.Begin(ctx)
}

// admission returns what the server admitted the call with.
func (c *call) admission() *admission.Call {
	if c == nil {
		return nil
	}
	return c.admitted
}

// callOf returns the call that a context belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

var errTooManyConnections = errors.New("too many connections")

// maxLife is how long a look-up over gRPC may take from its headers to its answer, whatever deadline its caller sets.
const maxLife = time.Minute
