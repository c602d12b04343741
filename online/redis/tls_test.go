package redis_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
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

// Where one side speaks TLS and the other does not, or misses a certificate, the hint says what to change in the URL.
func TestWhereTLSMeetsPlainText(t *testing.T) {
	c, other := redistest.NewTLS(t, time.Now()), redistest.NewTLS(t, time.Now())
	secure, plain := overTLS(t, c), strings.TrimSuffix(strings.TrimPrefix(redistest.StartTCP(t), "redis://"), "/0")
	const soon = "dial_timeout=300ms&read_timeout=300ms&"
	sentinels := func(says script) string { return newScripted(t, says).addr }
	for name, u := range map[string]struct{ url, hint string }{
		"a server with TLS, a client without":      {"redis://" + secure, "rediss://"},
		"a client with TLS, a server without":      {"rediss://" + plain + "?" + soon + c.Options(), "redis://"},
		"a client without a certificate":           {"rediss://" + secure + "?tls_ca=" + c.CA, "?tls_cert=client.pem"},
		"a client with another's certificate":      {"rediss://" + secure + "?tls_ca=" + c.CA + "&tls_cert=" + other.ClientCert + "&tls_key=" + other.ClientKey, "tls_cert in the online store's URL must come from"},
		"sentinels with TLS, a client without":     {"redis+sentinel://" + secure + "/features", "rediss+sentinel://"},
		"a client with TLS, sentinels without":     {"rediss+sentinel://" + plain + "/features?" + c.Options(), "redis+sentinel://"},
		"sentinels that ask for a certificate":     {"rediss+sentinel://" + secure + "/features?tls_ca=" + c.CA, "?tls_cert=client.pem"},
		"a primary with TLS, a client without":     {"redis+sentinel://" + sentinels(script{primary: secure}) + "/features", "rediss+sentinel://"},
		"a replica with TLS, a client without":     {"redis+sentinel://" + sentinels(script{primary: plain, replica: secure}) + "/features", "rediss+sentinel://"},
		"a replica with TLS that look-ups may use": {"redis+sentinel://" + sentinels(script{primary: plain, replica: secure}) + "/features?read_from=replica", "rediss+sentinel://"},
	} {
		t.Run(name, func(t *testing.T) {
			warnings, err := open(t, u.url).Check(ctx)
			for _, w := range warnings {
				if errors.Is(w, online.ErrDegraded) {
					err = w
				}
			}
			if err == nil {
				t.Fatal("no error")
			}
			if _, hints := fstore.Explain(err); len(hints) != 1 || !strings.Contains(hints[0], u.hint) {
				t.Errorf("got %v, whose hints do not say %s", err, u.hint)
			}
		})
	}
}
