package access

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fstore-dev/fstore"
)

// issuer signs JWTs and publishes its keys.
type issuer struct {
	mu    sync.Mutex // guards the rest
	keys  map[string]crypto.Signer
	away  error
	reads atomic.Int32
}

var (
	rsaKey   = sync.OnceValue(func() crypto.Signer { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	otherKey = sync.OnceValue(func() crypto.Signer { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	ecKey    = sync.OnceValue(func() crypto.Signer { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
	edKey    = sync.OnceValue(func() crypto.Signer { _, k, _ := ed25519.GenerateKey(rand.Reader); return k })
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk returns a public key as a member of a key set.
func jwk(kid string, key crypto.PublicKey) map[string]any {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "kid": kid, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, _ := k.Bytes()
		return map[string]any{"kty": "EC", "kid": kid, "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": b64(k)}
	}
	panic("no such key")
}

func keySetOf(keys ...map[string]any) []byte {
	text, _ := json.Marshal(map[string]any{"keys": keys})
	return text
}

func (i *issuer) set(keys map[string]crypto.Signer, away error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys, i.away = keys, away
}

func (i *issuer) read(context.Context) ([]byte, error) {
	i.reads.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []map[string]any
	for kid, k := range i.keys {
		all = append(all, jwk(kid, k.Public()))
	}
	return keySetOf(all...), i.away
}

const (
	ourIssuer   = "https://issuer.example.com"
	ourAudience = "fstore"
)

// trusting returns a world that accepts the JWTs of an issuer.
func (i *issuer) trusting(t testing.TB) *world {
	t.Helper()
	return newWorld(t, nil, &JWT{Issuer: ourIssuer, Audience: ourAudience, ClockSkew: time.Minute, Keys: i.read, Every: time.Hour, Pause: 10 * time.Second})
}

func usualClaims() jwt.MapClaims {
	return jwt.MapClaims{"iss": ourIssuer, "aud": ourAudience, "sub": "fraud", "exp": start.Add(time.Hour).Unix(), "scope": "openid online:read@shop/model:fraud online:read@other"}
}

// sign returns a JWT of claims that change makes.
func sign(t testing.TB, method jwt.SigningMethod, kid string, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := maps.Clone(usualClaims())
	if change != nil {
		change(claims)
	}
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAJWTLeadsToItsCaller(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey(), "ec": ecKey(), "ed": edKey()}}
	w := i.trusting(t)
	for _, c := range []struct {
		method jwt.SigningMethod
		kid    string
		key    crypto.Signer
	}{
		{jwt.SigningMethodRS256, "rsa", rsaKey()},
		{jwt.SigningMethodPS512, "rsa", rsaKey()},
		{jwt.SigningMethodES256, "ec", ecKey()},
		{jwt.SigningMethodEdDSA, "ed", edKey()},
	} {
		text := sign(t, c.method, c.kid, c.key, nil)
		for range 2 { // the second time it is remembered
			caller := w.wantCaller(t, text, "fraud")
			if caller.By != ByJWT || caller.May(Grant{OnlineRead, "shop", "", "fraud"}) != nil || caller.May(Grant{OnlineRead, "shop", "", "other"}) == nil {
				t.Errorf("%s: %+v", c.method.Alg(), caller)
			}
		}
	}
	w.wantCaller(t, sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), func(c jwt.MapClaims) { delete(c, "sub"); c["client_id"] = "batch" }), "batch")
	list := w.wantCaller(t, sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), func(c jwt.MapClaims) { c["scope"] = []string{"online:read@shop"} }), "fraud")
	if list.May(Grant{OnlineRead, "shop", "", ""}) != nil {
		t.Errorf("%+v", list)
	}
	w.wantCaller(t, sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), func(c jwt.MapClaims) { c["aud"] = []string{"other", ourAudience} }), "fraud")
}

