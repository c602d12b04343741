package server

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/admission"
)

// Limit is what a request was refused for where its answer is RESOURCE_EXHAUSTED, as metrics and the log name it.
type Limit string

// The limits. Those of admission are its causes.
const (
	inFlight    Limit = "bytes"   // of all requests and answers
	streams     Limit = "streams" // of gRPC
	size        Limit = "size"    // of one request or its answer
	queued      Limit = "queue"   // of offline work: training sets that are made, read, or whose labels arrive
	jwts        Limit = Limit(access.TooManyJWTs)
	connections Limit = "connections" // of a port; a connection that is refused sent no request
)

// limits are those that requests are refused for.
var limits = []Limit{Limit(admission.Overload), Limit(admission.Deadline), Limit(admission.Rate), inFlight, streams, size, queued, jwts}

// limitOf returns the limit that an error is about; empty for any other error.
func limitOf(err error) Limit {
	var busy *admission.Busy
	switch {
	case errors.As(err, &busy):
		return Limit(busy.Cause)
	case errors.Is(err, errStreams):
		return streams
	case errors.Is(err, ErrBusy):
		return inFlight
	case errors.Is(err, fstore.ErrTooLarge):
		return size
	case access.RefusedOf(err).Reason == access.TooManyJWTs:
		return jwts
	}
	return ""
}

// summed is how often a limit is logged: an overload refuses many thousand requests a second.
const summed = 5 * time.Second

// limited counts a request that was refused for a limit, and logs it unless its caller can send less. also are further
// attributes of the line.
func (s *Server) limited(m Method, c Caller, r *Refusal, also ...any) {
	s.metrics.refused[r.limit].Inc()
	if r.limit != size {
		s.failures.sum(s.options.Clock(), string(r.limit), summed, slog.LevelWarn, "requests are refused",
			append(also, "reason", string(r.limit), "method", m.String(), "caller", c.Key(), "error", r.cause)...)
	}
}

// Port counts the connections of a protocol.
type Port struct {
	server  *Server
	name    string
	refused prometheus.Counter
}

// NewPort returns the counts of a protocol, which has so many connections open.
func (s *Server) NewPort(name string, open func() int) *Port {
	labels := prometheus.Labels{"port": name}
	p := &Port{s, name, prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fstore_refused_connections_total", ConstLabels: labels,
		Help: "Connections that were closed at once, because as many as may be were open, by port (grpc, http, metrics).",
	})}
	s.metrics.registry.MustRegister(p.refused, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fstore_open_connections", ConstLabels: labels, Help: "Connections that are open, by port (grpc, http, metrics).",
	}, func() float64 { return float64(open()) }))
	return p
}

// Refuse counts and logs a connection that is closed because too many are open.
func (p *Port) Refuse(remote string) {
	p.refused.Inc()
	p.server.failures.sum(p.server.options.Clock(), string(connections)+" "+p.name, summed, slog.LevelWarn, "connections are refused",
		"port", p.name, "limit", p.server.options.MaxConnections, "address", ipOf(remote))
}

// newRefused returns the counters of refused requests.
func newRefused(registry *prometheus.Registry) map[Limit]prometheus.Counter {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fstore_refused_requests_total", Help: "Requests refused with RESOURCE_EXHAUSTED, by the limit that they were over.",
	}, []string{"reason"})
	registry.MustRegister(vec)
	counters := map[Limit]prometheus.Counter{}
	for _, l := range limits {
		counters[l] = vec.WithLabelValues(string(l))
	}
	return counters
}
