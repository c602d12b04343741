package access

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fstore-dev/fstore"
)

func TestARefusalHasAReason(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	token, digest := NewToken()
	stranger, _ := NewToken()
	w := newWorld(t, []Token{
		{Name: "old", Digest: digest, Expires: start}, {Name: "old certificate", Certificate: "CN=old", Expires: start},
	}, &JWT{Issuer: ourIssuer, Audience: ourAudience, Keys: i.read, Every: time.Hour, Pause: time.Hour})
	change := func(f func(jwt.MapClaims)) string { return sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), f) }
	set := func(claim string, value any) string { return change(func(c jwt.MapClaims) { c[claim] = value }) }
	named := func(name string) *x509.Certificate { return &x509.Certificate{Subject: pkix.Name{CommonName: name}} }
	for _, c := range []struct {
		credential  string
		certificate *x509.Certificate
		want        Reason
		name        string
		by          How
	}{
		{"", nil, NoCredential, "", ""},
		{"hunter2", nil, MalformedCredential, "", ""},
		{"two words", nil, MalformedCredential, "", ""},
		{stranger, nil, UnknownToken, "", ""},
		{token, nil, ExpiredToken, "old", ByToken},
		{"", named("x"), UnknownCertificate, "", ""},
		{"", named("old"), ExpiredCertificate, "old certificate", ByCertificate},
		{"a.b.c", nil, MalformedJWT, "", ""},
		{sign(t, jwt.SigningMethodRS256, "nope", rsaKey(), nil), nil, UnknownKey, "", ""},
		{sign(t, jwt.SigningMethodRS256, "rsa", otherKey(), nil), nil, BadSignature, "", ""},
		{set("exp", start.Unix()), nil, ExpiredJWT, "fraud", ByJWT},
		{set("nbf", start.Add(time.Hour).Unix()), nil, EarlyJWT, "fraud", ByJWT},
		{set("aud", "other"), nil, WrongAudience, "fraud", ByJWT},
		{set("iss", "other"), nil, WrongIssuer, "", ""},
		{change(func(c jwt.MapClaims) { c["iss"], c["exp"] = "other", start.Unix() }), nil, WrongIssuer, "", ""},
		{change(func(c jwt.MapClaims) { c["exp"], c["sub"] = start.Unix(), strings.Repeat("x", 256) }), nil, ExpiredJWT, "", ByJWT},
		{change(func(c jwt.MapClaims) { delete(c, "exp") }), nil, MissingClaim, "", ""},
		{set("sub", strings.Repeat("x", 256)), nil, MalformedJWT, "", ""},
		{set("sub", "a\ufffd"), nil, MalformedJWT, "", ""},
	} {
		p := Presented{Certificate: c.certificate}
		if c.credential != "" {
			p.Authorization = []string{"Bearer " + c.credential}
		}
		_, err := w.Identify(p)
		got := RefusedOf(err)
		if got.Reason != c.want || got.Name != c.name || got.By != c.by || !errors.Is(err, fstore.ErrUnauthenticated) {
			t.Errorf("%.40q: got %q %q %q, %v; want %q %q", c.credential, got.Reason, got.Name, got.By, err, c.want, c.name)
		}
	}
	if got := RefusedOf((&Caller{}).May(Grant{Scope: OnlineRead})); got.Reason != NoGrant {
		t.Errorf("got %q without a grant", got.Reason)
	}
}

// Two subjects are two callers, also where they are long.
func TestLongSubjectsStayApart(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	w := i.trusting(t)
	for _, last := range []string{"a", "b"} {
		name := strings.Repeat("x", maxSubject-1) + last
		w.wantCaller(t, sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), func(c jwt.MapClaims) { c["sub"] = name }), name)
	}
	w.wantRefused(t, sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), func(c jwt.MapClaims) { c["sub"] = strings.Repeat("x", maxSubject+1) }), "with 256 bytes; the limit is 255")
}
