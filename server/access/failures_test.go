package access

import (
	"crypto"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// forged returns a JWT with a known key and a signature that is not the key's.
func forged(t testing.TB, n int) string {
	text := sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), nil)
	signature := make([]byte, 256)
	binary.BigEndian.PutUint64(signature[1:], uint64(n))
	return text[:strings.LastIndexByte(text, '.')+1] + b64(signature)
}

// Made-up JWTs cost the checks of some signatures a second, and their address alone is refused for them.
func TestForgedJWTsCostFewChecks(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	w := i.trusting(t)
	ask := func(address, credential string) Reason {
		_, err := w.Identify(Presented{Authorization: []string{"Bearer " + credential}, Address: address})
		return RefusedOf(err).Reason
	}
	remembered := sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), nil)
	if got := ask("192.0.2.1", remembered); got != "" {
		t.Fatal(got)
	}
	text := forged(t, 1)
	count := func(n int, addresses ...string) (checked int) {
		for k := range n {
			switch got := ask(addresses[k%len(addresses)], text); got {
			case BadSignature:
				checked++
			case TooManyJWTs:
			default:
				t.Fatalf("got %q", got)
			}
		}
		return checked
	}
	if got := count(1000, "192.0.2.1"); got != failuresPerSecond {
		t.Errorf("%d signatures were checked", got)
	}
	if got := count(1000, "2001:db8::1", "2001:db8::2"); got != failuresPerSecond {
		t.Errorf("%d signatures were checked for one network", got)
	}
	other := sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), func(c jwt.MapClaims) { c["sub"] = "other" })
	for _, c := range []struct {
		address, credential string
		want                Reason
	}{
		{"192.0.2.1", remembered, ""}, {"192.0.2.1", other, TooManyJWTs}, {"192.0.2.2", other, ""},
	} {
		if got := ask(c.address, c.credential); got != c.want {
			t.Errorf("%s: got %q, want %q", c.address, got, c.want)
		}
	}
	w.pass(FailuresRetry)
	if got := count(10, "192.0.2.1"); got != 1 {
		t.Errorf("%d signatures were checked after a pause", got)
	}
}

func TestFailingAddressesAreForgotten(t *testing.T) {
	f := failures{byPeer: map[netip.Prefix]*rate.Limiter{}}
	for n := range 3 * maxFailing {
		f.note(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}).String(), start)
	}
	if n := len(f.byPeer); n > maxFailing {
		t.Errorf("%d addresses are remembered", n)
	}
	f.note("192.0.2.1", start.Add(time.Hour)) // the others have sent nothing since
	if n := len(f.byPeer); n != 1 {
		t.Errorf("%d addresses are remembered after a pause", n)
	}
}

// What a made-up JWT with a known key costs: the check of its signature, and then nothing.
func BenchmarkForged(b *testing.B) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	w := i.trusting(b)
	header := []string{"Bearer " + forged(b, 1)}
	for name, pause := range map[string]time.Duration{"checked": time.Second, "refused unchecked": 0} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.pass(pause)
				if _, err := w.Identify(Presented{Authorization: header, Address: "192.0.2.1"}); err == nil {
					b.Fatal("it is let in")
				}
			}
		})
	}
}
