package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// traffic is the way of spans to the collector. It stands before the queue of the SDK and bounds what waits or is being sent, so
// that it can count what is dropped. outlet stands behind the queue.
type traffic struct {
	next     sdktrace.SpanProcessor // the queue
	log      *slog.Logger
	endpoint string

	life context.Context //nolint:containedctx // of whatever is sent; end ends it
	end  context.CancelFunc

	limit   int64
	waiting atomic.Int64 // spans that have ended and are neither sent nor dropped
	offered atomic.Int64
	dropped atomic.Int64
	wrong   atomic.Pointer[string] // why the last batch was not taken; nil: it was
	secrets []string               // that no message may repeat
	said    warnings
}

func newTraffic(c Config, exporter *otlptrace.Exporter, log *slog.Logger) *traffic {
	t := &traffic{limit: int64(c.Queue), log: log, endpoint: c.Endpoint.String(), secrets: c.secrets}
	t.life, t.end = context.WithCancel(context.Background())
	t.next = sdktrace.NewBatchSpanProcessor(outlet{exporter, t}, sdktrace.WithMaxQueueSize(c.Queue),
		sdktrace.WithMaxExportBatchSize(c.Batch), sdktrace.WithBatchTimeout(c.Delay), sdktrace.WithExportTimeout(c.Timeout))
	return t
}

// OnStart implements sdktrace.SpanProcessor.
func (*traffic) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor. It never waits.
func (t *traffic) OnEnd(s sdktrace.ReadOnlySpan) {
	t.offered.Add(1)
	if t.waiting.Add(1) > t.limit {
		t.waiting.Add(-1)
		t.dropped.Add(1)
		return
	}
	t.next.OnEnd(s)
}

// Shutdown implements sdktrace.SpanProcessor.
func (t *traffic) Shutdown(ctx context.Context) error { return t.next.Shutdown(ctx) }

// ForceFlush implements sdktrace.SpanProcessor.
func (t *traffic) ForceFlush(ctx context.Context) error { return t.next.ForceFlush(ctx) }

// lost returns an error if spans were dropped.
func (t *traffic) lost() error {
	dropped := t.dropped.Load()
	if dropped == 0 {
		return nil
	}
	why := "too many waited to be sent"
	if wrong := t.wrong.Load(); wrong != nil {
		why = *wrong
	}
	return fmt.Errorf("%d of %d spans did not reach the collector at %s: %s", dropped, t.offered.Load(), t.endpoint, why)
}

// outlet sends what leaves the queue.
type outlet struct {
	*otlptrace.Exporter
	of *traffic
}

// ExportSpans implements sdktrace.SpanExporter. It counts and logs what goes wrong, and returns no error: the SDK would print it.
func (o outlet) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	t := o.of
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.life, cancel)()
	err := o.Exporter.ExportSpans(ctx, spans)
	t.waiting.Add(-int64(len(spans)))
	if err == nil {
		t.wrong.Store(nil)
		if t.said.over() {
			t.log.Info("the collector takes spans again", "endpoint", t.endpoint)
		}
		return nil
	}
	n := int64(len(spans))
	var some *rejectedError
	if errors.As(err, &some) {
		n = min(n, some.spans)
	}
	t.dropped.Add(n)
	why := reason(err, t.secrets)
	t.wrong.Store(&why)
	if unsaid, ok := t.said.due(spans[len(spans)-1].EndTime(), some != nil); ok {
		t.log.Warn("spans did not reach the collector", "endpoint", t.endpoint, "error", why, "unsaid", unsaid)
	}
	return nil
}

// warnings bounds how often the log says that spans are lost: texts may differ with each batch. A batch that is taken in part is another
// kind of trouble than a collector that takes nothing.
type warnings struct {
	mu     sync.Mutex         // guards what follows
	last   map[bool]time.Time // of each kind; true: in part
	unsaid int
	open   bool // a warning was the last line
}

// quiet is how long a warning stands for those of its kind that follow.
const quiet = time.Minute

// due reports whether the log may have a warning at a time, and how many it has not had since the last.
func (w *warnings) due(at time.Time, inPart bool) (unsaid int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, before := w.last[inPart]; before && at.Sub(last) < quiet {
		w.unsaid++
		return 0, false
	}
	if w.last == nil {
		w.last = map[bool]time.Time{}
	}
	unsaid, w.unsaid = w.unsaid, 0
	w.last[inPart], w.open = at, true
	return unsaid, true
}

// over reports whether the log has a warning that no longer holds.
func (w *warnings) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := w.open
	w.open = false
	return open
}
