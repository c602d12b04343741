// Package tracing records spans of requests and runs, and sends them to an OpenTelemetry collector over OTLP. It is the only
// package that knows OpenTelemetry.
//
// Spans say where time went: their attributes are names from definitions, counts and outcomes, and never keys, values,
// commands, credentials or texts of callers. One exception: a caller's tracestate, if it is valid and has at most 512 bytes, goes with the
// spans of its trace, as W3C Trace Context wants. Recording never waits: spans beyond a bounded queue are dropped and counted.
// A nil Tracer and a zero Span record nothing, and cost one comparison.
package tracing

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracer makes spans. Its owner must close it. nil makes none.
type Tracer struct {
	provider   *sdktrace.TracerProvider
	tracer     trace.Tracer
	propagates bool
	traffic    *traffic
}

// Open returns a tracer that sends spans as the configuration says, or nil if that names no collector. It does not connect.
// version is that of fstore. logger learns when the collector stops and resumes taking spans.
func Open(c Config, version string, logger *slog.Logger) (*Tracer, error) {
	if c.Endpoint == nil {
		return nil, nil
	}
	client, err := newClient(c, version)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(context.Background(), client)
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", c.Endpoint, err)
	}
	t := newTraffic(c, exporter, logger)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(c.Sampler), sdktrace.WithResource(resourceOf(c, version)),
		sdktrace.WithRawSpanLimits(limits), sdktrace.WithSpanProcessor(t))
	return &Tracer{provider, provider.Tracer("github.com/fstore-dev/fstore", trace.WithInstrumentationVersion(version)), c.Propagates, t}, nil
}

// limits of a span. Spans have a dozen attributes of bounded length, and neither events nor links.
var limits = sdktrace.SpanLimits{AttributeCountLimit: 64, AttributeValueLengthLimit: 1024}

func resourceOf(c Config, version string) *resource.Resource {
	attributes := []attribute.KeyValue{
		attribute.String("service.name", c.Service), attribute.String("service.version", version),
		attribute.String("telemetry.sdk.name", "opentelemetry"), attribute.String("telemetry.sdk.language", "go"),
	}
	for name, value := range c.Resource {
		if name != "service.name" {
			attributes = append(attributes, attribute.String(name, value))
		}
	}
	return resource.NewSchemaless(attributes...) // of two with one name, the last counts
}

// Close sends what waits, within the time that ctx has, and ends. The error says how many spans were lost since Open, and why.
// Later spans are not recorded.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer context.AfterFunc(ctx, t.traffic.end)()
	defer t.traffic.end()
	_ = t.provider.Shutdown(context.WithoutCancel(ctx)) // traffic has the errors, and ends what it sends with ctx
	return t.traffic.lost()
}

// Dropped returns how many spans were dropped since Open: too many waited, or the collector did not take them.
func (t *Tracer) Dropped() int64 { return t.traffic.dropped.Load() }

// maxState bounds the vendors' entries of a trace that a caller sends, which every span of the trace carries.
const maxState = 512

// Remote returns the context of a request within the trace that its headers name. Names of headers are in lower case, as over
// gRPC, or canonical, as over HTTP. Headers that name no trace, or several, are ignored.
func (t *Tracer) Remote(ctx context.Context, header map[string][]string) context.Context {
	if t == nil || !t.propagates {
		return ctx
	}
	parent, state := header["traceparent"], header["tracestate"]
	if parent == nil {
		parent, state = header["Traceparent"], header["Tracestate"]
	}
	if len(parent) != 1 {
		return ctx
	}
	carrier := propagation.MapCarrier{"traceparent": parent[0]}
	if len(state) == 1 && len(state[0]) <= maxState {
		carrier["tracestate"] = state[0]
	}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

// Kind says what a span is to the trace.
type Kind trace.SpanKind

// The kinds.
const (
	Internal Kind = Kind(trace.SpanKindInternal) // a part of the work, or a run
	Server   Kind = Kind(trace.SpanKindServer)   // of a request
	Client   Kind = Kind(trace.SpanKindClient)   // a call of another server
)

// Root begins the span of a request or of a run. It is a child of the trace that Remote found, if there is one, and recorded
// if the sampler says so.
func (t *Tracer) Root(ctx context.Context, name string, kind Kind) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKind(kind)))
	if !s.IsRecording() {
		return ctx, Span{}
	}
	return ctx, Span{s}
}

// Start begins a part of the span of ctx. Nothing is recorded unless that span is.
func (t *Tracer) Start(ctx context.Context, name string, kind Kind) (context.Context, Span) {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, Span{}
	}
	return t.Root(ctx, name, kind)
}

// Of returns the span of a context, the zero Span if that is not recorded.
func (t *Tracer) Of(ctx context.Context) Span {
	if t == nil {
		return Span{}
	}
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return Span{s}
	}
	return Span{}
}

// Span is a stretch of time of a request or a run. The zero Span is not recorded.
type Span struct{ of trace.Span }

// Recorded reports whether the span is sent to a collector, so that its attributes are worth computing.
func (s Span) Recorded() bool { return s.of != nil }

// Text adds an attribute. Its value is a name from a definition, or one of a closed set.
func (s Span) Text(name, value string) {
	if s.of != nil && value != "" {
		s.of.SetAttributes(attribute.String(name, value))
	}
}

// Count adds an attribute.
func (s Span) Count(name string, n int64) {
	if s.of != nil {
		s.of.SetAttributes(attribute.Int64(name, n))
	}
}

// maxNames bounds the names of an attribute.
const maxNames = 50

// Names adds an attribute of up to 50 names from definitions.
func (s Span) Names(name string, values []string) {
	if s.of != nil {
		s.of.SetAttributes(attribute.StringSlice(name, values[:min(len(values), maxNames)]))
	}
}

// Fail marks the work as failed. kind is the kind of the error, and no text of it.
func (s Span) Fail(kind string) {
	if s.of != nil {
		s.of.SetStatus(codes.Error, kind)
	}
}

// End ends the span.
func (s Span) End() {
	if s.of != nil {
		s.of.End()
	}
}

// TraceID returns the id of the trace in hexadecimal; empty for the zero Span.
func (s Span) TraceID() string {
	if s.of == nil {
		return ""
	}
	return s.of.SpanContext().TraceID().String()
}

// Attrs returns the trace's and the span's id as attributes of a line of a log: none for the zero Span.
func (s Span) Attrs() []any {
	if s.of == nil {
		return nil
	}
	c := s.of.SpanContext()
	return []any{slog.String("trace_id", c.TraceID().String()), slog.String("span_id", c.SpanID().String())}
}
