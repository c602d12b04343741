package tracing_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/fstore-dev/fstore/tracing"
	"github.com/fstore-dev/fstore/tracing/tracingtest"
)

// record records a span with a part of it, and returns the context of the span.
func record(t *tracing.Tracer, ctx context.Context) { //nolint:revive // the tracer is what the test is about
	ctx, span := t.Root(ctx, "request", tracing.Server)
	_, part := t.Start(ctx, "part", tracing.Client)
	part.Count("fstore.keys", 3)
	part.End()
	span.Text("fstore.service", "churn@2")
	span.Names("fstore.views", []string{"a@1", "b@2"})
	span.Fail("UNAVAILABLE")
	span.End()
}

func TestSpansReachTheCollectorOverBothProtocols(t *testing.T) {
	c := tracingtest.Start(t)
	for name, variables := range map[string][]string{
		"http":       {"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL},
		"http, gzip": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + c.URL + "/v1/traces", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip"},
		"grpc":       {"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.GRPC, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
		"grpc, bare": {"OTEL_EXPORTER_OTLP_ENDPOINT=" + strings.TrimPrefix(c.GRPC, "http://"), "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_INSECURE=true"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(c.Spans())
			tracer := tracingtest.Open(t, append(variables, "OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20key", "OTEL_SERVICE_NAME=shop",
				"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=pro%64,service.name=no")...)
			record(tracer, context.Background())
			if err := tracer.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			spans, headers := c.Spans()[before:], c.Headers()
			if len(spans) != 2 {
				t.Fatalf("%d spans arrived, want 2", len(spans))
			}
			part, request := spans[0], spans[1]
			if part.Parent != request.ID || part.Trace != request.Trace || request.Parent != "" {
				t.Errorf("the part %+v is not beneath the request %+v", part, request)
			}
			if part.Attributes["fstore.keys"] != "3" || request.Attributes["fstore.views"] != "a@1,b@2" || request.Failed != "UNAVAILABLE" {
				t.Errorf("got %+v and %+v", part, request)
			}
			if r := request.Resource; r["service.name"] != "shop" || r["deployment.environment.name"] != "prod" || r["service.version"] != "test" {
				t.Errorf("the resource is %v", r)
			}
			header := headers[len(headers)-1]
			if got := append(header["Api-Key"], header["api-key"]...); len(got) != 1 || got[0] != "a key" {
				t.Errorf("the header api-key is %q", got)
			}
		})
	}
}

// Without a collector nothing is recorded, and nothing is allocated for it.
func TestNoTracerCostsNothing(t *testing.T) {
	var none *tracing.Tracer
	ctx, header := context.Background(), map[string][]string{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	allocated := alloctest.Fewest(0, func() {
		ctx := none.Remote(ctx, header)
		ctx, span := none.Root(ctx, "request", tracing.Server)
		_, part := none.Start(ctx, "part", tracing.Client)
		part.Count("fstore.keys", 1)
		part.End()
		span.Text("fstore.service", "churn@2")
		span.Fail("INTERNAL")
		if span.TraceID() != "" || span.Attrs() != nil || none.Of(ctx).Recorded() {
			t.Error("something is recorded")
		}
		span.End()
	})
	if allocated != 0 {
		t.Errorf("%d allocations", allocated)
	}
	if err := none.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestSamplers(t *testing.T) {
	c := tracingtest.Start(t)
	const sampled, unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	for _, s := range []struct {
		sampler, arg, parent string
		want                 bool
	}{
		{"", "", "", true},
		{"", "", unsampled, false},
		{"always_on", "", unsampled, true},
		{"always_off", "", sampled, false},
		{"parentbased_always_off", "", "", false},
		{"parentbased_always_off", "", sampled, true},
		{"traceidratio", "0", sampled, false},
		{"traceidratio", "1", unsampled, true},
		{"parentbased_traceidratio", "0", "", false},
		{"parentbased_traceidratio", "0", sampled, true},
	} {
		tracer, flush := c.Tracer(t, "OTEL_TRACES_SAMPLER="+s.sampler, "OTEL_TRACES_SAMPLER_ARG="+s.arg)
		ctx := tracer.Remote(context.Background(), map[string][]string{"traceparent": {s.parent}})
		before := len(c.Spans())
		record(tracer, ctx)
		flush()
		if got := len(c.Spans()) > before; got != s.want {
			t.Errorf("%s %s with the parent %q: recorded is %v", s.sampler, s.arg, s.parent, got)
		}
	}
}

func TestOnlyOneSoundParentCounts(t *testing.T) {
	c := tracingtest.Start(t)
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, h := range []struct {
		name   string
		header map[string][]string
		want   bool
		state  string
	}{
		{"gRPC", map[string][]string{"traceparent": {parent}, "tracestate": {"ot=th:8"}}, true, "ot=th:8"},
		{"HTTP", map[string][]string{"Traceparent": {parent}, "Tracestate": {"ot=th:8"}}, true, "ot=th:8"},
		{"two parents", map[string][]string{"traceparent": {parent, parent}}, false, ""},
		{"two states", map[string][]string{"traceparent": {parent}, "tracestate": {"a=1", "b=2"}}, true, ""},
		{"a long state", map[string][]string{"traceparent": {parent}, "tracestate": {"a=" + strings.Repeat("x", 600)}}, true, ""},
		{"a broken state", map[string][]string{"traceparent": {parent}, "tracestate": {"secret\x00 value"}}, true, ""},
		{"zeros", map[string][]string{"traceparent": {"00-00000000000000000000000000000000-b7ad6b7169203331-01"}}, false, ""},
		{"not hexadecimal", map[string][]string{"traceparent": {"00-secret7651916cd43dd8448eb211c803-b7ad6b7169203331-01"}}, false, ""},
		{"a megabyte", map[string][]string{"traceparent": {parent + strings.Repeat("-x", 1<<19)}}, false, ""},
		{"empty", map[string][]string{"traceparent": {""}}, false, ""},
	} {
		t.Run(h.name, func(t *testing.T) {
			tracer, flush := c.Tracer(t)
			before := len(c.Spans())
			record(tracer, tracer.Remote(context.Background(), h.header))
			flush()
			for _, s := range c.Spans()[before:] {
				if got := s.Trace == trace; got != h.want || s.State != h.state {
					t.Errorf("%s is of trace %s with the state %q", s.Name, s.Trace, s.State)
				}
			}
		})
	}
	tracer, flush := c.Tracer(t, "OTEL_PROPAGATORS=none")
	before := len(c.Spans())
	record(tracer, tracer.Remote(context.Background(), map[string][]string{"traceparent": {parent}}))
	flush()
	if s := c.Spans()[before]; s.Trace == trace {
		t.Error("a parent counts although there is no propagator")
	}
}

// mute returns the address of a server that accepts connections and never answers.
func mute(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// away is an address where nobody listens.
const away = "http://127.0.0.1:1"

// A collector that is slow or away holds up neither what is recorded nor, beyond the bound, the end. No goroutine is left.
func TestACollectorThatIsAwayDelaysNothing(t *testing.T) {
	for name, endpoint := range map[string]string{"mute": mute(t), "away": away} {
		for _, protocol := range []string{"http/protobuf", "grpc"} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				goroutines := runtime.NumGoroutine()
				tracer := tracingtest.Open(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol,
					"OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=10", "OTEL_BSP_SCHEDULE_DELAY=1")
				const requests = 10_000
				began := time.Now()
				for range requests {
					record(tracer, context.Background())
				}
				if took := time.Since(began); took > time.Minute { // an attempt to send has ten
					t.Errorf("%d requests took %s", requests, took)
				}
				dropped := tracer.Dropped()
				if least := int64(2*requests - 100); name == "mute" && dropped < least {
					t.Errorf("%d spans were dropped at once, want %d or more: 100 may wait", dropped, least)
				}
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				began = time.Now()
				err := tracer.Close(ctx)
				if took := time.Since(began); took > time.Minute {
					t.Errorf("the end took %s", took)
				}
				if err == nil || tracer.Dropped() != 2*requests || !strings.HasPrefix(err.Error(), "20000 of 20000 spans did not reach the collector at "+endpoint) {
					t.Errorf("%d spans were lost: %v", tracer.Dropped(), err)
				}
				for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines; {
					if time.Now().After(deadline) {
						buf := make([]byte, 1<<20)
						t.Fatalf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
					}
					runtime.Gosched()
				}
			})
		}
	}
}

func TestACollectorThatFailsAndRecovers(t *testing.T) {
	c := tracingtest.Start(t)
	var log bytes.Buffer
	config, err := tracing.FromEnvironment(tracingtest.Lookup("OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=2",
		"OTEL_BSP_SCHEDULE_DELAY=600000", "OTEL_EXPORTER_OTLP_TIMEOUT=600000"), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := tracing.Open(config, "test", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	busy, sent := 1, make(chan bool, 10)
	c.Answer(func() (int, []byte) {
		if busy > 0 {
			busy-- // tried again
			return http.StatusServiceUnavailable, nil
		}
		sent <- true
		return http.StatusBadRequest, []byte("secret\nline")
	})
	record(tracer, context.Background())
	<-sent
	c.Answer(func() (int, []byte) { // takes one of two
		sent <- true
		partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
		return http.StatusOK, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	})
	record(tracer, context.Background())
	<-sent
	c.Answer(nil)
	record(tracer, context.Background())
	err = tracer.Close(context.Background())
	if tracer.Dropped() != 3 || err == nil || !strings.HasPrefix(err.Error(), "3 of 6 spans did not reach the collector at "+c.URL) {
		t.Errorf("%d spans were dropped: %v", tracer.Dropped(), err)
	}
	for _, want := range []string{"it answered 400 Bad Request", "it rejected 1 of a batch", "the collector takes spans again"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log repeats an answer:\n%s", &log)
	}
}
