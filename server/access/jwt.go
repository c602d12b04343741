package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/fstore-dev/fstore"
)

// JWT says which JWTs are accepted.
type JWT struct {
	Issuer    string
	Audience  string
	ClockSkew time.Duration // how far the issuer's clock may be off
	// Keys reads the issuer's JSON Web Key Set.
	Keys func(ctx context.Context) ([]byte, error)
	// Every is the time between reads of the keys. A JWT with an unknown key causes one earlier, but not within Pause
	// of the last.
	Every, Pause time.Duration
}

// algorithms are those that JWTs may be signed with. All are asymmetric: with HS256, whoever can verify could sign.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// verifier finds the callers of JWTs.
type verifier struct {
	clock  func() time.Time
	skew   time.Duration
	pause  time.Duration
	parser *jwt.Parser
	keys   *followed[*keySet]
	cache  cache
	failed failures
}

func newVerifier(o *JWT, clock func() time.Time, log *slog.Logger) *verifier {
	v := &verifier{clock: clock, skew: o.ClockSkew, pause: o.Pause, cache: cache{callers: map[Digest]cached{}}, failed: failures{byPeer: map[netip.Prefix]*rate.Limiter{}}}
	v.parser = jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithIssuer(o.Issuer), jwt.WithAudience(o.Audience), jwt.WithExpirationRequired(),
		jwt.WithLeeway(o.ClockSkew), jwt.WithTimeFunc(clock), jwt.WithStrictDecoding(),
	)
	v.keys = &followed[*keySet]{
		text: Text[*keySet]{What: "the keys of JWTs", Read: o.Keys, Parse: parseKeys, Every: o.Every},
		log:  log, clock: clock, wanted: make(chan struct{}, 1), changed: v.cache.clear,
	}
	return v
}

// claims are the members of a JWT that matter here.
type claims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    scopes `json:"scope"`
}

// claimNames are the names of the claims that matter.
var claimNames = []string{"iss", "sub", "aud", "exp", "nbf", "client_id", "scope"}

// UnmarshalJSON implements json.Unmarshaler. Names of claims have case, which package json by itself does not mind.
func (c *claims) UnmarshalJSON(raw []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return !slices.Contains(claimNames, name) })
	exact, err := json.Marshal(members)
	if err != nil {
		return err
	}
	type plain claims
	return json.Unmarshal(exact, (*plain)(c))
}

// scopes is the claim scope: words separated by spaces (RFC 8693), or a list, which some issuers send.
type scopes []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scopes) UnmarshalJSON(raw []byte) error {
	var words string
	if json.Unmarshal(raw, &words) == nil {
		*s = strings.Fields(words)
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(s))
}

// identify returns the caller of a JWT. Checking a signature takes tens of microseconds, so a valid JWT is remembered, and
// an address that sends many others is refused without a check.
func (v *verifier) identify(credential, address string) (*Caller, error) {
	keys := v.keys.get()
	if keys == nil {
		v.wantKeys()
		return nil, keysAway()
	}
	digest := Digest(sha256.Sum256([]byte(credential)))
	if c := v.cache.get(digest, keys, v.clock()); c != nil {
		return c, nil
	}
	if !v.failed.mayTry(address, v.clock()) {
		return nil, tooManyJWTs()
	}
	var got claims
	token, err := v.parser.ParseWithClaims(credential, &got, keys.find)
	if errors.Is(err, jwkset.ErrKeyNotFound) && v.wantKeys() {
		return nil, keysAway()
	}
	if err != nil {
		if !errors.Is(err, jwt.ErrTokenMalformed) && !errors.Is(err, jwt.ErrTokenUnverifiable) { // its signature was checked
			v.failed.note(address, v.clock())
		}
		return nil, invalidJWT(err, got.name())
	}
	if _, critical := token.Header["crit"]; critical {
		return nil, refusedJWT(MalformedJWT, "has extensions that fstore does not know (crit)")
	}
	c := &Caller{Name: got.name(), By: ByJWT}
	if err := checkSubject(c.Name); err != nil {
		return nil, err
	}
	for _, word := range got.Scope {
		if g, err := ParseGrant(word); err == nil { // the others are for other services
			c.grants = append(c.grants, g)
		}
	}
	v.cache.put(digest, cached{c, keys, got.ExpiresAt.Add(v.skew)}, v.clock())
	return c, nil
}

