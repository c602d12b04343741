package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/audit"
	"github.com/fstore-dev/fstore/server/feast"
	"github.com/fstore-dev/fstore/server/servertest"
	"github.com/fstore-dev/fstore/tracing"
	"github.com/fstore-dev/fstore/tracing/tracingtest"
)

// The caller's trace and span, and the header that names them.
const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// sent sends a request over HTTP with headers, and returns the status and the answer.
func (w *world) sent(t testing.TB, path, body string, headers map[string]string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.web+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := w.asks.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// A request has one span, beneath the caller's, and one beneath it for each part: over each protocol, and in Feast's words.
func TestSpansOfALookUp(t *testing.T) {
	collector := tracingtest.Start(t)
	body := `{"service":"trips","entities":{"customer_id":[1,2],"amount":[1.5,2.5],"tags":[[],[]],"note":["a","b"],"since":[null,null],"raw":[null,null]}}`
	for name, ask := range map[string]func(*testing.T, *world) error{
		"grpc": func(t *testing.T, w *world) error {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", traceparent)
			_, err := client.New(w.conn, client.Options{}).Get(ctx, client.Request{Selection: client.Selection{Service: "trips"}, Keys: tripColumns()})
			return err
		},
		"http": func(t *testing.T, w *world) error {
			return wantOK(w.sent(t, "/v1/online-features", body, map[string]string{"traceparent": traceparent}))
		},
		"feast over http": func(t *testing.T, w *world) error {
			return wantOK(w.sent(t, feast.Path, strings.Replace(body, "service", "feature_service", 1), map[string]string{"traceparent": traceparent}))
		},
		"feast over grpc": func(t *testing.T, w *world) error {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", traceparent)
			_, err := feastpb.NewServingServiceClient(w.conn).GetOnlineFeatures(ctx, feastRequest("churn", 2))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			tracer, flush := collector.Tracer(t)
			w := tripWorldAt(t, func(o *server.Options) { o.Tracer = tracer })
			before := len(collector.Spans())
			if err := ask(t, w); err != nil {
				t.Fatal(err)
			}
			_ = w.stop()
			flush()
			spans := collector.Spans()[before:]
			var request tracingtest.Span
			parts := map[string]tracingtest.Span{}
			for _, s := range spans {
				if s.Parent == callersSpan {
					request = s
				}
				parts[s.Name] = s
			}
			transport, _, _ := strings.Cut(strings.TrimPrefix(name, "feast over "), ",")
			want := map[string]string{
				"fstore.transport": transport, "fstore.service": "trips@1", "fstore.features": "5", "fstore.rows": "2",
				"fstore.views": "orders@1,trip@1", "fstore.code": "OK",
			}
			names := []string{"encode", "on-demand", "resolve", "store"}
			if name == "feast over grpc" { // of a service without on-demand features
				want["fstore.service"], want["fstore.features"], want["fstore.views"] = "churn@2", "2", "orders@1"
				names = slices.Delete(names, 1, 2)
			}
			for attribute, value := range want {
				if request.Attributes[attribute] != value {
					t.Errorf("%s of the request is %q, want %q", attribute, request.Attributes[attribute], value)
				}
			}
			if request.Trace != callersTrace || !strings.HasSuffix(request.Name, "GetOnlineFeatures") || len(request.Attributes) != len(want) {
				t.Errorf("the request's span is %+v", request)
			}
			for _, part := range names {
				if s := parts[part]; s.Parent != request.ID || s.Trace != callersTrace || s.Failed != "" {
					t.Errorf("the span of %s is %+v", part, s)
				}
			}
			if parts["store"].Attributes["fstore.keys"] == "" || parts["encode"].Attributes["fstore.bytes"] == "" {
				t.Errorf("attributes are missing: %+v", parts)
			}
			delete(parts, request.Name)
			if len(parts) != len(names) {
				t.Errorf("the parts are %v, want %v", parts, names)
			}
		})
	}
}

func wantOK(status int, answer string) error {
	if status != http.StatusOK {
		return fmt.Errorf("the answer is %d %s", status, answer)
	}
	return nil
}

