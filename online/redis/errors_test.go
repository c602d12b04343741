package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/fstore-dev/fstore"
)

// While nothing changes, a server's error keeps its text, over whichever connection it comes.
func TestAnErrorDoesNotNameItsConnection(t *testing.T) {
	b := &Backend{addr: "redis:6379", transport: &transport{}}
	at := func(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port} }
	for _, cause := range []error{os.ErrDeadlineExceeded, syscall.ECONNRESET} {
		said := map[string]bool{}
		for port := range 3 {
			var err error = &net.OpError{Op: "read", Net: "tcp", Source: at(40_000 + port), Addr: at(6379), Err: cause}
			for _, err := range []error{err, fmt.Errorf("the driver: %w", err)} {
				out := b.failed(context.Background(), err)
				if !errors.Is(out, fstore.ErrUnavailable) {
					t.Errorf("%v: got %v", err, out)
				}
				said[out.Error()] = true
			}
		}
		if len(said) != 2 {
			t.Errorf("%v: %v", cause, said)
		}
	}
}

// Sentinels fail in any order.
func TestWhyNoSentinelAnswersIsOneLineInOneOrder(t *testing.T) {
	s := &sentinels{addrs: "a, b", transport: &transport{}}
	refused, late := errors.New("connection refused"), os.ErrDeadlineExceeded
	one, other := s.failed([]error{refused, late, refused}), s.failed([]error{late, refused, refused})
	const want = "none of the sentinels a, b answers: connection refused; i/o timeout (check that they run and can be reached)"
	if one.Error() != want || other.Error() != want {
		t.Errorf("got %q and %q, want %q", one, other, want)
	}
}
