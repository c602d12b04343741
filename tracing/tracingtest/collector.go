// Package tracingtest has a collector for tests of traces.
package tracingtest

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/fstore-dev/fstore/tracing"
)

// Span is a span as a collector gets it. IDs are in hexadecimal.
type Span struct {
	Name, Trace, ID, Parent, State string
	Kind                           tracepb.Span_SpanKind
	Failed                         string // the message of its status, if that is an error
	Attributes                     map[string]string
	Resource                       map[string]string
}

// Collector takes spans over both protocols, and keeps what it got.
type Collector struct {
	URL  string // of OTLP over HTTP
	GRPC string // of OTLP over gRPC

	mu     sync.Mutex // guards what follows
	spans  []Span
	raw    []byte
	header []map[string][]string
	answer func() (status int, body []byte) // nil: everything is taken
}

// Start starts a collector, which ends with the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	return start(t, nil)
}

// StartTLS starts a collector with a certificate and its key. Its clients must have certificates, too.
func StartTLS(t testing.TB, certificate, key string) *Collector {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12})
}

func start(t testing.TB, secured *tls.Config) *Collector {
	t.Helper()
	c := &Collector{}
	web, creds, scheme := httptest.NewUnstartedServer(http.HandlerFunc(c.post)), insecure.NewCredentials(), "http"
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	if web.TLS = secured; secured == nil {
		web.Start()
	} else {
		creds, scheme = credentials.NewTLS(secured.Clone()), "https"
		web.StartTLS()
	}
	t.Cleanup(web.Close)
	c.URL = web.URL
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.UnknownServiceHandler(c.export), grpc.Creds(creds))
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	c.GRPC = scheme + "://" + l.Addr().String()
	return c
}

// Answer sets what the collector does with what arrives over HTTP from now on. It is kept only if the status is 200.
func (c *Collector) Answer(answer func() (status int, body []byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *Collector) post(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		status, body := answer()
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(status)
		_, _ = w.Write(body)
		if status != http.StatusOK {
			return
		}
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	raw, err := io.ReadAll(body)
	if err == nil && r.URL.Path == "/v1/traces" {
		c.keep(raw, r.Header)
	}
}

func (c *Collector) export(_ any, stream grpc.ServerStream) error {
	var in tracepb.TracesData
	if err := stream.RecvMsg(&in); err != nil {
		return err
	}
	if method, _ := grpc.MethodFromServerStream(stream); method != "/opentelemetry.proto.collector.trace.v1.TraceService/Export" {
		return fmt.Errorf("there is no method %s", method)
	}
	header, _ := metadata.FromIncomingContext(stream.Context())
	raw, err := proto.Marshal(&in)
	if err != nil {
		return err
	}
	c.keep(raw, header)
	return stream.SendMsg(&emptypb.Empty{})
}

func (c *Collector) keep(raw []byte, header map[string][]string) {
	var in tracepb.TracesData
	if err := proto.Unmarshal(raw, &in); err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw, c.header = append(c.raw, raw...), append(c.header, header)
	for _, of := range in.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, spanOf(s, attributes(of.Resource.GetAttributes())))
			}
		}
	}
}

func spanOf(s *tracepb.Span, resource map[string]string) Span {
	out := Span{
		Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
		State: s.TraceState, Kind: s.Kind, Attributes: attributes(s.Attributes), Resource: resource,
	}
	if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		out.Failed = s.Status.Message
	}
	return out
}

func attributes(all []*commonpb.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			out[a.Key] = v.StringValue
		case *commonpb.AnyValue_ArrayValue:
			var texts []string
			for _, one := range v.ArrayValue.Values {
				texts = append(texts, one.GetStringValue())
			}
			out[a.Key] = strings.Join(texts, ",")
		default:
			out[a.Key] = fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return out
}

// Spans returns the spans that have arrived.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Named returns the spans of a name that have arrived.
func (c *Collector) Named(name string) (out []Span) {
	for _, s := range c.Spans() {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

// Headers returns the headers of what has arrived.
func (c *Collector) Headers() []map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]map[string][]string(nil), c.header...)
}

// Raw returns every byte that has arrived, as it is on the wire before compression.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]byte(nil), c.raw...)
}

// Tracer returns a tracer that sends to the collector, and what sends its spans now. variables are further variables of the
// environment, as NAME=value.
func (c *Collector) Tracer(t testing.TB, variables ...string) (tracer *tracing.Tracer, flush func()) {
	t.Helper()
	tracer = Open(t, append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL}, variables...)...)
	return tracer, func() {
		if err := tracer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
