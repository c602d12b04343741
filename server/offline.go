package server

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/admission"
)

// LongMethod is a method of a service other than look-ups, whose calls may take long.
type LongMethod struct {
	Method
	Stream   bool // a call may take as long as its caller likes
	Finishes bool // a call may finish while the server drains; others are told to try another server
}

// May returns nil if the caller of a request has a scope for a service. An empty service stands for a list of features,
// or for everything, which need a grant that is not restricted. The error is ErrForbidden.
func (s *Server) May(ctx context.Context, scope access.Scope, service string) error {
	return s.may(ctx, access.Grant{Scope: scope, Service: service})
}

// MayModel returns nil if the caller of a request has a scope for a model. The error is ErrForbidden.
func (s *Server) MayModel(ctx context.Context, scope access.Scope, model string) error {
	return s.may(ctx, access.Grant{Scope: scope, Model: model})
}

// MaySome returns nil if the caller of a request has a scope for anything at all.
func (s *Server) MaySome(ctx context.Context, scope access.Scope) error {
	if s.options.Access == nil {
		return nil
	}
	c := CallerOf(ctx)
	if c.known == nil {
		return errNobody
	}
	return c.known.MaySome(scope, s.options.Project)
}

// Asked notes for the audit log which service a request is about, and how many features it names.
func (s *Server) Asked(ctx context.Context, service string, features int) {
	a := askedOf(ctx)
	a.service, a.features = service, features
}

// AskedModel notes for the audit log which model a request is about.
func (s *Server) AskedModel(ctx context.Context, model fstore.ModelRef) {
	askedOf(ctx).names("", nil, model)
}

// Moved notes for the audit log how many rows a request brought or got.
func (s *Server) Moved(ctx context.Context, rows int64) { askedOf(ctx).rows = int(rows) }

// Full returns the error for offline work beyond a limit.
func Full(retry time.Duration, format string, args ...any) error {
	return &admission.Busy{Cause: admission.Cause(queued), Reason: fmt.Sprintf(format, args...), Retry: retry}
}

// Status returns a refusal as an error of gRPC.
func (r *Refusal) Status() error {
	message := r.Message
	if r.Hint != "" {
		message += " (" + r.Hint + ")"
	}
	s := status.New(r.Code, message)
	if r.Retry > 0 {
		if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.Retry)}); err == nil {
			s = with
		}
	}
	return s.Err()
}
