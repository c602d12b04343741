package server

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
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

// audit writes the line of a request that came in; r is nil if it was answered.
func (s *Server) audit(c Caller, m Method, a *asked, r *Refusal, start time.Time, trace string) {
	if s.options.Audit == nil {
		return
	}
	e := s.entry(c, m, r, start)
	e.TraceID = trace
	e.Service, e.Model, e.Features, e.Rows = a.service, a.model, a.features, a.rows
	s.options.Audit.Add(e)
}

// auditRefusal notes a request that was refused before it had arrived. Those alike share lines.
func (s *Server) auditRefusal(c Caller, m Method, r *Refusal, start time.Time) {
	if s.options.Audit == nil {
		return
	}
	e := s.entry(c, m, r, start)
	e.AtDoor = true
	s.options.Audit.Add(e)
}

// AuditStream writes the audit line for a stream, other than a look-up, once the stream has ended.
func (s *Server) AuditStream(ctx context.Context, m Method, code codes.Code, start time.Time) {
	if s.options.Audit == nil {
		return
	}
	e := s.entry(CallerOf(ctx), m, nil, start)
	e.Code = codeName(code)
	s.options.Audit.Add(e)
}

func (s *Server) entry(c Caller, m Method, r *Refusal, start time.Time) audit.Entry {
	e := audit.Entry{
		Time: start, Caller: c.Name, By: string(c.By), Address: c.Address, Transport: m.Transport, Method: m.Name,
		Code: codeName(codes.OK), Took: s.options.Clock().Sub(start),
	}
	if r != nil {
		e.Code, e.Reason = codeName(r.Code), reasonOf(r.cause)
	}
	return e
}

// reasonOf returns why a request was refused, where its code does not tell.
func reasonOf(err error) string {
	if why := access.RefusedOf(err); why.Reason != "" {
		return string(why.Reason)
	}
	if limit := limitOf(err); limit != size {
		return string(limit)
	}
	return ""
}

// names notes what a request names.
func (a *asked) names(service string, refs []string, model fstore.ModelRef) {
	a.service, a.features = service, len(refs)
	if model != (fstore.ModelRef{}) {
		a.model = model.String()
	}
}
