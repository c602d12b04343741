package redis_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// silent is a server that takes connections and never answers.
func silent(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		var conns []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			conns = append(conns, c)
		}
		for _, c := range conns {
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// Wherever a call waits, it ends at its deadline, and its error says that the deadline is why. The driver's own
// timeouts are seconds: a call that waits for one of them is found out whatever the machine does besides.
func TestACallEndsAtItsDeadline(t *testing.T) {
	const deadline = 100 * time.Millisecond
	hung := redistest.New(t)
	for _, c := range []struct {
		name, url string
		calls     int // at once
	}{
		{"in the login", "redis://:secret@" + silent(t) + "/0?dial_timeout=20s&read_timeout=20s", 1},
		{"in the choice of a database", "redis://" + silent(t) + "/3?dial_timeout=20s&read_timeout=20s", 1},
		{"in the handshake of TLS", "rediss://" + silent(t) + "/0?dial_timeout=20s&read_timeout=20s", 1},
		{"for a reply", hung.URL + "&read_timeout=20s", 1},
		{"for a connection", hung.URL + "&pool_size=1&pool_timeout=20s&read_timeout=20s", 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, c.url)
			defer b.Close()
			if c.url[:5] == hung.URL[:5] {
				if _, err := b.Check(ctx); err != nil {
					t.Fatal(err)
				}
				hung.Pause()
				defer hung.Resume()
			}
			var all sync.WaitGroup
			for i := range c.calls {
				all.Go(func() {
					short, cancel := context.WithTimeout(ctx, deadline)
					defer cancel()
					begin := time.Now()
					var err error
					if i%2 == 0 {
						_, _, err = b.Get(short, online.Read{Keys: [][]byte{[]byte("k")}, Pointers: [][]byte{[]byte("p")}})
					} else {
						err = b.Commit(short, online.Commit{Delete: [][]byte{[]byte("k")}})
					}
					if !errors.Is(err, fstore.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v", err)
					}
					if took := time.Since(begin); took > 10*time.Second {
						t.Errorf("it took %s", took)
					}
				})
			}
			all.Wait()
		})
	}
}
