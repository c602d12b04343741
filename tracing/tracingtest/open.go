package tracingtest

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/tracing"
)

// Lookup returns an environment of variables of the form NAME=value. Of two with one name, the last counts.
func Lookup(variables ...string) func(name string) (string, bool) {
	all := map[string]string{}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		all[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := all[name]
		return value, ok
	}
}

// Open returns the tracer for an environment. The test must close it. Unless variables say otherwise, a collector has ten minutes to
// take a batch, and batches are sent when they are full or the tracer is closed: slow machines get the same batches.
func Open(t testing.TB, variables ...string) *tracing.Tracer {
	t.Helper()
	c, err := tracing.FromEnvironment(Lookup(append([]string{"OTEL_EXPORTER_OTLP_TIMEOUT=600000", "OTEL_BSP_SCHEDULE_DELAY=600000"}, variables...)...), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := tracing.Open(c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}
