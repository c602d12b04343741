package server

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// resolve returns what a request names: a service, or a list of references. refs is nil where a service is named.
func (s *Server) resolve(service string, refs []string) (*target, error) {
	catalog := s.follower.current.Load()
	if catalog == nil {
		return nil, errNoCatalog
	}
	if refs == nil {
		return catalog.service(service)
	}
	if limit := s.store.Limits.MaxFeatures; limit > 0 && len(refs) > limit {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "%d features; the limit is %d", len(refs), limit)
	}
	if len(refs) == 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the list of features is empty").WithHint("such as customer_orders.order_value, or customer_orders.*")
	}
	return catalog.features(refs)
}

// resolveModel returns what is pinned to a version of a model.
func (s *Server) resolveModel(ref fstore.ModelRef) (*target, error) {
	catalog := s.follower.current.Load()
	if catalog == nil {
		return nil, errNoCatalog
	}
	return catalog.model(ref)
}

// lookup answers a resolved request. The hold, which has the request's bytes, takes those of the look-up, too: an estimate
// before it, what it came to after it.
func (s *Server) lookup(ctx context.Context, t *target, keys []fstore.Column, events online.EventTimes, h *hold) (*online.Answer, error) {
	rows := 1
	if len(keys) > 0 {
		rows = keys[0].Len
	}
	if limit := s.store.Limits.MaxRows; limit > 0 {
		rows = min(rows, limit) // beyond it the look-up is refused
	}
	request := h.n
	if err := h.to(request + t.cost.of(rows)); err != nil {
		return nil, err
	}
	req := online.Request{Keys: keys, Also: t.also, Now: s.clock(), Clock: online.MachineClock, EventTimes: events}
	if !s.replay.IsZero() {
		req.Now, req.Clock = s.replay, online.ChosenClock
	}
	answer, err := t.prepared.Lookup(ctx, req)
	if err != nil {
		return nil, err
	}
	records := float64(answer.RecordBytes)
	t.cost.learn(answer.Rows, records)
	if err := h.to(request + t.cost.with(answer.Rows, records)); err != nil {
		return nil, err
	}
	answer.Replayed = s.replay
	return answer, nil
}

// errBothOrNone is the answer to a request that names features in no way, or in several.
func errBothOrNone() error {
	return fstore.Errorf(fstore.ErrInvalid, "the request must name one of a service, a model and features")
}

// run does one request: with a deadline, counted and timed, its panics caught. It returns nil where do does, else how
// the error is to be answered; what is not the caller's doing is logged here and nowhere else.
func (s *Server) run(ctx context.Context, m method, do func(context.Context) error) (r *refusal) {
	s.underWay.Add(1)
	defer s.underWay.Done()
	start := s.clock()
	defer func() {
		if p := recover(); p != nil {
			r = &refusal{class: internal, message: internal.says}
			s.panicked(m, p)
		}
		code := codes.OK
		if r != nil {
			code = r.code
		}
		s.metrics.request(m, code, s.clock().Sub(start))
	}()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	if err := do(ctx); err != nil {
		if r = refuse(ctx, err); !r.callers() {
			s.failures.log(s.clock(), r.name, "a request failed", "method", m.String(), "code", r.name, "error", r.cause)
		}
	}
	return r
}

// panicked logs a panic, with the stack of the goroutine that calls it.
func (s *Server) panicked(m method, p any) {
	s.failures.log(s.clock(), "panic", "panic in a request", "method", m.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// method is one way to call, as metrics and logs have it.
type method struct{ transport, name string }

func (m method) String() string { return m.transport + " " + m.name }
