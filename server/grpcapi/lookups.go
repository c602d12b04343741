package grpcapi

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fstore-dev/fstore/server"
)

// AddLookups adds a service whose methods are look-ups in a form of their own, by name. They are admitted, bounded and
// run like fstore's own. It is called before Serve. The error names the methods of the service that have none.
func (a *API) AddLookups(service grpc.ServiceDesc, methods map[string]server.LookupMethod) error {
	handlers := map[string]grpc.MethodHandler{}
	for name, m := range methods {
		a.methods["/"+service.ServiceName+"/"+name] = m.Method
		handlers[name] = a.handleLookup(m)
	}
	desc, err := withHandlers(service, handlers)
	if err != nil {
		return err
	}
	a.grpc.RegisterService(desc, a)
	a.addHealth(service.ServiceName)
	return nil
}

// handleLookup returns the handler of a method.
func (a *API) handleLookup(m server.LookupMethod) grpc.MethodHandler {
	return func(_ any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		r := &receivedBytes{call: m.New(), most: a.o.MaxRequestBytes, lease: lease{hold: server.NewHold(a.core.InFlight())}}
		return a.answer(ctx, m.Method, &r.lease, func(ctx context.Context) (encoded, error) {
			if err := a.arrive(ctx, receive(r), r.err); err != nil {
				return encoded{}, err
			}
			buf, err := r.call.Answer(ctx, &r.lease.hold)
			if stale := server.StaleOf(r.call); err == nil && stale != "" {
				_ = grpc.SetHeader(ctx, metadata.Pairs(server.StaleHeader, stale)) // it fails only outside of a call
			}
			return encoded{buf, &r.lease}, err
		})
	}
}

// receivedBytes is a request that its call decodes, or why it could not.
type receivedBytes struct {
	call  server.LookupCall
	most  int // bytes that it may have
	err   error
	lease lease
}

// take decodes a request; err says what is wrong with its bytes.
func (r *receivedBytes) take(data []byte) {
	if len(data) > r.most {
		r.err = tooManyBytes(r.most)
		return
	}
	r.err = r.call.Take(data, &r.lease.hold)
}
