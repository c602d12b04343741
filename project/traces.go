package project

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/openlineage"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/tracing"
)

// How long the end of a program waits for a collector, unless Options says so.
const (
	tracePatience = 3 * time.Second
	traceFarewell = 300 * time.Millisecond // where the user has stopped the command: less than the program then waits
)

// tracer returns a tracer as the variables of OpenTelemetry say; nil if they name no collector.
func (p *Project) tracer(logger *slog.Logger) (*tracing.Tracer, error) {
	c, err := tracing.FromEnvironment(p.options.Lookup, p.options.Secret)
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings {
		p.warn("%s", w)
	}
	return tracing.Open(c, p.options.Version, logger)
}

// tracePatience returns how long the end of a program waits for a collector.
func (p *Project) tracePatience() time.Duration {
	return cmp.Or(p.options.TracePatience, tracePatience)
}

// closeTracer sends the last spans of a server. The log says what is lost.
func (s *Server) closeTracer() {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	if lost := s.tracer.Close(ctx); lost != nil {
		s.logger.Warn(lost.Error())
	}
}

// parentVariable is where a program that starts this one names its span, as in the header traceparent.
const parentVariable = "TRACEPARENT"

// traced runs a command within a span, if traces are on. Spans that are lost are a warning.
func (p *Project) traced(ctx context.Context, name string, do func(context.Context, *tracing.Tracer) error) error {
	t, err := p.tracer(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if t == nil {
		return do(ctx, nil)
	}
	if parent, ok := p.options.Lookup(parentVariable); ok {
		ctx = t.Remote(ctx, map[string][]string{"traceparent": {parent}})
	}
	ctx, span := t.Root(ctx, name, tracing.Internal)
	span.Text("fstore.project", p.Settings.Project)
	p.options.Traced(span.Attrs())
	err = do(ctx, t)
	end(span, err)
	if lost := closeWithin(ctx, t, p.tracePatience()); lost != nil {
		p.warn("%v", lost)
	}
	return err
}

// closeWithin closes the tracer of a command within a time, or sooner if the user stops the command.
func closeWithin(ctx context.Context, t *tracing.Tracer, limit time.Duration) error {
	if ctx.Err() != nil {
		ctx, limit = context.WithoutCancel(ctx), traceFarewell
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return t.Close(ctx)
}

// end ends the span of a run, a view or a stage.
func end(span tracing.Span, err error) {
	kind, _ := KindOf(err)
	if err == nil {
		kind = "ok"
	} else {
		span.Fail(kind)
	}
	span.Text("fstore.outcome", kind)
	span.End()
}

// runs tells OpenLineage and the trace of a command of the runs of its views.
type runs struct {
	p       *Project
	lineage *openlineage.Run // nil: nothing is reported
	traces  *tracing.Tracer  // nil: nothing is traced
}

// view begins the run of a view; see materialize.Options.Begin.
func (r *runs) view(ctx context.Context, v *fstore.ViewVersion) (context.Context, func(*materialize.Summary, error)) {
	reported := r.p.reportView(r.lineage, v)
	ctx, span := r.traces.Start(ctx, "materialize view", tracing.Internal)
	span.Text("fstore.view", v.Ref.String())
	return ctx, func(s *materialize.Summary, err error) {
		reported(s, err)
		for name, n := range map[string]int64{
			"keys": s.Keys, "written": s.Written, "deleted": s.Deleted, "unchanged": s.Unchanged, "bytes": s.Bytes,
		} {
			span.Count("fstore."+name, n)
		}
		span.Text("fstore.skipped", string(s.Skipped))
		end(span, err)
	}
}

// stage begins a stage of the run of a view; see materialize.Options.BeginStage.
func (r *runs) stage(ctx context.Context, stage materialize.Stage) func(error) {
	return stageOf(r.traces)(ctx, string(stage))
}

// stageOf returns what begins the spans of stages.
func stageOf(t *tracing.Tracer) func(ctx context.Context, stage string) func(error) {
	return func(ctx context.Context, stage string) func(error) {
		_, span := t.Start(ctx, stage, tracing.Internal)
		return func(err error) { end(span, err) }
	}
}
