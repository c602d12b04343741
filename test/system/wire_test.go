package system

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// wire is what lies between a program and a server: a TCP proxy that a test may slow down, cut and hold up.
type wire struct {
	URL string // redis:// on the proxy

	to     string // unix socket of the server
	mu     sync.Mutex
	mode   wireMode
	ends   map[net.Conn]bool
	closed bool
	all    sync.WaitGroup
}

// wireMode is how a wire treats what the server sends.
type wireMode struct {
	delay   time.Duration // before each piece
	piece   int           // bytes at a time; 0: as they come
	cut     int           // close the connection after so many bytes of answers; 0: never
	answer  string        // of connections made from now on: send this for whatever is asked; "": as usual
	swallow bool          // send nothing
}

// newWire begins a proxy to a unix socket.
func newWire(t testing.TB, socket string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{URL: "redis://" + l.Addr().String() + "/0", to: socket, ends: map[net.Conn]bool{}}
	w.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.all.Go(func() { w.join(c) })
		}
	})
	t.Cleanup(func() {
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
		l.Close()
		w.cut()
		w.all.Wait()
	})
	return w
}

// set changes how answers are treated from now on, on connections there are too.
func (w *wire) set(m wireMode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = m
}

func (w *wire) now() wireMode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mode
}

// cut closes all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.ends {
		c.Close()
	}
}

// hold notes an end that cut closes; false where the wire is closed.
func (w *wire) hold(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.ends[c] = true
	}
	return !w.closed
}

func (w *wire) drop(c net.Conn) {
	c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ends, c)
}

// join copies between a client and the server until either ends.
func (w *wire) join(client net.Conn) {
	defer w.drop(client)
	if !w.hold(client) {
		return
	}
	if a := w.now().answer; a != "" {
		parrot(client, a)
		return
	}
	server, err := net.Dial("unix", w.to)
	if err != nil {
		return
	}
	defer w.drop(server)
	if !w.hold(server) {
		return
	}
	w.all.Go(func() {
		defer client.Close()
		defer server.Close()
		_ = w.answers(client, server)
	})
	_, _ = io.Copy(server, client)
}

// parrot answers everything with the same text.
func parrot(c net.Conn, text string) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write([]byte(text)); err != nil {
			return
		}
	}
}

var errCut = errors.New("cut")

// answers copies from the server to the client, as the mode wants it.
func (w *wire) answers(client, server net.Conn) error {
	buf := make([]byte, 64<<10)
	sent := 0
	for {
		n, err := server.Read(buf)
		if err != nil {
			return err
		}
		for rest := buf[:n]; len(rest) > 0; {
			m := w.now()
			if m.swallow {
				break
			}
			some := rest
			if m.piece > 0 {
				some = rest[:min(m.piece, len(rest))]
			}
			if m.cut > 0 && sent+len(some) > m.cut {
				_, _ = client.Write(some[:max(0, m.cut-sent)])
				return errCut
			}
			if m.delay > 0 {
				time.Sleep(m.delay) // it is what the wire is for
			}
			if _, err := client.Write(some); err != nil {
				return err
			}
			sent += len(some)
			rest = rest[len(some):]
		}
	}
}
