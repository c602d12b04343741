package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/fstore-dev/fstore"
)

// Both clients send a tracepb.TracesData, which on the wire is an ExportTraceServiceRequest, and read the answer without its
// type: the package of the service's messages also has a gateway from JSON to gRPC, which nobody here needs. OpenTelemetry's own
// client for gRPC is not used because linking it makes every gRPC server of the program accept compressed requests.

// The bounds of a collector's answer.
const (
	maxReply  = 64 << 10 // bytes
	maxReason = 200      // bytes of its message that are logged
)

// firstPause is the time before a second attempt. Each further pause is twice as long.
const firstPause = 500 * time.Millisecond

// sender makes one attempt to send a request. again says whether another may succeed.
type sender interface {
	send(ctx context.Context, request *tracepb.TracesData) (reply []byte, again bool, err error)
	close() error
}

// client implements otlptrace.Client.
type client struct {
	sender
	timeout time.Duration // of all attempts
}

func newClient(c Config, version string) (otlptrace.Client, error) {
	agent := "fstore/" + version
	if !c.GRPC {
		return &client{newHTTPSender(c, agent), c.Timeout}, nil
	}
	s, err := newGRPCSender(c, agent)
	return &client{s, c.Timeout}, err
}

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error { return c.close() }

// UploadTraces implements otlptrace.Client. It returns a rejectedError if the collector has taken some spans only.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for pause := firstPause; ; pause *= 2 {
		reply, again, err := c.send(ctx, &tracepb.TracesData{ResourceSpans: spans})
		if err == nil {
			return rejected(reply)
		}
		if !again || fstore.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

type httpSender struct {
	http   http.Client
	url    string
	header http.Header
	gzip   bool
}

func newHTTPSender(c Config, agent string) *httpSender {
	h := &httpSender{url: c.Endpoint.String(), gzip: c.Gzip, header: http.Header{"User-Agent": {agent}}}
	for name, value := range c.Header {
		h.header.Set(name, value)
	}
	h.header.Set("Content-Type", "application/x-protobuf")
	if c.Gzip {
		h.header.Set("Content-Encoding", "gzip")
	}
	h.http.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: c.TLS, MaxResponseHeaderBytes: maxReply, IdleConnTimeout: time.Minute}
	// A redirect would take the credentials elsewhere.
	h.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return h
}

func (h *httpSender) send(ctx context.Context, request *tracepb.TracesData) (reply []byte, again bool, err error) {
	body, err := proto.Marshal(request)
	if err != nil {
		return nil, false, err
	}
	if h.gzip {
		body = compressed(body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	req.Header = h.header
	answer, err := h.http.Do(req)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return nil, true, wrapped.Err // without the URL
	}
	if err != nil {
		return nil, true, err
	}
	defer answer.Body.Close()
	reply, err = io.ReadAll(io.LimitReader(answer.Body, maxReply))
	switch code := answer.StatusCode; {
	case code >= 200 && code <= 299:
		return reply, true, err
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		again = true
	}
	return nil, again, fmt.Errorf("it answered %s", answer.Status)
}

func compressed(body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func (h *httpSender) close() error {
	h.http.CloseIdleConnections()
	return nil
}

type grpcSender struct {
	conn   *grpc.ClientConn
	header metadata.MD
}

func newGRPCSender(c Config, agent string) (*grpcSender, error) {
	creds := insecure.NewCredentials()
	if c.TLS != nil {
		creds = credentials.NewTLS(c.TLS)
	}
	conn, err := grpc.NewClient("dns:///"+c.Endpoint.Host, grpc.WithTransportCredentials(creds), grpc.WithUserAgent(agent),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)), grpc.WithMaxHeaderListSize(maxReply), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", c.Endpoint, err)
	}
	return &grpcSender{conn, metadata.New(c.Header)}, nil
}

const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

func (g *grpcSender) send(ctx context.Context, request *tracepb.TracesData) (reply []byte, again bool, err error) {
	var answer emptypb.Empty // its unknown fields are the answer
	err = g.conn.Invoke(metadata.NewOutgoingContext(ctx, g.header), exportMethod, request, &answer)
	switch status.Code(err) {
	case codes.OK:
		return answer.ProtoReflect().GetUnknown(), false, nil
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.Canceled, codes.DeadlineExceeded, codes.OutOfRange, codes.DataLoss: // as OTLP says
		again = true
	}
	return nil, again, err
}

func (g *grpcSender) close() error { return g.conn.Close() }

// rejectedError is the error of a collector that has taken a part of the spans.
type rejectedError struct{ spans int64 }

func (e *rejectedError) Error() string { return fmt.Sprintf("it rejected %d of a batch", e.spans) }

// rejected returns an error if an ExportTraceServiceResponse says that spans were rejected. An answer of another form is none.
func rejected(reply []byte) error {
	partial, _ := protowire.ConsumeBytes(field(reply, 1, protowire.BytesType))
	if spans, n := protowire.ConsumeVarint(field(partial, 1, protowire.VarintType)); n > 0 && int64(spans) > 0 {
		return &rejectedError{int64(spans)}
	}
	return nil
}

// field returns a message from the value of a field on; nil if it does not have the field.
func field(message []byte, number protowire.Number, kind protowire.Type) []byte {
	for len(message) > 0 {
		got, is, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		if message = message[n:]; got == number && is == kind {
			return message
		}
		if n = protowire.ConsumeFieldValue(got, is, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}

// reason returns why spans were not taken, as a short text of one line without secrets: a collector's message may be anything.
func reason(err error, secrets []string) string {
	text := err.Error()
	if s, ok := status.FromError(errors.Unwrap(err)); ok && s.Code() != codes.OK {
		text = s.Code().String() + ": " + s.Message()
	}
	text = strings.TrimPrefix(text, "traces export: ")
	for _, s := range secrets { // before the text is cut: a part of a secret would not be found
		text = strings.ReplaceAll(text, s, "***")
	}
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
}
