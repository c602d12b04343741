package grpcapi

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/test/bufconn"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// gRPC itself answers a call whose message is compressed in a way that it does not know. No handler sees such a call.
func TestCallsThatNoHandlerSeesAreForgotten(t *testing.T) {
	w := newWorld(t)
	l := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- w.Serve(l) }()
	client := &http.Transport{
		Protocols:   new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.DialContext(ctx) },
	}
	client.Protocols.SetUnencryptedHTTP2(true)
	for range 20 {
		r, err := http.NewRequest(http.MethodPost, "http://server"+fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName, strings.NewReader("\x01\x00\x00\x00\x00"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Grpc-Encoding", "unheard-of")
		answer, err := client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if code := answer.Header.Get("Grpc-Status"); code != "12" {
			t.Errorf("status %s", code)
		}
		answer.Body.Close()
	}
	kept := func() (n int) {
		for _, c := range w.connections.list() {
			c.mu.Lock()
			n += len(c.receiving)
			c.mu.Unlock()
		}
		return n
	}
	for end := time.Now().Add(10 * time.Second); kept() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d calls are remembered", kept())
		}
	}
	client.CloseIdleConnections()
	w.grpc.Stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
