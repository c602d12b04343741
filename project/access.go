package project

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/audit"
)

// control returns who may ask the server for what; nil if everybody may ask for everything.
func (s *Settings) control(ctx context.Context, clock func() time.Time, log *slog.Logger) (*access.Control, error) {
	if !s.authenticated() {
		return nil, nil
	}
	o := access.Options{Clock: clock, Logger: log}
	if path := s.Auth.Tokens; path != "" {
		o.Tokens = &access.Text[[]access.Token]{
			What:  "the tokens in " + path,
			Read:  func(context.Context) ([]byte, error) { return readTokens(path) },
			Parse: func(text []byte) ([]access.Token, error) { return tokensOf(path, text) },
		}
	}
	if s.Auth.Issuer != "" {
		o.JWT = s.Auth.jwt()
		if err := s.checkKeysFile(ctx, o.JWT); err != nil {
			return nil, err
		}
	}
	control, err := access.New(ctx, o)
	if err != nil {
		return nil, s.misfile("serve.auth.tokens", err)
	}
	return control, nil
}

// checkKeysFile returns what is wrong with a file of keys. An issuer's URL may come back.
func (s *Settings) checkKeysFile(ctx context.Context, j *access.JWT) error {
	if isURL(s.Auth.JWKS) {
		return nil
	}
	text, err := j.Keys(ctx)
	if err == nil {
		err = access.CheckKeys(text)
	}
	if err != nil {
		return s.misfile(jwtSettings+"jwks", err)
	}
	return nil
}

func tokensOf(path string, text []byte) ([]access.Token, error) {
	entries, err := parseTokens(path, text)
	out := make([]access.Token, len(entries))
	for i, e := range entries {
		out[i] = e.Token
	}
	return out, err
}

// How often keys are read. A file costs little. Issuers publish a new key long before they sign with it.
const (
	keysFileEvery = time.Second
	keysURLEvery  = 5 * time.Minute
	keysPause     = 10 * time.Second
)

func (a *AuthSettings) jwt() *access.JWT {
	j := &access.JWT{Issuer: a.Issuer, Audience: a.Audience, ClockSkew: a.ClockSkew, Every: keysFileEvery, Pause: keysPause}
	if isURL(a.JWKS) {
		j.Keys, j.Every = newKeysURL(a.JWKS).read, keysURLEvery
		return j
	}
	j.Keys = func(context.Context) ([]byte, error) {
		text, err := regular.ReadGuarded(a.JWKS, access.MaxKeySet)
		if err != nil {
			return nil, regular.ReadError(a.JWKS, err)
		}
		return text, nil
	}
	return j
}

// auditLog opens the audit log of a server; nil if there is none.
func (s *Settings) auditLog(stderr io.Writer, log *slog.Logger) (*audit.Log, error) {
	switch s.Audit {
	case "":
		return nil, nil
	case auditStderr:
		if stderr == nil {
			stderr = io.Discard
		}
		return audit.New(stderr, log), nil
	}
	l, err := audit.Open(s.Audit, log)
	if err != nil {
		return nil, s.misaudit(err)
	}
	return l, nil
}

func (s *Server) closeAudit() error {
	if s.audit == nil {
		return nil
	}
	return s.audit.Close()
}

// authenticated reports whether the server asks its callers for a credential.
func (s *Settings) authenticated() bool { return s.Auth.Tokens != "" || s.Auth.Issuer != "" }