// What a caller sends is in no span: neither keys, values, names that do not exist, tokens nor headers. Nor is anything that the
// store holds.
func TestNothingOfACallerIsInSpans(t *testing.T) {
	collector := tracingtest.Start(t)
	tracer, flush := collector.Tracer(t)
	w, tokens := locked(t, func(o *server.Options) { o.Tracer = tracer }, "online:read@shop")
	page := w.book.Page
	page.Services["trips"] = trips(1)
	w.book.Set(page)
	const number, amount, stored = 8_675_309_867, 424_242.515625, 313_131.25
	servertest.Publish(t, w.store, page.Views["orders"], now, servertest.Row{int64(number), now, int64(3), stored})
	w.refresh()
	const secret = "s3cret"
	columns := tripColumns()
	columns[0], columns[1] = client.Keys("customer_id", int64(number), int64(1)), client.Keys("amount", amount, amount)
	columns[3] = fstore.NewColumn("note", fstore.String, 2)
	columns[3].Append(secret)
	columns[3].Append(secret)
	hostile := []string{secret, secret + "\x00\n\x1b[31m", strings.Repeat(secret, 1000), "orders@1'; DROP " + secret}
	asks := func(ctx context.Context, s client.Selection) {
		_, _ = client.New(w.conn, client.Options{}).Get(ctx, client.Request{Selection: s, Keys: columns})
	}
	for _, parent := range []string{traceparent, secret, "00-" + secret, traceparent + "-" + secret, strings.Repeat("0", 4000)} {
		ctx := metadata.AppendToOutgoingContext(withToken(tokens[0]), "traceparent", parent, "tracestate", "=="+secret, "x-"+secret, secret, "baggage", secret+"=1")
		asks(ctx, client.Selection{Service: "trips"})
		for _, name := range hostile {
			asks(ctx, client.Selection{Service: name})
			asks(ctx, client.Selection{Model: fstore.ModelRef{Name: name, Version: name}})
			asks(ctx, client.Selection{Features: []string{name + ".x", "orders." + name}})
			asks(metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+name, "traceparent", parent), client.Selection{Service: "trips"})
			_ = w.conn.Invoke(ctx, "/fstore.v1.FeatureStore/"+secret, &feastpb.GetFeastServingInfoRequest{}, &feastpb.GetFeastServingInfoResponse{})
			named, _ := json.Marshal(name)
			for path, body := range map[string]string{
				"/v1/online-features": `{"service":` + string(named) + `,"entities":{"customer_id":[` + fmt.Sprint(number) + `]}}`,
				"/v1/describe":        `{"features":[` + string(named) + `]}`,
				"/v1/" + secret:       "{}",
				feast.Path:            `{"feature_service":` + string(named) + `,"entities":{` + string(named) + `:["` + secret + `"]}}`,
			} {
				w.sent(t, path, body, map[string]string{"Authorization": "Bearer " + tokens[0], "traceparent": parent, "tracestate": "a=b,,=" + secret, "User-Agent": secret})
				w.sent(t, path, `{"`+secret, map[string]string{"Authorization": "Bearer " + tokens[0], "traceparent": parent})
			}
		}
	}
	w.backend.Hook(func(context.Context) error {
		return fmt.Errorf("redis GET %s: %w", secret, fstore.ErrUnavailable)
	})
	_, _ = w.client.GetOnlineFeatures(withToken(tokens[0]), byService("churn", int64s("customer_id", number)))
	_ = w.stop()
	flush()
	raw := collector.Raw()
	for what, text := range map[string]string{
		"a secret": secret, "a token": tokens[0], "the end of a token": tokens[0][len(tokens[0])-20:], "a key as text": fmt.Sprint(number),
		"a value that was sent, as text": fmt.Sprint(amount), "a stored value as text": fmt.Sprint(stored),
		"a join key": "customer_id", "a caller's name": "callera", "an address": "127.0.0.1",
	} {
		if bytes.Contains(bytes.ToLower(raw), []byte(strings.ToLower(text))) {
			t.Errorf("%s is in a span", what)
		}
	}
	for what, pattern := range map[string][]byte{ // ToLower would replace bytes that are not UTF-8, and make patterns equal
		"a key": binary.AppendUvarint(nil, number), "a value that was sent": binary.LittleEndian.AppendUint64(nil, math.Float64bits(amount)),
		"a stored value": binary.LittleEndian.AppendUint64(nil, math.Float64bits(stored)),
	} {
		if bytes.Contains(raw, pattern) {
			t.Errorf("%s is in a span", what)
		}
	}
	known := regexp.MustCompile(`^([a-z][a-z-]*|[A-Z]\w+)$`)
	codes := map[string]int{}
	for _, s := range collector.Spans() {
		codes[s.Attributes["fstore.code"]]++
		if !known.MatchString(s.Name) {
			t.Errorf("a span's name is %q", s.Name)
		}
	}
	for _, code := range []string{"OK", "NOT_FOUND", "INVALID_ARGUMENT", "UNAVAILABLE"} {
		if codes[code] == 0 {
			t.Errorf("no span has the code %s: %v", code, codes)
		}
	}
	if store := collector.Named("store"); store[len(store)-1].Failed != "UNAVAILABLE" {
		t.Errorf("the last read of the store is %+v", store[len(store)-1])
	}
}

