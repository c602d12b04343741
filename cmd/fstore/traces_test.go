package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/tracing/tracingtest"
)

// The span of whatever started a command, and the variable that names it.
const (
	startersTrace = "0af7651916cd43dd8448eb211c80319c"
	startersSpan  = "b7ad6b7169203331"
	starter       = "00-" + startersTrace + "-" + startersSpan + "-01"
)

// Commands continue the trace of what started them, with a span for each part. Log lines name the run's trace.
func TestCommandsAreTraced(t *testing.T) {
	sh := newRepo(t, "apply --yes")
	c := tracingtest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("TRACEPARENT", starter)
	t.Setenv("TRACE_PATIENCE", "1m") // the machine may be slow
	sh.run("fstore materialize customer_orders product_info --to 2025-12-01")
	run := the(t, c.Named("materialize"))
	if run.Trace != startersTrace || run.Parent != startersSpan || run.Attributes["fstore.outcome"] != "ok" || run.Attributes["fstore.project"] != "shop" {
		t.Errorf("the run is %+v", run)
	}
	views := map[string]tracingtest.Span{}
	for _, s := range c.Named("materialize view") {
		views[s.Attributes["fstore.view"]] = s
	}
	orders := views["customer_orders@1"]
	if len(views) != 2 || orders.Parent != run.ID || orders.Attributes["fstore.outcome"] != "ok" || orders.Attributes["fstore.written"] == "0" ||
		orders.Attributes["fstore.written"] != orders.Attributes["fstore.keys"] {
		t.Errorf("the views are %+v", views)
	}
	for _, stage := range []string{"check for leaks", "compute", "write", "publish", "clean"} {
		found := false
		for _, s := range c.Named(stage) {
			found = found || s.Parent == orders.ID && s.Attributes["fstore.outcome"] == "ok"
		}
		if !found {
			t.Errorf("there is no span of the stage %q of customer_orders", stage)
		}
	}

	sh.run("fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet")
	set := the(t, c.Named("training-set create"))
	if set.Parent != startersSpan || set.Attributes["fstore.service"] != "churn@1" || set.Attributes["fstore.rows"] == "" || set.Attributes["fstore.outcome"] != "ok" {
		t.Errorf("the span of the training set is %+v", set)
	}
	stages := 0
	for _, s := range c.Spans() {
		if s.Parent == set.ID {
			stages++
		}
	}
	if stages < 3 {
		t.Errorf("the training set has %d stages", stages)
	}

	out, code := sh.fails("materialize nothing_of_this_name --log-format json")
	failed := c.Named("materialize")[1]
	if code != statusFailed || failed.Attributes["fstore.outcome"] != "not_found" || failed.Failed != "not_found" {
		t.Errorf("status %d, and the span %+v", code, failed)
	}
	var line struct {
		TraceID string `json:"trace_id"`
		SpanID  string `json:"span_id"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || line.TraceID != startersTrace || line.SpanID != failed.ID {
		t.Errorf("the log does not name the span %s: %s", failed.ID, out)
	}
	if bytes.Contains(c.Raw(), []byte("nothing_of_this_name")) || bytes.Contains(c.Raw(), []byte("labels.parquet")) {
		t.Error("a span has an argument of a command")
	}
}

// the returns the only span of a list.
func the(t *testing.T, spans []tracingtest.Span) tracingtest.Span {
	t.Helper()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1: %+v", len(spans), spans)
	}
	return spans[0]
}

// fails runs fstore, and returns what it wrote to stderr, and its status.
func (s *shell) fails(args string) (stderr string, status int) {
	s.t.Helper()
	var messages bytes.Buffer
	cmd := exec.Command("fstore", strings.Fields(args)...)
	cmd.Dir, cmd.Stderr = s.dir, &messages
	_ = cmd.Run()
	return messages.String(), cmd.ProcessState.ExitCode()
}

func TestWrongVariablesOfTracesEndACommandAtItsStart(t *testing.T) {
	sh := newRepo(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	for _, command := range []string{"serve", "materialize", "training-set create a --service churn --labels data/labels.parquet --out a.parquet"} {
		sh.run("fstore apply --yes")
		messages, code := sh.fails(command)
		for _, want := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT=… is not the URL of a collector", "hint: such as http://localhost:4318"} {
			if code != statusDefinition || !strings.Contains(messages, want) {
				t.Errorf("%s: status %d, without %q:\n%s", command, code, want, messages)
			}
		}
	}
}

// Variables that OpenTelemetry has and fstore does not support are warnings.
func TestUnsupportedVariablesOfTracesStopNoCommand(t *testing.T) {
	sh := newRepo(t, "apply --yes")
	c := tracingtest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_PROPAGATORS", "tracecontext,baggage,b3")
	t.Setenv("TRACE_PATIENCE", "1m")
	messages, code := sh.fails("materialize product_info --to 2025-12-01")
	if code != statusDone || !strings.Contains(messages, `OTEL_PROPAGATORS="b3": fstore does not support it`) || len(c.Named("materialize")) != 1 {
		t.Errorf("status %d, %d spans: %s", code, len(c.Spans()), messages)
	}
}

// A collector that is away costs a command a moment and a warning.
func TestACommandWhoseCollectorIsAwaySucceeds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sh := newRepo(t, "apply --yes")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	messages, code := sh.fails("materialize product_info --to 2025-12-01")
	if code != statusDone || !strings.Contains(messages, "spans did not reach the collector at http://"+l.Addr().String()+"/v1/traces") {
		t.Errorf("status %d: %s", code, messages)
	}
}

// A server sends its last spans before it ends.
func TestServeSendsItsLastSpans(t *testing.T) {
	sh := newRepo(t, "apply --yes", "materialize customer_orders --to 2025-12-01")
	c := tracingtest.Start(t)
	serve := exec.Command("fstore", "serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	serve.Dir = sh.dir
	serve.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.GRPC, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_BSP_SCHEDULE_DELAY=600000", "TRACE_PATIENCE=1m")
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = serve.Process.Kill() }()
	addresses := map[string]string{}
	for lines := bufio.NewScanner(out); len(addresses) < 3 && lines.Scan(); {
		name, address, _ := strings.Cut(lines.Text(), " ")
		addresses[name] = address
	}
	for deadline := time.Now().Add(time.Minute); !isOK(http.Get("http://" + addresses["metrics"] + "/readyz")); {
		if time.Now().After(deadline) {
			t.Fatal("the server is not ready")
		}
		time.Sleep(20 * time.Millisecond)
	}
	body := `{"features":["customer_orders.order_value"],"entities":{"customer_id":[12003]}}`
	if !isOK(http.Post("http://"+addresses["http"]+"/v1/online-features", "application/json", strings.NewReader(body))) {
		t.Error("the request failed")
	}
	if len(c.Spans()) > 0 {
		t.Error("spans came before their batch was due")
	}
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Error(err)
	}
	if request := the(t, c.Named("GetOnlineFeatures")); request.Attributes["fstore.views"] != "customer_orders@1" || len(c.Named("store")) == 0 {
		t.Errorf("the spans are %+v", c.Spans())
	}
}
