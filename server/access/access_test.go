package access

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// world is a Control whose clock, tokens and keys a test moves.
type world struct {
	*Control
	mu   sync.Mutex // guards the rest
	now  time.Time
	log  bytes.Buffer
	text string // of the tokens: that of the list is its name
	list map[string][]Token
	away error
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, list []Token, j *JWT) *world {
	t.Helper()
	w := &world{now: start, text: "first", list: map[string][]Token{"first": list}}
	o := Options{Clock: w.clock, Logger: slog.New(slog.NewTextHandler(w, nil)), JWT: j}
	if list != nil {
		o.Tokens = &Text[[]Token]{
			What: "the tokens",
			Read: func(context.Context) ([]byte, error) { return []byte(w.text), w.away },
			Parse: func(text []byte) ([]Token, error) {
				list, ok := w.list[string(text)]
				if !ok {
					return nil, fstore.Errorf(fstore.ErrDefinition, "tokens.yaml:3:5: the key is unknown")
				}
				return list, nil
			},
		}
	}
	var err error
	if w.Control, err = New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return w
}

// identify returns the caller of a credential.
func (w *world) identify(credential string) (*Caller, error) {
	if credential == "" {
		return w.Identify(Presented{})
	}
	return w.Identify(Presented{Authorization: []string{"Bearer " + credential}})
}

// wantRefused checks that a credential is refused with words.
func (w *world) wantRefused(t testing.TB, credential, want string) {
	t.Helper()
	c, err := w.identify(credential)
	if err == nil {
		t.Errorf("%.12s… is let in as %+v", credential, c)
	} else if !strings.Contains(err.Error(), want) || !errors.Is(err, fstore.ErrUnauthenticated) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func (w *world) wantCaller(t testing.TB, credential, want string) *Caller {
	t.Helper()
	c, err := w.identify(credential)
	if err != nil || c.Name != want {
		t.Fatalf("got %+v, %v, want %s", c, err, want)
	}
	return c
}

func TestATokenLeadsToItsCaller(t *testing.T) {
	token, digest := NewToken()
	other, _ := NewToken()
	w := newWorld(t, []Token{{Name: "fraud", Digest: digest, Grants: []Grant{grant(t, "online:read@shop/model:fraud")}, Expires: start.Add(time.Hour)}}, nil)
	c := w.wantCaller(t, token, "fraud")
	if err := c.May(Grant{Scope: OnlineRead, Project: "shop", Model: "fraud"}); err != nil || c.By != ByToken {
		t.Error(c, err)
	}
	err := c.May(Grant{Scope: OnlineRead, Project: "shop", Service: "churn"})
	if !errors.Is(err, fstore.ErrForbidden) || err.Error() != "the caller has no grant of online:read for service churn (ask for the grant online:read@PROJECT/service:NAME)" {
		t.Error(err)
	}
	w.wantRefused(t, other, "does not know this token")
	w.wantRefused(t, token[:len(token)-1], "does not know this token")
	w.wantRefused(t, "", "has no credential")
	w.wantRefused(t, "abc", "neither a token nor a JWT")
	w.wantRefused(t, "a.b.c", "neither a token nor a JWT")
	w.pass(time.Hour - time.Microsecond)
	w.wantCaller(t, token, "fraud")
	w.pass(time.Microsecond)
	w.wantRefused(t, token, "the token has expired")
}

func TestTokensAreReadAgain(t *testing.T) {
	one, first := NewToken()
	two, second := NewToken()
	all := []Grant{grant(t, "online:read@*")}
	w := newWorld(t, []Token{{Name: "one", Digest: first, Grants: all}}, nil)
	look := func(text string) {
		w.text = text
		_ = w.tokens.look(context.Background())
	}
	w.list["second"] = []Token{{Name: "two", Digest: second, Grants: all}}
	look("second")
	w.wantCaller(t, two, "two")
	w.wantRefused(t, one, "does not know")
	for range 3 {
		look("broken")
	}
	w.away = errors.New("permission denied")
	look("second")
	w.wantCaller(t, two, "two")
	w.away = nil
	look("first")
	w.wantCaller(t, one, "one")
	if got := strings.Count(w.log.String(), "tokens.yaml:3:5: the key is unknown"); got != 1 {
		t.Errorf("a broken file is logged %d times:\n%s", got, &w.log)
	}
	for _, want := range []string{"permission denied", "can be used again"} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &w.log)
		}
	}
}

func TestACertificateLeadsToItsCaller(t *testing.T) {
	all := []Grant{grant(t, "online:read@*")}
	w := newWorld(t, []Token{
		{Name: "spiffe", Certificate: "spiffe://shop/checkout", Grants: all},
		{Name: "dns", Certificate: "Checkout.shop.svc", Grants: all},
		{Name: "cn", Certificate: "CN=checkout", Grants: all},
		{Name: "old", Certificate: "CN=old", Grants: all, Expires: start},
	}, nil)
	uri, _ := url.Parse("spiffe://shop/checkout")
	for _, c := range []struct {
		certificate x509.Certificate
		want        string
	}{
		{x509.Certificate{URIs: []*url.URL{uri}, DNSNames: []string{"checkout.shop.svc"}}, "spiffe"},
		{x509.Certificate{DNSNames: []string{"checkout.shop.svc"}}, "dns"},
		{x509.Certificate{Subject: pkix.Name{CommonName: "checkout"}}, "cn"},
		{x509.Certificate{DNSNames: []string{"other.shop.svc"}, Subject: pkix.Name{CommonName: "other"}}, ""},
		{x509.Certificate{DNSNames: []string{"CN=checkout", "spiffe://shop/checkout"}}, ""}, // a DNS name is not a name of another kind
		{x509.Certificate{Subject: pkix.Name{CommonName: "checkout.shop.svc"}}, ""},
		{x509.Certificate{Subject: pkix.Name{CommonName: "old"}}, ""},
	} {
		got, err := w.Identify(Presented{Certificate: &c.certificate})
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.Name != c.want || got.By != ByCertificate) {
			t.Errorf("%v %v: got %+v, %v, want %q", c.certificate.DNSNames, c.certificate.Subject, got, err, c.want)
		}
	}
	// A bad token is not made good by a certificate.
	if _, err := w.Identify(Presented{Authorization: []string{"Bearer fst_x"}, Certificate: &x509.Certificate{Subject: pkix.Name{CommonName: "checkout"}}}); err == nil {
		t.Error("the certificate stands in for a bad token")
	}
}