// A traced request can be found from its metrics, its lines in the log and in the audit log.
func TestTracesAreNamedWhereTheirRequestsAre(t *testing.T) {
	collector := tracingtest.Start(t)
	tracer, flush := collector.Tracer(t, "OTEL_TRACES_SAMPLER=parentbased_always_off")
	var out, log bytes.Buffer
	lines := audit.New(&out, slog.New(slog.DiscardHandler))
	w := shop(t, func(o *server.Options) {
		o.Tracer, o.Audit, o.Logger = tracer, lines, slog.New(slog.NewJSONHandler(&log, nil))
	})
	ask := func(headers map[string]string) {
		w.sent(t, "/v1/online-features", `{"service":"churn","entities":{"customer_id":[1]}}`, headers)
	}
	ask(nil) // not sampled
	ask(map[string]string{"traceparent": traceparent})
	w.backend.Hook(func(context.Context) error { return fmt.Errorf("gone: %w", fstore.ErrUnavailable) })
	ask(map[string]string{"traceparent": traceparent})
	page := scrape(t, w.metrics, "application/openmetrics-text; version=1.0.0")
	if n := strings.Count(page, `# {trace_id="`+callersTrace+`"}`); n != 2 || !strings.HasSuffix(page, "# EOF\n") {
		t.Errorf("%d exemplars, want one of the answer and one of the failure:\n%s", n, page)
	}
	if page := scrape(t, w.metrics, "text/plain"); strings.Contains(page, "trace_id") || strings.Contains(page, "# EOF") {
		t.Error("the text format has exemplars")
	}
	_ = w.stop()
	flush()
	requests := collector.Named("GetOnlineFeatures")
	if len(requests) != 2 {
		t.Fatalf("%d spans of requests, want 2", len(requests))
	}
	if line := `"trace_id":"` + callersTrace + `","span_id":"` + requests[1].ID + `"`; !strings.Contains(log.String(), line) {
		t.Errorf("no line of the log has %s:\n%s", line, &log)
	}
	var traced []string
	audited(t, &out, lines)
	for text := range strings.Lines(out.String()) {
		var line struct {
			TraceID string `json:"trace_id"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		traced = append(traced, line.TraceID)
	}
	if want := []string{"", callersTrace, callersTrace}; !slices.Equal(traced, want) {
		t.Errorf("the audit log has the traces %q, want %q", traced, want)
	}
}

// scrape returns /metrics in the format that a scraper prefers.
func scrape(t *testing.T, at, accept string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, at+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A collector that never answers costs no caller time, and drops what does not fit into the queue.
func TestACollectorThatIsMuteDelaysNoAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tracer := tracingtest.Open(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+l.Addr().String(), "OTEL_BSP_MAX_QUEUE_SIZE=20", "OTEL_BSP_SCHEDULE_DELAY=1")
	w := shop(t, func(o *server.Options) { o.Tracer = tracer })
	const requests = 200
	began := time.Now()
	for range requests {
		if _, err := w.client.GetOnlineFeatures(t.Context(), byService("churn", int64s("customer_id", 1))); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > time.Minute { // the collector has ten
		t.Errorf("%d requests took %s", requests, took)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if least := int64(requests*4 - 20); tracer.Dropped() < least {
		t.Errorf("%d spans were dropped, want %d or more", tracer.Dropped(), least)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tracer.Close(ended); err == nil {
		t.Error("no error says that spans were lost")
	}
	var none *tracing.Tracer
	if none.Of(t.Context()).Recorded() {
		t.Error("a tracer that is nil records")
	}
}
