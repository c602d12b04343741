package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/audit"
)

// Everybody may ask for health. Nobody can use that to keep callers with a credential out.

// another returns one more gRPC connection to a world in plain text.
func (w *world) another(t testing.TB) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return w.pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// watch opens a stream of health, and returns it once its first answer or its end is there.
func watch(t testing.TB, conn *grpc.ClientConn, service string) error {
	t.Helper()
	stream, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: service})
	if err == nil {
		_, err = stream.Recv()
	}
	return err
}

// lookUp asks with a token, again and again while the server is busy, as a client does.
func (w *world) lookUp(token string) (err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		_, err = w.client.GetOnlineFeatures(withToken(token), byService("churn", int64s("customer_id", 1)))
		if code := status.Code(err); code != codes.ResourceExhausted {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

func TestStreamsOfHealthLeaveRoomForLookups(t *testing.T) {
	var out bytes.Buffer
	lines := audit.New(&out, slog.New(slog.DiscardHandler))
	w, tokens := locked(t, func(o *server.Options) { o.Audit = lines }, "online:read@shop")
	refused := 0
	for range 3 {
		conn := w.another(t)
		for range 700 {
			if watch(t, conn, "") != nil {
				refused++
			}
		}
	}
	if refused == 0 {
		t.Error("all streams of health are open")
	}
	if counted := metric(t, w.Server, "fstore_refused_requests_total", "streams"); counted < 1 || !strings.Contains(w.log.String(), "reason=streams") {
		t.Errorf("%v of %d refusals are counted; the log says:\n%s", counted, refused, w.log)
	}
	if err := w.lookUp(tokens[0]); err != nil {
		t.Errorf("a caller with a token: %v", err)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, l := range audited(t, &out, lines) {
		if l.Reason == "streams" && l.Code == "RESOURCE_EXHAUSTED" && l.Address != "" {
			said += 1 + l.Unsaid
		}
	}
	if said != refused {
		t.Errorf("the audit log says that %d streams were refused, and %d were", said, refused)
	}
}

func TestRequestsForHealthLeaveBytesForLookups(t *testing.T) {
	w, tokens := locked(t, func(o *server.Options) { o.MaxInFlight = 3 << 20 }, "online:read@shop")
	conn := w.another(t)
	for range 8 {
		_ = watch(t, conn, strings.Repeat("x", 400<<10)) // the server ends some of them
	}
	if err := w.lookUp(tokens[0]); err != nil {
		t.Errorf("a caller with a token: %v", err)
	}
	if used := w.Arriving().Used(); used > 1<<20 {
		t.Errorf("%d bytes of requests have arrived", used)
	}
}
