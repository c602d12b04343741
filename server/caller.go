package server

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
)

// Caller is who sends a request, as its door has established it.
type Caller struct {
	Name    string     // of the token, the JWT or the certificate; empty: nobody asked for one
	By      access.How // what the name is of
	Address string     // the IP address that the request came from

	known *access.Caller // nil: nobody asked
}

// Key identifies the caller among others: by name, or by address where it has none.
func (c Caller) Key() string {
	if c.Name != "" {
		return string(c.By) + ":" + c.Name
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

// Presented is what a request shows at a door. Its Address may have a port.
type Presented = access.Presented

// Door says whom a method lets in.
type Door string

// The doors.
const (
	Locked Door = "locked" // only callers with a valid credential, once authentication is configured
	Open   Door = "open"   // everybody: the method shows no data and no names
)

// Enter returns the context of a request, which says who its caller is, or a refusal, which it has counted and
// logged. It decides by headers alone, so a door can refuse a caller before the request has arrived.
func (s *Server) Enter(ctx context.Context, m Method, d Door, p Presented) (context.Context, *Refusal) {
	p.Address = ipOf(p.Address)
	c := Caller{Address: p.Address}
	if s.options.Access == nil || d == Open {
		return WithCaller(ctx, c), nil
	}
	start := s.options.Clock()
	var err error
	if c.known, err = s.options.Access.Identify(p); err == nil {
		c.Name, c.By = c.known.Name, c.known.By
		return WithCaller(ctx, c), nil
	}
	r := refuseEntry(err)
	s.metrics.request(m, r.Code, s.options.Clock().Sub(start), "")
	why := access.RefusedOf(err)
	c.Name, c.By = why.Name, why.By
	s.auditRefusal(c, m, r, start)
	if r.limit != "" {
		s.limited(m, c, r)
		return ctx, r
	}
	s.failures.log(s.options.Clock(), entry, "a request was refused", "method", m.String(), "address", c.Address, "caller", c.Name, "reason", err)
	return ctx, r
}

// refuseEntry returns the refusal of a caller who is not known. ErrUnavailable is about the keys of JWTs here, and not
// about the online store.
func refuseEntry(err error) *Refusal {
	r := Refuse(context.Background(), err)
	switch r.Code {
	case codes.Unavailable:
		r.Message = "the server reads the keys of JWTs; try again"
	case codes.ResourceExhausted:
		r.Retry = access.FailuresRetry
	}
	return r
}

// ipOf returns the IP address in a remote address.
func ipOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

// errNobody is the error for a request that entered by no door of a locked server.
var errNobody = errors.New("a request came in that no door has let in")

// may returns nil if the caller of a request may ask for features, and otherwise ErrForbidden. It is called before a
// name is looked up, so that a caller without a right does not learn which names there are.
func (s *Server) may(ctx context.Context, to access.Grant) error {
	if s.options.Access == nil {
		return nil
	}
	c := CallerOf(ctx)
	if c.known == nil {
		return errNobody
	}
	to.Project = s.options.Project
	return c.known.May(to)
}

// mayAsk checks a request that names a service, or else a list of features.
func (s *Server) mayAsk(ctx context.Context, service string) error {
	return s.may(ctx, access.Grant{Scope: access.OnlineRead, Service: service})
}

// mayAskModel checks a request that names a model. A version or an alias of a model is that model's.
func (s *Server) mayAskModel(ctx context.Context, ref fstore.ModelRef) error {
	return s.may(ctx, access.Grant{Scope: access.OnlineRead, Model: ref.Name})
}

// told returns an error as the caller of a request may read it: a hint about a name that there is not can tell others,
// which a caller with restricted grants may not know.
func (s *Server) told(ctx context.Context, err error) error {
	if !errors.Is(err, fstore.ErrNotFound) || s.mayAsk(ctx, "") == nil {
		return err
	}
	message, _ := fstore.Explain(err)
	return fstore.Errorf(fstore.ErrNotFound, "%s", message)
}
