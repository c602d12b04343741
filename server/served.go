package server

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// planKey is under which a target keeps the plan of the served log.
type planKey struct{}

// LogServed hands what a request is answered to the served log. columns are the request's. Every protocol calls it
// last: once an answer is encoded and can no longer be refused, and before it is released.
func (s *Server) LogServed(ctx context.Context, t *Target, columns []fstore.Column, a *online.Answer) {
	if s.options.Served == nil {
		return
	}
	plan := t.Keep(planKey{}, func(list *fstore.FeatureList) any {
		return s.options.Served.Plan(list, t.Request, a.Builds)
	}).(*servedlog.Plan)
	s.options.Served.Add(plan, &servedlog.Served{At: a.At, TraceID: s.options.Tracer.Of(ctx).TraceID(), Columns: columns, Answer: a})
}

// servedLog shows what became of the rows for the served log.
func (m *metrics) servedLog(l *servedlog.Log) {
	for _, c := range []struct {
		name, help string
		value      func() int64
	}{
		{"fstore_served_log_rows_total", "Rows of answers that were written to the served log.", l.Rows},
		{"fstore_served_log_bytes_total", "Bytes that were written to streams of the served log.", l.Bytes},
		{"fstore_served_log_dropped_total", "Rows of the served log that were dropped, because too many waited to be written or they could not be written.", l.Dropped},
		{"fstore_served_log_damaged_total", "Streams of the served log that were damaged and set aside.", l.Damaged},
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help}, func() float64 { return float64(c.value()) }))
	}
}
