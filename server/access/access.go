package access

import (
	"context"
	"crypto/x509"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fstore-dev/fstore"
)

// How says what a caller is known by.
type How string

// The ways to know a caller.
const (
	ByToken       How = "token"
	ByJWT         How = "jwt"
	ByCertificate How = "certificate"
)

// Caller is who sends a request. It is immutable.
type Caller struct {
	Name   string // of the token, of the certificate's entry, or the JWT's subject; unique together with By
	By     How
	grants []Grant
}

// May returns nil if a grant of the caller covers what is asked, and otherwise ErrForbidden.
func (c *Caller) May(asked Grant) error {
	for _, g := range c.grants {
		if g.Covers(asked) {
			return nil
		}
	}
	return forbidden(asked)
}

// MaySome returns nil if the caller has any grant of a scope in a project, even one for a single service or model.
func (c *Caller) MaySome(scope Scope, project string) error {
	for _, g := range c.grants {
		if g.Scope == scope && (g.Project == EveryProject || g.Project == project) {
			return nil
		}
	}
	return &Refused{Reason: NoGrant, err: fstore.Errorf(fstore.ErrForbidden, "the caller has no grant of %s", scope).
		WithHint("ask for the grant %s@PROJECT", scope)}
}

// Options configure a Control. At least one of Tokens and JWT is set.
type Options struct {
	Clock  func() time.Time
	Logger *slog.Logger
	Tokens *Text[[]Token] // nil: there are no tokens
	JWT    *JWT           // nil: JWTs are not accepted
}

// Control knows callers by their credentials. It is safe for concurrent use.
type Control struct {
	clock  func() time.Time
	tokens *followed[*tokens] // nil: there are none
	jwt    *verifier          // nil: JWTs are not accepted
}

// tick is how often texts that cost little are read again.
const tick = time.Second

// New reads the tokens and the keys of JWTs. It returns the error of tokens that cannot be used. Keys may be away: JWTs
// are ErrUnavailable until Run has read them.
func New(ctx context.Context, o Options) (*Control, error) {
	c := &Control{clock: o.Clock}
	if o.Tokens != nil {
		parse := func(text []byte) (*tokens, error) {
			list, err := o.Tokens.Parse(text)
			return newTokens(list), err
		}
		c.tokens = &followed[*tokens]{text: Text[*tokens]{What: o.Tokens.What, Read: o.Tokens.Read, Parse: parse, Every: tick}, log: o.Logger, clock: o.Clock, needed: true}
		if err := c.tokens.look(ctx); err != nil {
			return nil, err
		}
	}
	if o.JWT != nil {
		c.jwt = newVerifier(o.JWT, o.Clock, o.Logger)
		_ = c.jwt.keys.look(ctx) // it logs its errors, and Run looks again
	}
	return c, nil
}

// Failing reports, by source, whether its last read failed: "tokens", whose revocations then do not count, and "jwks",
// the keys of JWTs. A source that is not configured is missing.
func (c *Control) Failing() map[string]bool {
	out := map[string]bool{}
	if c.tokens != nil {
		out["tokens"] = c.tokens.failing.Load()
	}
	if c.jwt != nil {
		out["jwks"] = c.jwt.keys.failing.Load()
	}
	return out
}

// Waits reports whether the server can let nobody in yet: it accepts only JWTs, and their keys have not been read yet.
func (c *Control) Waits() bool { return c.tokens == nil && c.jwt != nil && c.jwt.keys.get() == nil }

// Run keeps tokens and keys up to date until ctx ends.
func (c *Control) Run(ctx context.Context) {
	var group sync.WaitGroup
	if c.tokens != nil {
		group.Go(func() { c.tokens.run(ctx) })
	}
	if c.jwt != nil {
		group.Go(func() { c.jwt.keys.run(ctx) })
	}
	group.Wait()
}

// Presented is what a request shows of its caller.
type Presented struct {
	Authorization []string          // the values of that header
	Certificate   *x509.Certificate // of the client, verified; nil: it has none
	Address       string            // the IP address that the request came from
}

// Identify returns the caller of a request, by its credential or else by its client certificate. The error is
// ErrUnauthenticated, ErrUnavailable while the keys of JWTs are not known, or ErrBusy for an address that sends too many
// JWTs that are not valid. RefusedOf says more about it.
func (c *Control) Identify(p Presented) (*Caller, error) {
	credential, err := Bearer(p.Authorization)
	switch {
	case err != nil:
		return nil, err
	case strings.HasPrefix(credential, tokenPrefix):
		if c.tokens == nil {
			return nil, unknownToken()
		}
		return c.tokens.get().identify(credential, c.clock())
	case strings.Count(credential, ".") == 2 && c.jwt != nil:
		return c.jwt.identify(credential, p.Address)
	case credential != "":
		return nil, malformed("the credential is neither a token nor a JWT that the server accepts")
	case p.Certificate != nil && c.tokens != nil:
		return c.tokens.get().certified(p.Certificate, c.clock())
	}
	return nil, refuse(NoCredential, bearerHint, "the request has no credential")
}
