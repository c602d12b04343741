package server

import "context"

// Caller is who sends a request, as its door has established it.
type Caller struct {
	Name    string // of the token, the JWT or the certificate; empty: nobody asked for one
	Address string // the IP address that the request came from
}

// Key identifies the caller among others: by name, or by address where it has none.
func (c Caller) Key() string {
	if c.Name != "" {
		return "name:" + c.Name
	}
	return "address:" + c.Address
}

type callerKey struct{}

// WithCaller returns a context that says who sends the request.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who sends the request of a context; the zero Caller if nobody said so.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