// wantKeys has the keys read again, unless they were within the pause. It reports whether that happens or is under
// way. It does not wait: the goroutine that calls it may read the requests of a whole connection.
func (v *verifier) wantKeys() bool {
	looked := time.Unix(0, v.keys.looked.Load())
	if since := v.clock().Sub(looked); since >= 0 && since < v.pause {
		return false
	}
	select {
	case v.keys.wanted <- struct{}{}:
	default: // somebody else was first
	}
	return true
}

// name returns the name of the caller.
func (c *claims) name() string {
	if c.Subject != "" {
		return c.Subject
	}
	return c.ClientID
}

// maxSubject bounds the name of a caller. OpenID Connect allows 255 characters. A name that were cut could be the name
// of another caller.
const maxSubject = 255

// checkSubject returns an error unless a text can be the name of a caller.
func checkSubject(name string) error {
	switch {
	case name == "":
		return refusedJWT(MissingClaim, "names no caller: it has neither sub nor client_id")
	case len(name) > maxSubject:
		return refusedJWT(MalformedJWT, fmt.Sprintf("names its caller with %d bytes; the limit is %d", len(name), maxSubject))
	case strings.ContainsRune(name, utf8.RuneError): // it stands for bytes that are not UTF-8, whichever they were
		return refusedJWT(MalformedJWT, "names its caller with bytes that are not UTF-8")
	}
	return nil
}

func keysAway() error {
	return &Refused{Reason: KeysAway, err: fstore.Errorf(fstore.ErrUnavailable, "the keys of JWTs are being read")}
}

// invalidJWT says why a JWT is refused. What its claims say counts once its signature is right. A name counts only if its
// issuer is the one that is trusted.
func invalidJWT(err error, name string) error {
	if checkSubject(name) != nil {
		name = ""
	}
	switch {
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return refusedJWT(WrongIssuer, "is of another issuer")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return refusedJWT(MissingClaim, "lacks one of the claims exp, iss and aud")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refusedJWT(WrongAudience, "is for another audience").named(name, ByJWT)
	case errors.Is(err, jwt.ErrTokenExpired):
		return refusedJWT(ExpiredJWT, "has expired").named(name, ByJWT)
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return refusedJWT(EarlyJWT, "is not valid yet").named(name, ByJWT)
	case errors.Is(err, jwkset.ErrKeyNotFound):
		return refusedJWT(UnknownKey, "is not valid")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refusedJWT(BadSignature, "is not valid")
	}
	return refusedJWT(MalformedJWT, "is not valid")
}

func refusedJWT(why Reason, what string) *Refused {
	return refuse(why, "ask its issuer for a new one", "the JWT %s", what)
}

// maxCached bounds the JWTs that are remembered. Each takes some hundred bytes.
const maxCached = 4096

// cache remembers the callers of valid JWTs by digest.
type cache struct {
	mu      sync.RWMutex // guards callers
	callers map[Digest]cached
}

// cached is the caller of a JWT that the keys verified.
type cached struct {
	caller *Caller
	keys   *keySet
	until  time.Time
}

// get returns the caller of a JWT; nil if it is not known, has expired, or was verified by keys that were replaced.
func (c *cache) get(d Digest, keys *keySet, now time.Time) *Caller {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if found, ok := c.callers[d]; ok && found.keys == keys && now.Before(found.until) {
		return found.caller
	}
	return nil
}

// put remembers a caller. If there are too many, it forgets the expired ones that it meets, and one more.
func (c *cache) put(d Digest, one cached, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.callers) >= maxCached {
		for old, is := range c.callers {
			delete(c.callers, old)
			if now.Before(is.until) {
				break
			}
		}
	}
	c.callers[d] = one
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.callers)
}
