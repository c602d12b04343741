package server_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// metric returns the value of a metric with a label of a value.
func metric(t testing.TB, core *server.Server, name, label string) float64 {
	t.Helper()
	families, err := core.Options().Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	t.Fatalf("there is no %s of %s", name, label)
	return 0
}

// Metrics tell for which limit requests are refused, and the log has one line of many refusals, with who was refused.
func TestRefusalsTellTheirLimit(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.Admission.Rate, o.Admission.Burst, o.MaxRequestBytes = 1, 3, 1000 })
	large := byService(strings.Repeat("x", 2000))
	_, err := w.client.GetOnlineFeatures(t.Context(), large)
	servertest.WantStatus(t, err, codes.ResourceExhausted, "")
	for i := range 10 {
		if _, err := w.client.GetOnlineFeatures(t.Context(), byService("churn", int64s("customer_id", 1))); (err == nil) != (i < 2) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	for limit, want := range map[string]float64{"rate": 8, "size": 1, "overload": 0, "deadline": 0, "bytes": 0, "streams": 0} {
		if got := metric(t, w.Server, "fstore_refused_requests_total", limit); got != want {
			t.Errorf("%v requests were refused for %s, want %v", got, limit, want)
		}
	}
	log := w.log.String()
	if strings.Count(log, "requests are refused") != 1 || !strings.Contains(log, "level=WARN msg=\"requests are refused\" reason=rate") ||
		!strings.Contains(log, "caller=address:") {
		t.Errorf("the log says:\n%s", log)
	}
	if open := metric(t, w.Server, "fstore_open_connections", "grpc"); open != 1 {
		t.Errorf("%v connections are open", open)
	}
}
