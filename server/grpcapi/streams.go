package grpcapi

import (
	"reflect"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore/server"
)

// Service is a gRPC service beside the look-ups: on the same port, and behind the same doors.
type Service interface {
	Register(g *grpc.Server)
	// Method returns what is to be known of a method of the service, by its full name; false for any other name.
	Method(full string) (ServiceMethod, bool)
}

// ServiceMethod is a method of a Service. Its handler runs each call with Server.RunLong.
type ServiceMethod = server.LongMethod

const (
	// maxServiceMessage bounds a message to a Service, which may carry a batch of rows. Look-ups keep their own limit.
	maxServiceMessage = 16 << 20

	// serviceGrace is how long calls of a Service may go on over a connection that is old.
	serviceGrace = 24 * time.Hour

	receiveTimeout = 5 * time.Minute // for the next message of a stream to arrive
)

func (a *API) maxMessage() int {
	if a.also == nil {
		return a.o.MaxRequestBytes
	}
	return max(a.o.MaxRequestBytes, maxServiceMessage)
}

func (a *API) ageGrace() time.Duration {
	if a.also == nil {
		return maxAgeGrace
	}
	return serviceGrace
}

func (a *API) serviceMethod(full string) (ServiceMethod, bool) {
	for _, s := range a.also {
		if m, ok := s.Method(full); ok {
			return m, true
		}
	}
	return ServiceMethod{}, false
}

// stream handles the streams of health, reflection and the services. Reflection tells names of services, so the audit
// log has it.
func (a *API) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	start := a.o.Clock()
	if m, ok := a.serviceMethod(info.FullMethod); ok {
		watched := &watchedStream{ServerStream: stream, call: callOf(stream.Context()), number: streamNumber(stream), many: info.IsClientStream}
		if m.Finishes {
			defer a.core.Track()()
			return handle(srv, watched)
		}
		return a.untilDrain(srv, watched, info, handle, nil)
	}
	old := time.NewTimer(maxAge + maxAgeGrace)
	defer old.Stop()
	err := a.untilDrain(srv, stream, info, handle, old.C)
	if m := a.methodOf(info.FullMethod); m == grpcReflect {
		a.core.AuditStream(stream.Context(), m, status.Code(err), start)
	}
	return err
}

// untilDrain ends a stream when the server drains or the stream is old, which its client would keep open for ever, and
// catches its panics.
func (a *API) untilDrain(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler, old <-chan time.Time) error {
	done, over := make(chan error, 1), a.core.Track()
	go func() {
		defer over()
		defer func() {
			if p := recover(); p != nil {
				a.core.Panicked(server.Method{Transport: "grpc", Name: info.FullMethod}, p)
				done <- statusOf(server.Fault)
			}
		}()
		err := handle(srv, stream)
		if ended := callOf(stream.Context()).ended(); ended != nil {
			err = ended
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-a.core.Draining():
		return status.Error(codes.Unavailable, "the server is shutting down")
	case <-old:
		return status.Error(codes.Unavailable, "the stream is old; open another one")
	}
}

// watchedStream is a stream of a Service. A message that its handler has taken no longer counts as arriving, so a
// stream may bring any number of bytes. A client that stalls is given up.
type watchedStream struct {
	grpc.ServerStream
	call    *call
	number  uint32
	many    bool // the client may send more than one message
	stalled atomic.Bool
}

// RecvMsg implements grpc.ServerStream.
func (w *watchedStream) RecvMsg(m any) error {
	err := w.within(receiveTimeout, func() error { return w.ServerStream.RecvMsg(m) })
	if err != nil || w.call == nil {
		return err
	}
	w.call.conn.taken(w.number)
	if !w.many {
		return w.call.ended()
	}
	return nil
}

// SendMsg implements grpc.ServerStream.
func (w *watchedStream) SendMsg(m any) error {
	return w.within(sendTimeout, func() error { return w.ServerStream.SendMsg(m) })
}

// within cancels the call if its client keeps the server waiting.
func (w *watchedStream) within(limit time.Duration, do func() error) error {
	if w.call == nil {
		return do()
	}
	timer := time.AfterFunc(limit, func() {
		w.stalled.Store(true)
		w.call.cancel()
	})
	defer timer.Stop()
	err := do()
	if err != nil && w.stalled.Load() {
		return status.Errorf(codes.DeadlineExceeded, "the client neither sent nor read anything for %s", limit)
	}
	return err
}

// taken takes the bytes of a stream that have arrived, and that a handler has, out of the counts.
func (c *connection) taken(stream uint32) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.open[stream]
	if held == 0 {
		return
	}
	c.open[stream] = 0
	c.bytes -= held
	c.of.arriving.Add(-held)
}

// streamNumber returns the number of a stream on its connection. gRPC does not export it: if it ever has another name,
// the number is 0, and the bytes of a stream count as arriving until the stream ends.
func streamNumber(stream grpc.ServerStream) uint32 {
	v := reflect.Indirect(reflect.ValueOf(grpc.ServerTransportStreamFromContext(stream.Context())))
	if v.Kind() != reflect.Struct {
		return 0
	}
	if id := v.FieldByName("id"); id.IsValid() && id.CanUint() {
		return uint32(id.Uint())
	}
	return 0
}
