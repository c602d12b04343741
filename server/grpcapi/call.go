package grpcapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/tap"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
)

// call is the context of a look-up over gRPC, from its headers on. Its life is bounded. The server can cancel it
// until its request has arrived.
type call struct {
	context.Context //nolint:containedctx // a call is a context
	cancel          context.CancelFunc
	conn            *connection
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
	limit := a.o.Timeout
	if _, ok := ctx.Deadline(); ok {
		limit = maxLife
	}
	c := &call{conn: connectionOf(ctx)}
	c.Context, c.cancel = context.WithTimeout(ctx, limit) // the stream's own context ends it, too
	if c.conn != nil && info.FullMethodName == fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName {
		c.conn.mu.Lock()
		c.conn.receiving[c] = struct{}{}
		c.conn.mu.Unlock()
	}
	return c, nil
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

// callOf returns the call that a context belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

var errTooManyConnections = errors.New("too many connections")

// maxLife is how long a look-up over gRPC may take from its headers to its answer, whatever deadline its caller sets.
const maxLife = time.Minute
