package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/server"
)

// gate is a listener whose connections are read once free is closed. looks has a signal for each look at what the server
// has not read.
type gate struct {
	net.Listener
	accepted, looks, free chan struct{}
}

func (g gate) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g.accepted <- struct{}{}
	return gated{conn.(*net.TCPConn), g}, nil
}

type gated struct {
	*net.TCPConn
	gate gate
}

func (g gated) Read(p []byte) (int, error) {
	<-g.gate.free
	return g.TCPConn.Read(p)
}

func (g gated) SyscallConn() (syscall.RawConn, error) {
	select {
	case g.gate.looks <- struct{}{}:
	default:
	}
	return g.TCPConn.SyscallConn()
}

// A request that reached a connection of the server is answered, although the server reads it after it has closed its port.
func TestADrainAnswersWhatItHasNotRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the server does not know what it has not read")
	}
	w := newWorld(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const looks = 3
	g := gate{l, make(chan struct{}, 1), make(chan struct{}, looks), make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- w.Serve(ctx, w.overHTTP(g)) }()
	conn := send(t, l.Addr().String(), nil, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-g.accepted
	cancel()
	for range looks {
		select {
		case <-g.looks:
		case err := <-stopped:
			t.Fatalf("the server has ended: %v", err)
		}
	}
	close(g.free)
	if resp := receive(t, conn); resp.StatusCode != http.StatusNotFound || !resp.Close {
		t.Errorf("got %d, close %v", resp.StatusCode, resp.Close)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the port is open")
	}
}

// A client that sends only a part of the headers does not hold up the drain.
func TestAPartOfTheHeadersDoesNotHoldUpTheDrain(t *testing.T) {
	w := newWorld(t, patient).start(t)
	_, address, _ := strings.Cut(w.web, "://")
	var config *tls.Config
	if w.ca != nil {
		config = clientConfig(t, w.ca, nil)
	}
	whole := fmt.Sprintf("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	for _, part := range []string{"", "GET", whole[:len(whole)-2]} {
		send(t, address, config, part)
		used := send(t, address, config, whole)
		receive(t, used)
		if _, err := io.WriteString(used, part); err != nil {
			t.Fatal(err)
		}
	}
	w.drainsSoon(t)
}

// patient has a server wait for its clients for longer than a test may take: a drain that ends soon did not wait for them.
func patient(o *server.Options) { o.HeaderTimeout, o.DrainTimeout = time.Hour, time.Minute }

// soon is less than HTTP's deadline for a body, which ends a handshake too.
const soon = 20 * time.Second

// drainsSoon stops a patient server.
func (w *world) drainsSoon(t *testing.T) {
	t.Helper()
	start := time.Now()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > soon {
		t.Errorf("the drain took %s", took)
	}
}

// send sends text over a new connection, over TLS if there is a config.
func send(t *testing.T, address string, config *tls.Config, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if config != nil {
		conn = tls.Client(conn, config)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// receive returns the next answer of a connection, whose body it has read.
func receive(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp
}