func TestJWTsThatAreRefused(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey(), "ec": ecKey()}}
	w := i.trusting(t)
	change := func(f func(jwt.MapClaims)) string { return sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), f) }
	good := change(nil)
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	critical := jwt.NewWithClaims(jwt.SigningMethodRS256, usualClaims())
	critical.Header["kid"], critical.Header["crit"] = "rsa", []string{"b64"}
	criticalText, _ := critical.SignedString(rsaKey())
	public, _ := json.Marshal(jwk("rsa", rsaKey().Public()))
	for name, c := range map[string]struct{ text, want string }{
		"expired":            {change(func(c jwt.MapClaims) { c["exp"] = start.Add(-time.Minute).Unix() }), "has expired"},
		"no exp":             {change(func(c jwt.MapClaims) { delete(c, "exp") }), "lacks one of the claims"},
		"not yet":            {change(func(c jwt.MapClaims) { c["nbf"] = start.Add(61 * time.Second).Unix() }), "is not valid yet"},
		"issuer":             {change(func(c jwt.MapClaims) { c["iss"] = ourIssuer + "/" }), "is of another issuer"},
		"no issuer":          {change(func(c jwt.MapClaims) { delete(c, "iss") }), "lacks one of the claims"},
		"audience":           {change(func(c jwt.MapClaims) { c["aud"] = "other" }), "is for another audience"},
		"no audience":        {change(func(c jwt.MapClaims) { delete(c, "aud") }), "lacks one of the claims"},
		"nobody":             {change(func(c jwt.MapClaims) { delete(c, "sub") }), "names no caller"},
		"another key":        {sign(t, jwt.SigningMethodRS256, "rsa", otherKey(), nil), "is not valid"},
		"no kid of two keys": {sign(t, jwt.SigningMethodRS256, "", rsaKey(), nil), "is not valid"},
		"none":               {sign(t, jwt.SigningMethodNone, "rsa", jwt.UnsafeAllowNoneSignatureType, nil), "is not valid"},
		"HS256 by n":         {sign(t, jwt.SigningMethodHS256, "rsa", rsaKey().Public().(*rsa.PublicKey).N.Bytes(), nil), "is not valid"},
		"HS256 by the JWK":   {sign(t, jwt.SigningMethodHS256, "rsa", public, nil), "is not valid"},
		"RS256 with EC kid":  {sign(t, jwt.SigningMethodRS256, "ec", rsaKey(), nil), "is not valid"},
		"a critical header":  {criticalText, "has extensions"},
		"no signature":       {head + "." + body + ".", "is not valid"},
		"another body":       {head + "." + body[:len(body)-4] + "AAAA." + signature, "is not valid"},
		"padding":            {head + "." + body + "." + signature + "=", "is not valid"},
		"not JSON":           {"a.b.c", "is not valid"},
	} {
		t.Run(name, func(t *testing.T) { w.wantRefused(t, c.text, c.want) })
	}
	w.wantCaller(t, change(func(c jwt.MapClaims) { c["exp"] = start.Add(-59 * time.Second).Unix() }), "fraud") // within the skew
}

// Names of claims have case: an issuer may let its users choose others than those that it guards.
func TestClaimsAreThoseOfTheirExactNames(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	w := i.trusting(t)
	change := func(f func(jwt.MapClaims)) string { return sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), f) }
	caller, err := w.identify(change(func(c jwt.MapClaims) {
		delete(c, "scope")
		c["Scope"], c["SUB"], c["Client_ID"] = "online:read@*", "admin", "admin"
	}))
	if err != nil || caller.Name != "fraud" || caller.May(Grant{Scope: OnlineRead, Project: "shop"}) == nil {
		t.Errorf("%+v, %v", caller, err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"exp":      {change(func(c jwt.MapClaims) { c["exp"], c["EXP"] = 1, c["exp"] }), "has expired"},
		"nbf":      {change(func(c jwt.MapClaims) { c["nbf"], c["Nbf"] = c["exp"], 1 }), "is not valid yet"},
		"iss":      {change(func(c jwt.MapClaims) { c["iss"], c["iSs"] = "other", ourIssuer }), "is of another issuer"},
		"aud":      {change(func(c jwt.MapClaims) { delete(c, "aud"); c["Aud"] = ourAudience }), "lacks one of the claims"},
		"huge exp": {change(func(c jwt.MapClaims) { c["exp"] = 1e30 }), "has expired"},
		"text exp": {change(func(c jwt.MapClaims) { c["exp"] = "soon" }), "is not valid"},
		"list sub": {change(func(c jwt.MapClaims) { c["sub"] = []string{"a", "b"} }), "is not valid"},
		"scope":    {change(func(c jwt.MapClaims) { c["scope"] = map[string]any{"a": []string{"online:read@*"}} }), "is not valid"},
	} {
		t.Run(name, func(t *testing.T) { w.wantRefused(t, c.text, c.want) })
	}
}

