package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/fstore-dev/fstore"
)

// listener accepts connections and keeps them open.
func listener(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

// An answer of the sentinels that comes late, after a newer one, opens no connection to the old primary and closes none to
// the new one. The newer answer closes what is open to the old one at once.
func TestALateAnswerDoesNotLeadBack(t *testing.T) {
	older, newer := servers{[]string{listener(t)}, 1}, servers{[]string{listener(t)}, 2}
	answers := make(chan servers)
	m := newMoving(func(context.Context) (servers, error) { return <-answers, nil }, &transport{}, func() {})
	type dialed struct {
		conn net.Conn
		err  error
	}
	dial := func() chan dialed {
		out := make(chan dialed, 1)
		go func() {
			conn, err := m.dial(context.Background(), "", "")
			out <- dialed{conn, err}
		}()
		return out
	}
	first := dial()
	answers <- older
	old := <-first
	second := dial()
	answers <- newer
	fresh := <-second
	if err := errors.Join(old.err, fresh.err); err != nil {
		t.Fatal(err)
	}
	if _, err := old.conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection to the old primary: %v", err)
	}
	late := dial()
	answers <- older
	if got := <-late; !errors.Is(got.err, fstore.ErrUnavailable) {
		t.Errorf("a late answer leads to the old primary: %v", got.err)
	}
	if err := m.turnTo(older, nil); !errors.Is(err, fstore.ErrUnavailable) {
		t.Errorf("a late answer to refresh: %v", err)
	}
	if _, err := io.WriteString(fresh.conn, "x"); err != nil {
		t.Errorf("the connection to the new primary: %v", err)
	}
	again := dial()
	answers <- newer
	if got := <-again; got.err != nil {
		t.Error(got.err)
	}
}

// Two servers are never the primary at a time, even if a failover was forced on sentinels that could not agree on its number, or
// if the primary was moved to another address.
func TestAnotherAddressOfTheSameEpochIsAnotherPrimary(t *testing.T) {
	var answer servers
	m := newMoving(func(context.Context) (servers, error) { return answer, nil }, &transport{}, func() {})
	var conns []net.Conn
	for range 2 {
		answer = servers{[]string{listener(t)}, 1}
		conn, err := m.dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if _, err := conns[0].Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection to the former address: %v", err)
	}
	if _, err := io.WriteString(conns[1], "x"); err != nil {
		t.Errorf("the connection to the latter address: %v", err)
	}
}
