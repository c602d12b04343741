package server

import (
	"context"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/tracing"
)

// Spans have names from the catalog, never those that a caller made up, and codes instead of messages.

// begin begins the span of a request. Before it, the protocol has told the tracer of the caller's trace.
func (s *Server) begin(ctx context.Context, m Method) (context.Context, tracing.Span) {
	ctx, span := s.options.Tracer.Root(ctx, m.Name, tracing.Server)
	span.Text("fstore.transport", m.Transport)
	return ctx, span
}

// ended ends the span of a request; r is nil if it was answered.
func ended(span tracing.Span, r *Refusal) {
	if !span.Recorded() {
		return
	}
	code := "OK"
	if r != nil {
		code = r.Name
		if !r.callers() {
			span.Fail(code)
		}
	}
	span.Text("fstore.code", code)
	span.End()
}

// resolved ends the span of resolving a request, and says what the request is for.
func (s *Server) resolved(ctx context.Context, span tracing.Span, t *Target, err error) {
	if !span.Recorded() {
		return
	}
	span.End()
	if err != nil {
		return
	}
	request := s.options.Tracer.Of(ctx)
	if t.List.Service.Name != "" {
		request.Text("fstore.service", t.List.Service.String())
	}
	if t.List.Model.Name != "" {
		request.Text("fstore.model", t.List.Model.String())
	}
	request.Count("fstore.features", int64(len(t.List.Outputs)))
}

// answered says in the span of a request what it was answered from.
func (s *Server) answered(ctx context.Context, a *online.Answer) {
	request := s.options.Tracer.Of(ctx)
	if !request.Recorded() {
		return
	}
	views := make([]string, len(a.Versions), len(a.Versions)+len(a.OnDemand))
	for i := range a.Versions {
		views[i] = a.Versions[i].Ref.String()
	}
	for _, ref := range a.OnDemand {
		views = append(views, ref.String())
	}
	request.Count("fstore.rows", int64(a.Rows))
	request.Names("fstore.views", views)
}

// part begins the span of a part of a look-up; it is the store's Begin.
func (s *Server) part(ctx context.Context, part online.Part, size int) (end func(error)) {
	kind, of := tracing.Internal, "fstore.rows"
	if part == online.ReadPart {
		kind, of = tracing.Client, "fstore.keys"
	}
	_, span := s.options.Tracer.Start(ctx, string(part), kind)
	if !span.Recorded() {
		return unrecorded
	}
	span.Count(of, int64(size))
	return func(err error) {
		if err != nil {
			span.Fail(codeName(classify(ctx, err).code))
		}
		span.End()
	}
}

func unrecorded(error) {}

// Encoding begins the span of writing an answer. The caller ends it.
func (s *Server) Encoding(ctx context.Context) tracing.Span {
	_, span := s.options.Tracer.Start(ctx, "encode", tracing.Internal)
	return span
}