func TestARememberedJWTExpires(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	w := i.trusting(t)
	text := sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), nil)
	w.wantCaller(t, text, "fraud")
	w.pass(time.Hour + 59*time.Second)
	w.wantCaller(t, text, "fraud")
	w.pass(time.Second)
	w.wantRefused(t, text, "has expired")
}

func TestKeysRotate(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"first": rsaKey()}}
	w := i.trusting(t)
	before, after := sign(t, jwt.SigningMethodRS256, "first", rsaKey(), nil), sign(t, jwt.SigningMethodRS256, "second", otherKey(), nil)
	w.wantCaller(t, before, "fraud")
	i.set(map[string]crypto.Signer{"second": otherKey()}, nil)
	running, end := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { w.Run(running) })
	defer group.Wait()
	defer end()
	w.wantRefused(t, after, "is not valid") // the keys were read just now
	w.pass(10 * time.Second)
	if _, err := w.identify(after); !errors.Is(err, fstore.ErrUnavailable) {
		t.Fatal(err) // so that the caller tries again
	}
	for reads := i.reads.Load(); reads < 2; reads = i.reads.Load() {
		time.Sleep(time.Millisecond)
	}
	for {
		if _, err := w.identify(after); err == nil {
			break
		}
	}
	w.wantRefused(t, before, "is not valid") // although it was remembered
}

func TestTheLastKeysServeWhileTheIssuerIsAway(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	w := i.trusting(t)
	text := sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), nil)
	i.set(nil, errors.New("dial tcp: refused"))
	for range 3 {
		_ = w.jwt.keys.look(t.Context())
	}
	i.set(nil, nil) // a set without keys is no set
	_ = w.jwt.keys.look(t.Context())
	w.wantCaller(t, text, "fraud")
	if n := strings.Count(w.log.String(), "dial tcp: refused"); n != 1 {
		t.Errorf("%d lines:\n%s", n, &w.log)
	}
}

func TestAServerWithoutKeysAsksToTryAgain(t *testing.T) {
	i := &issuer{away: errors.New("dial tcp: refused")}
	w := i.trusting(t)
	if _, err := w.identify(sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), nil)); !errors.Is(err, fstore.ErrUnavailable) {
		t.Error(err)
	}
}

