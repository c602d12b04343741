package server

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/audit"
)

// asked is what a request asks for, for the audit log. The goroutine of the request fills it.
type asked struct {
	service, model string
	features, rows int
}

type askedKey struct{}

// askedOf returns what to fill for the request of a context. Without an audit log, nobody reads it.
func askedOf(ctx context.Context) *asked {
	if a, ok := ctx.Value(askedKey{}).(*asked); ok {
		return a
	}
	return &asked{}
}

// audited returns the context of a request that the audit log gets a line of, and what its line will say.
func (s *Server) audited(ctx context.Context) (context.Context, *asked) {
	if s.options.Audit == nil {
		return ctx, nil
	}
	a := &asked{}
	return context.WithValue(ctx, askedKey{}, a), a
}

// audit writes the line of a request.
func (s *Server) audit(c Caller, m Method, a *asked, code codes.Code, start time.Time) {
	if s.options.Audit == nil {
		return
	}
	s.options.Audit.Add(audit.Entry{
		Time: start, Caller: c.Name, By: string(c.By), Address: c.Address, Transport: m.Transport, Method: m.Name,
		Service: a.service, Model: a.model, Features: a.features, Rows: a.rows, Code: codeName(code), Took: s.options.Clock().Sub(start),
	})
}

// names notes what a request names.
func (a *asked) names(service string, refs []string, model fstore.ModelRef) {
	a.service, a.features = service, len(refs)
	if model != (fstore.ModelRef{}) {
		a.model = model.String()
	}
}
