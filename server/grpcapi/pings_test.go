package grpcapi

import (
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pieces is a connection that takes down what is written to it.
type pieces struct {
	net.Conn
	err error

	mu      sync.Mutex // guards written
	written []string
}

func (p *pieces) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.written = append(p.written, string(b))
	p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	return len(b), nil
}

const ping = "\x00\x00\x08\x06\x01\x00\x00\x00\x00payload!"

func write(t *testing.T, c *connection, what string) {
	t.Helper()
	if n, err := c.Write([]byte(what)); err != nil || n != len(what) {
		t.Errorf("wrote %d of %d bytes, %v", n, len(what), err)
	}
}

// take returns the pieces that were written since the last call.
func (p *pieces) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	written := p.written
	p.written = nil
	return written
}

func wantPieces(t *testing.T, p *pieces, want ...string) {
	t.Helper()
	if got := p.take(); !slices.Equal(got, want) {
		t.Errorf("the pieces are %q, not %q", got, want)
	}
}

func newPieces() (*pieces, *connection) {
	p := &pieces{}
	return p, &connection{Conn: p, writer: writer{conn: p}, of: newConnections(nil, 1), open: map[uint32]int64{}}
}

func TestPingsAreAnsweredWithTheNextWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const settings = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
		p, c := newPieces()
		write(t, c, ping)
		write(t, c, ping+ping)
		wantPieces(t, p)
		write(t, c, settings)
		wantPieces(t, p, ping+ping+ping+settings)
		write(t, c, settings)
		time.Sleep(time.Second)
		synctest.Wait()
		wantPieces(t, p, settings)
	})
}

func TestAPingIsAnsweredSoonWhereNothingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newPieces()
		for range 3 {
			write(t, c, ping)
			time.Sleep(keptFor / 2)
			write(t, c, ping)
			synctest.Wait()
			wantPieces(t, p)
			time.Sleep(keptFor / 2)
			synctest.Wait()
			wantPieces(t, p, ping+ping)
		}
	})
}

func TestThePingsOfClientsInGoWaitWhileAnswersAreSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newPieces()
		answer := data(1000)
		write(t, c, goPing)
		for range 30 {
			write(t, c, answer)
			wantPieces(t, p, answer)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(goKeptFor)
		synctest.Wait()
		wantPieces(t, p, goPing)
		write(t, c, answer)
		wantPieces(t, p, answer)
	})
}

func TestThePingsOfClientsInGoAreAnsweredBeforeWindowsCouldGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newPieces()
		half := data(goPassed/2 - frameHeaderBytes)
		for range 3 {
			write(t, c, goPing)
			write(t, c, half)
			write(t, c, half)
			wantPieces(t, p, half, half)
			write(t, c, half)
			wantPieces(t, p, goPing+half)
		}
	})
}

func TestOtherPingsTakeThoseOfClientsInGoAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newPieces()
		write(t, c, goPing)
		write(t, c, ping)
		write(t, c, data(1))
		wantPieces(t, p, goPing+ping+data(1))
		write(t, c, goPing)
		time.Sleep(time.Millisecond)
		write(t, c, ping)
		time.Sleep(keptFor)
		synctest.Wait()
		wantPieces(t, p, goPing+ping)
	})
}

// A frame that comes in pieces is not torn by the answer to a ping, neither by the next write nor after a while.
func TestPingsAreAnsweredBetweenFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, while := range []time.Duration{0, 2 * goKeptFor} {
			p, c := newPieces()
			answer := data(3 * goPassed)
			first, second, third := answer[:4], answer[4:2*goPassed], answer[2*goPassed:]
			write(t, c, goPing)
			for _, piece := range []string{first, second} {
				write(t, c, piece)
				time.Sleep(while)
				synctest.Wait()
				wantPieces(t, p, piece)
			}
			write(t, c, third)
			if while > 0 {
				time.Sleep(while)
				synctest.Wait()
				wantPieces(t, p, third, goPing)
				continue
			}
			write(t, c, data(1))
			wantPieces(t, p, third, goPing+data(1))
		}
	})
}

// data returns a frame with bytes of an answer.
func data(n int) string {
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0, 0, 1}) + strings.Repeat("x", n)
}

func TestPingsTakeLittleMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newPieces()
		for range 1000 {
			write(t, c, ping)
			c.writer.mu.Lock()
			kept := len(c.writer.kept)
			c.writer.mu.Unlock()
			if kept > maxKept {
				t.Fatalf("%d bytes are kept", kept)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		total := 0
		for _, w := range p.take() {
			total += len(w)
		}
		if total != 1000*len(ping) {
			t.Errorf("%d bytes were written", total)
		}
	})
}

func TestOnlyWholePingsAreKept(t *testing.T) {
	for _, piece := range []string{ping[:16], "\x00\x00\x04\x00\x00\x00\x00\x00\x01data", ping + "\x00\x00\x00\x04\x01\x00\x00\x00\x00"} {
		p, c := newPieces()
		write(t, c, piece)
		wantPieces(t, p, piece)
	}
	p, c := newPieces()
	const head = "\x00\x00\x11\x00\x00\x00\x00\x00\x01" // of a frame whose payload looks like a ping
	write(t, c, head)
	write(t, c, ping)
	wantPieces(t, p, head, ping)
}

func TestABrokenConnectionIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newPieces()
		p.err = errors.New("broken pipe")
		write(t, c, ping)
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := c.Write([]byte("more")); !errors.Is(err, p.err) {
			t.Errorf("got %v", err)
		}
	})
}
