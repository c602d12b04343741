package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	"github.com/fstore-dev/fstore/tracing"
	"github.com/fstore-dev/fstore/tracing/tracingtest"
)

const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"

func TestTracesAreOffUnlessThereIsAnEndpoint(t *testing.T) {
	for _, variables := range [][]string{
		{},
		{"OTEL_EXPORTER_OTLP_ENDPOINT= ", "OTEL_TRACES_SAMPLER=always_on"},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://localhost:4318"},
		{endpoint, "OTEL_SDK_DISABLED=TRUE", "OTEL_TRACES_SAMPLER=none of its business"},
		{endpoint, "OTEL_TRACES_EXPORTER=none"},
	} {
		c, err := tracing.FromEnvironment(tracingtest.Lookup(variables...), func(string) {})
		if err != nil || c.Endpoint != nil {
			t.Errorf("%v: %+v, %v", variables, c, err)
		}
	}
}

func TestWrongVariables(t *testing.T) {
	const secret = "s3cret-credential"
	for _, c := range []struct{ variable, want string }{
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=localhost:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=… is not the URL of a collector"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=unix:///run/" + secret, "OTEL_EXPORTER_OTLP_ENDPOINT=… is not the URL of a collector"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:" + secret + "@h:1", "OTEL_EXPORTER_OTLP_ENDPOINT=… must not contain a user name"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h:1/?token=" + secret, "OTEL_EXPORTER_OTLP_ENDPOINT=… is not the URL of a collector"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=http/json", `OTEL_EXPORTER_OTLP_PROTOCOL="http/json": fstore does not support it`},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=udp", `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="udp": fstore does not support it`},
		{"OTEL_EXPORTER_OTLP_HEADERS=api-key " + secret, "OTEL_EXPORTER_OTLP_HEADERS=…: entry 1 is not name=value"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=b,c=" + secret + "%0a", "OTEL_EXPORTER_OTLP_HEADERS=…: entry 2 is not name=value"},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=%zz" + secret, "OTEL_EXPORTER_OTLP_TRACES_HEADERS=…: entry 1 is not name=value"},
		{"OTEL_EXPORTER_OTLP_HEADERS=" + strings.Repeat("a=b,", 1000) + "a=b", "OTEL_EXPORTER_OTLP_HEADERS=… is too long"},
		{"OTEL_RESOURCE_ATTRIBUTES=team", "OTEL_RESOURCE_ATTRIBUTES=…: entry 1 is not name=value"},
	} {
		_, err := tracing.FromEnvironment(tracingtest.Lookup(endpoint, c.variable), func(string) {})
		switch {
		case !errors.Is(err, fstore.ErrDefinition):
			t.Errorf("%.60s: the error is %v", c.variable, err)
		case !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), secret):
			t.Errorf("%.60s: the error is\n  %v, want\n  %s", c.variable, err, c.want)
		}
		if _, hints := fstore.Explain(err); len(hints) == 0 || hints[0] == "" {
			t.Errorf("%.60s: the error has no hint", c.variable)
		}
	}
	_, err := tracing.FromEnvironment(tracingtest.Lookup(endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=json", "OTEL_EXPORTER_OTLP_HEADERS=b3"), func(string) {})
	if all := fstore.Separate(err); len(all) != 2 {
		t.Errorf("two variables are wrong: %v", all)
	}
}

// Telemetry that fstore does not support never stops it.
func TestUnsupportedVariablesAreIgnoredWithAWarning(t *testing.T) {
	without, err := tracing.FromEnvironment(tracingtest.Lookup(endpoint), func(string) {})
	if err != nil || len(without.Warnings) > 0 {
		t.Fatal(err, without.Warnings)
	}
	for _, c := range []struct{ variable, want string }{
		{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd", `OTEL_EXPORTER_OTLP_COMPRESSION="zstd": fstore does not support it`},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", `OTEL_EXPORTER_OTLP_TIMEOUT="10s"; expected a number of milliseconds`},
		{"OTEL_TRACES_EXPORTER=zipkin", `OTEL_TRACES_EXPORTER="zipkin": fstore does not support it`},
		{"OTEL_SDK_DISABLED=maybe", `OTEL_SDK_DISABLED="maybe": fstore does not support it`},
		{"OTEL_TRACES_SAMPLER=jaeger_remote", `OTEL_TRACES_SAMPLER="jaeger_remote": fstore does not support it`},
		{"OTEL_TRACES_SAMPLER_ARG=1%", `OTEL_TRACES_SAMPLER_ARG="1%"; expected the share of traces to record`},
		{"OTEL_TRACES_SAMPLER_ARG=NaN", `OTEL_TRACES_SAMPLER_ARG="NaN"; expected the share of traces to record`},
		{"OTEL_TRACES_SAMPLER_ARG=1.01", `OTEL_TRACES_SAMPLER_ARG="1.01"; expected the share of traces to record`},
		{"OTEL_PROPAGATORS=tracecontext,b3", `OTEL_PROPAGATORS="b3": fstore does not support it; expected tracecontext, baggage or none. It is ignored`},
		{"OTEL_BSP_MAX_QUEUE_SIZE=0", `OTEL_BSP_MAX_QUEUE_SIZE="0"; expected a number of spans`},
		{"OTEL_BSP_MAX_QUEUE_SIZE=100000000", `OTEL_BSP_MAX_QUEUE_SIZE="100000000"; expected a number of spans`},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4000", `OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4000"; expected a number of spans, as many as may wait`},
		{"OTEL_BSP_SCHEDULE_DELAY=-1", `OTEL_BSP_SCHEDULE_DELAY="-1"; expected a number of milliseconds`},
		{"OTEL_EXPORTER_OTLP_INSECURE=yes", `OTEL_EXPORTER_OTLP_INSECURE="yes": fstore does not support it; expected true, false. It is ignored`},
	} {
		got, err := tracing.FromEnvironment(tracingtest.Lookup(endpoint, c.variable), func(string) {})
		if err != nil || len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], c.want) || !strings.HasSuffix(got.Warnings[0], ". It is ignored") {
			t.Errorf("%s: %v, %q, want %q", c.variable, err, got.Warnings, c.want)
			continue
		}
		got.Warnings = nil
		if diff := cmp.Diff(fmt.Sprintf("%+v", without), fmt.Sprintf("%+v", got)); diff != "" {
			t.Errorf("%s changes the configuration:\n%s", c.variable, diff)
		}
	}
	got, err := tracing.FromEnvironment(tracingtest.Lookup(endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_PROPAGATORS=b3"), func(string) {})
	if err != nil || len(got.Warnings) != 2 || got.Gzip || got.Propagates {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSecretsOfHeaders(t *testing.T) {
	var got []string
	_, err := tracing.FromEnvironment(tracingtest.Lookup(endpoint, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20s3cret-credential"), func(s string) { got = append(got, s) })
	if want := []string{"Bearer s3cret-credential", "s3cret-credential"}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestTheCollectorsCertificateIsChecked(t *testing.T) {
	ca, other := certtest.New(t, "collector", time.Now()), certtest.New(t, "other", time.Now())
	own := ca.Issue(t, "localhost")
	c := tracingtest.StartTLS(t, own.Certificate, own.Key)
	client := ca.Issue(t, "fstore")
	for _, at := range []struct{ url, protocol string }{{c.URL, "http/protobuf"}, {c.GRPC, "grpc"}} {
		for authority, want := range map[string]bool{ca.File: true, other.File: false} {
			tracer := tracingtest.Open(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+at.url, "OTEL_EXPORTER_OTLP_PROTOCOL="+at.protocol,
				"OTEL_EXPORTER_OTLP_CERTIFICATE="+authority, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE="+client.Certificate, "OTEL_EXPORTER_OTLP_CLIENT_KEY="+client.Key)
			before := len(c.Spans())
			record(tracer, context.Background())
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			if !want {
				ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
			}
			err := tracer.Close(ctx)
			cancel()
			if got := len(c.Spans()) > before; got != want || (err == nil) != want {
				t.Errorf("%s: spans arrived is %v, want %v: %v", at.protocol, got, want, err)
			}
		}
	}
	_, err := tracing.FromEnvironment(tracingtest.Lookup("OTEL_EXPORTER_OTLP_ENDPOINT=https://h", "OTEL_EXPORTER_OTLP_CERTIFICATE="+client.Key), func(string) {})
	if !errors.Is(err, fstore.ErrDefinition) || !strings.HasPrefix(err.Error(), "OTEL_EXPORTER_OTLP_CERTIFICATE: ") {
		t.Errorf("the error is %v", err)
	}
}
