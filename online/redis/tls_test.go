package redis_test

import (
	"net"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// overTLS starts a server that speaks TLS, with further arguments, and returns its address.
func overTLS(t *testing.T, c *redistest.TLS, args ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	redistest.Start(t, append(append([]string{"--tls-port", port}, c.Args()...), args...)...)
	return addr
}

func TestOverTLS(t *testing.T) {
	c := redistest.NewTLS(t, time.Now())
	addr := overTLS(t, c, "--tls-auth-clients", "no")
	for name, err := range calls(open(t, "rediss://"+addr+"/0?tls_ca="+c.CA)) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range calls(open(t, "rediss://:secret@"+addr+"/0")) {
		t.Run("unknown authority "+name, func(t *testing.T) { isKind(t, err, fstore.ErrInvalid, "certificate") })
	}
}
