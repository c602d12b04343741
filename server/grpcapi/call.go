package grpcapi

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/admission"
)

// call is the context of a look-up over gRPC, from its headers on. Its life is bounded. The server can cancel it
// until its request has arrived.
type call struct {
	context.Context //nolint:containedctx // a call is a context
	cancel          context.CancelFunc
	conn            *connection
	admitted        *admission.Call
	why             error // why the server ended it; guarded by conn.mu
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
		return ctx, statusOf(server.Refuse(ctx, server.ErrBusy))
	}
	ctx, refused := a.enter(ctx, info)
	if refused != nil {
		return ctx, statusOf(refused)
	}
	if isLong(info.FullMethodName) {
		return ctx, nil
	}
	method, limited := methods[info.FullMethodName]
	var admitted *admission.Call
	if limited {
		var refused *server.Refusal
		if admitted, refused = a.core.Admit(ctx, method, callerOf(ctx)); refused != nil {
			return ctx, statusOf(refused)
		}
	}
	limit := a.o.Timeout
	if _, ok := ctx.Deadline(); ok {
		limit = maxLife
	}
	c := &call{conn: connectionOf(ctx), admitted: admitted}
	c.Context, c.cancel = context.WithTimeout(ctx, limit) // the stream's own context ends it, too
	if admitted != nil {
		context.AfterFunc(c.Context, admitted.Abandon) // a stream may end without a handler
	}
	if c.conn != nil && info.FullMethodName == fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName {
		c.conn.mu.Lock()
		c.conn.receiving[c] = struct{}{}
		c.conn.mu.Unlock()
	}
	return c, nil
}

// callerOf returns who sends a call.
func callerOf(ctx context.Context) server.Caller {
	c := server.CallerOf(ctx)
	if p, ok := peer.FromContext(ctx); ok && c.Address == "" {
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

// turn waits until the server has capacity for the call, whose request has arrived.
func (c *call) turn(ctx context.Context) error {
	if c == nil {
		return nil
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