// Ten thousand keys that nobody has cause one read for each pause, whatever the number of callers.
func TestUnknownKeysCauseFewReads(t *testing.T) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey()}}
	w := i.trusting(t)
	running, end := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { w.Run(running) })
	first := sign(t, jwt.SigningMethodRS256, "rsa", rsaKey(), nil)
	_, rest, _ := strings.Cut(first, ".")
	w.pass(10 * time.Second)
	var callers sync.WaitGroup
	var unavailable atomic.Int32
	for c := range 4 {
		callers.Go(func() {
			for n := range 2500 {
				head := b64([]byte(fmt.Sprintf(`{"alg":"RS256","kid":"%d-%d"}`, c, n)))
				if _, err := w.identify(head + "." + rest); errors.Is(err, fstore.ErrUnavailable) {
					unavailable.Add(1)
				} else if !errors.Is(err, fstore.ErrUnauthenticated) {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	end()
	group.Wait()
	// One when the server began, and one or two for the first unknown key: the signal for a second may wait while the first
	// is read.
	if reads := i.reads.Load(); reads > 3 {
		t.Errorf("%d reads", reads)
	}
	t.Logf("%d reads, %d callers asked to try again", i.reads.Load(), unavailable.Load())
}

func TestKeysThatDoNotCount(t *testing.T) {
	short := map[string]any{"kty": "RSA", "kid": "short", "n": b64(new(big.Int).Lsh(big.NewInt(1), 1023).Bytes()), "e": "AQAB"}
	encrypts := jwk("enc", rsaKey().Public())
	encrypts["use"] = "enc"
	for name, set := range map[string][]byte{
		"no JSON":   []byte("<html>"),
		"no keys":   []byte(`{"keys":[]}`),
		"symmetric": keySetOf(map[string]any{"kty": "oct", "kid": "a", "k": b64([]byte("planted secret"))}),
		"short":     keySetOf(short), "encrypts": keySetOf(encrypts), "unknown": keySetOf(map[string]any{"kty": "NEW"}),
		"many": keySetOf(make([]map[string]any, maxKeys+1)...),
	} {
		if err := CheckKeys(set); !errors.Is(err, fstore.ErrInvalid) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckKeys(keySetOf(short, map[string]any{"kty": "NEW"}, jwk("ed", edKey().Public()))); err != nil {
		t.Errorf("one good key is not enough: %v", err)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := cache{callers: map[Digest]cached{}}
	keys := &keySet{}
	for n := range 3 * maxCached {
		c.put(DigestOf(fmt.Sprint(n)), cached{&Caller{}, keys, start.Add(time.Hour)}, start)
	}
	if len(c.callers) > maxCached {
		t.Errorf("%d", len(c.callers))
	}
}

// FuzzJWT checks that no text that the issuer has not signed is let in, and that no error repeats it.
func FuzzJWT(f *testing.F) {
	i := &issuer{keys: map[string]crypto.Signer{"ed": edKey()}}
	w := i.trusting(f)
	good := sign(f, jwt.SigningMethodEdDSA, "ed", edKey(), nil)
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(b64([]byte(`{"alg":"HS256","kid":"ed"}`)) + "." + b64([]byte(`{"sub":"x"}`)) + ".AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		caller, err := w.jwt.identify(text, "")
		if err == nil && text != good {
			t.Fatalf("%q is let in as %+v", text, caller)
		}
		if err != nil && len(text) > 30 && strings.Contains(err.Error(), text) {
			t.Errorf("%v repeats %q", err, text)
		}
	})
}

// What a credential costs a call: nothing, a token, a JWT that is remembered, and one that is new.
func BenchmarkIdentify(b *testing.B) {
	i := &issuer{keys: map[string]crypto.Signer{"rsa": rsaKey(), "ec": ecKey()}}
	token, digest := NewToken()
	w := newWorld(b, []Token{{Name: "a", Digest: digest, Grants: []Grant{{Scope: OnlineRead, Project: "shop"}}}},
		&JWT{Issuer: ourIssuer, Audience: ourAudience, Keys: i.read, Every: time.Hour, Pause: time.Hour})
	for name, c := range map[string]struct {
		text  string
		fresh bool
	}{
		"token": {token, false}, "JWT remembered": {sign(b, jwt.SigningMethodRS256, "rsa", rsaKey(), nil), false},
		"JWT RS256": {sign(b, jwt.SigningMethodRS256, "rsa", rsaKey(), nil), true}, "JWT ES256": {sign(b, jwt.SigningMethodES256, "ec", ecKey(), nil), true},
	} {
		header := []string{"Bearer " + c.text}
		asked := Grant{Scope: OnlineRead, Project: "shop", Model: "fraud"}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c.fresh {
					w.jwt.cache.clear()
				}
				caller, err := w.Identify(Presented{Authorization: header})
				if err == nil {
					err = caller.May(asked)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
