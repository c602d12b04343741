package server

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server/admission"
	"github.com/fstore-dev/fstore/tracing"
)

// Resolve returns the target of a request that names a service or a list of references, if its caller may ask for it.
// refs is nil if it names a service.
func (s *Server) Resolve(ctx context.Context, service string, refs []string) (*Target, error) {
	_, span := s.options.Tracer.Start(ctx, "resolve", tracing.Internal)
	t, err := s.resolve(ctx, service, refs)
	s.resolved(ctx, span, t, err)
	return t, err
}

func (s *Server) resolve(ctx context.Context, service string, refs []string) (*Target, error) {
	if refs != nil {
		service = ""
	}
	askedOf(ctx).names(service, refs, fstore.ModelRef{})
	if err := s.mayAsk(ctx, service); err != nil {
		return nil, err
	}
	catalog := s.follower.current.Load()
	if catalog == nil {
		return nil, errNoCatalog
	}
	if refs == nil {
		t, err := catalog.service(service)
		return t, s.told(ctx, err)
	}
	if limit := s.store.Limits.MaxFeatures; limit > 0 && len(refs) > limit {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "%d features; the limit is %d", len(refs), limit)
	}
	if len(refs) == 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the list of features is empty").WithHint("such as customer_orders.order_value, or customer_orders.*")
	}
	return catalog.features(refs)
}

// ResolveModel returns the features pinned to a version of a model, if the caller may ask for them.
func (s *Server) ResolveModel(ctx context.Context, ref fstore.ModelRef) (*Target, error) {
	_, span := s.options.Tracer.Start(ctx, "resolve", tracing.Internal)
	t, err := s.resolveModel(ctx, ref)
	s.resolved(ctx, span, t, err)
	return t, err
}

func (s *Server) resolveModel(ctx context.Context, ref fstore.ModelRef) (*Target, error) {
	askedOf(ctx).names("", nil, ref)
	if err := s.mayAskModel(ctx, ref); err != nil {
		return nil, err
	}
	catalog := s.follower.current.Load()
	if catalog == nil {
		return nil, errNoCatalog
	}
	t, err := catalog.model(ref)
	return t, s.told(ctx, err)
}

// Lookup answers a resolved request. hold has the request's bytes. Lookup adds an estimate of the look-up's bytes
// before it, and replaces it by the actual bytes after it.
func (s *Server) Lookup(ctx context.Context, t *Target, keys []fstore.Column, events online.EventTimes, h *Hold) (*online.Answer, error) {
	rows := 1
	if len(keys) > 0 {
		rows = keys[0].Len
	}
	askedOf(ctx).rows = rows
	if limit := s.store.Limits.MaxRows; limit > 0 {
		rows = min(rows, limit) // beyond the limit the look-up is refused
	}
	request := h.n
	if err := h.To(request + t.cost.of(rows)); err != nil {
		return nil, err
	}
	req := online.Request{Keys: keys, Also: t.Also, Now: s.options.Clock(), Clock: online.MachineClock, EventTimes: events}
	if !s.options.Replay.IsZero() {
		req.Now, req.Clock = s.options.Replay, online.ChosenClock
	}
	answer, err := t.prepared.Lookup(ctx, req)
	s.metrics.lookedUp(ctx, t.List, err)
	if err != nil {
		return nil, err
	}
	records := float64(answer.RecordBytes)
	t.cost.learn(answer.Rows, records)
	if err := h.To(request + t.cost.with(answer.Rows, records)); err != nil {
		return nil, err
	}
	answer.Replayed, answer.At = s.options.Replay, req.Now
	s.answered(ctx, answer)
	return answer, nil
}

// NotOneSelection returns the error for a request that names no features, or names them in several ways.
func NotOneSelection() error {
	return fstore.Errorf(fstore.ErrInvalid, "the request must name one of a service, a model and features")
}

// Admit takes on a request before it has arrived, or returns how to refuse it. ctx has its deadline, and caller says
// whose it is. The call that it returns is for Run.
func (s *Server) Admit(ctx context.Context, m Method, caller Caller) (*admission.Call, *Refusal) {
	call, err := s.admission.Admit(ctx, caller.Key())
	if err != nil {
		r := Overloaded
		if err != error(admission.Overloaded) {
			r = Refuse(ctx, err)
		}
		s.refusedEarly(m, caller, r)
		return nil, r
	}
	return call, nil
}

// TooManyStreams returns how to refuse a stream beyond the limit of streams, and counts it.
func (s *Server) TooManyStreams(m Method, caller Caller) *Refusal {
	r := Refuse(context.Background(), errStreams)
	s.refusedEarly(m, caller, r)
	return r
}

var errStreams = fmt.Errorf("as many streams are open as the server takes on: %w", ErrBusy)

// refusedEarly counts a request that was refused before it had arrived.
func (s *Server) refusedEarly(m Method, caller Caller, r *Refusal) {
	s.metrics.request(m, r.Code, 0, "")
	s.limited(m, caller, r)
	s.auditRefusal(caller, m, r, s.options.Clock())
}

// Run executes one admitted request: with a deadline, metrics, and recovery from panics. do begins the call once the
// request has arrived. Run returns nil if do does, and otherwise how to answer the error. It logs errors that are not the
// caller's; nothing else logs them.
func (s *Server) Run(ctx context.Context, m Method, call *admission.Call, do func(context.Context) error) *Refusal {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.options.Timeout)
		defer cancel()
	}
	return s.run(ctx, m, call, do)
}

// RunLong is Run for a request that is not admitted with the look-ups, and that may take as long as its caller lets it.
func (s *Server) RunLong(ctx context.Context, m Method, do func(context.Context) error) *Refusal {
	return s.run(ctx, m, nil, do)
}

func (s *Server) run(ctx context.Context, m Method, call *admission.Call, do func(context.Context) error) (r *Refusal) {
	s.underWay.Add(1)
	defer s.underWay.Done()
	start := s.options.Clock()
	caller := CallerOf(ctx)
	ctx, span := s.begin(ctx, m)
	ctx, what := s.audited(ctx)
	defer func() {
		if p := recover(); p != nil {
			r = Fault
			s.Panicked(m, p, span.Attrs()...)
		}
		code := codes.OK
		if r != nil {
			code = r.Code
		}
		call.Leave(r == nil)
		trace := span.TraceID()
		s.metrics.request(m, code, s.options.Clock().Sub(start), trace)
		s.audit(caller, m, what, r, start, trace)
		ended(span, r)
	}()
	if err := do(ctx); err != nil {
		switch r = Refuse(ctx, err); {
		case r.limit != "":
			s.limited(m, caller, r, span.Attrs()...)
		case !r.callers():
			s.failures.log(s.options.Clock(), r.Name, "a request failed", append(span.Attrs(), "method", m.String(), "code", r.Name, "error", r.cause)...)
		}
	}
	return r
}

// Panicked logs a panic, with the stack of the goroutine that calls it. also are further attributes of the line.
func (s *Server) Panicked(m Method, p any, also ...any) {
	s.failures.log(s.options.Clock(), "panic", "panic in a request", append(also, "method", m.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))...)
}

// Failed logs an error outside of a request, at most once a second for each kind.
func (s *Server) Failed(kind, message string, args ...any) {
	s.failures.log(s.options.Clock(), kind, message, args...)
}

// Method is a way to call the server, as metrics and logs name it.
type Method struct{ Transport, Name string }

func (m Method) String() string { return m.Transport + " " + m.Name }
