package project

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/audit"
)

// What serve would refuse, Doctor reports: it reads the same files and judges the addresses by the same rule, but
// listens on no port and creates no file.

// expirySoon is how long before the certificate expires Doctor warns.
const expirySoon = 7 * 24 * time.Hour

// certificates checks the files for TLS, if there are any.
func (e *examination) certificates() {
	s := e.p.Settings
	c, err := s.certificates(e.p.options.Clock)
	exposed, run := s.exposedKey()
	switch {
	case err != nil:
		e.wrong("TLS", err)
	case c == nil:
	case exposed != "":
		e.warn("TLS", run, "%s", exposed)
	case c.Expires().Sub(e.p.options.Clock()) < expirySoon:
		e.warn("TLS", "renew "+s.TLS.Certificate+": servers read it again while they run", "the certificate expires at %s", fstore.FormatTime(c.Expires()))
	default:
		e.ok("TLS", "the certificate expires at %s", fstore.FormatTime(c.Expires()))
	}
}

// callers checks what the server would know its callers by.
func (e *examination) callers(ctx context.Context) {
	s := e.p.Settings
	if s.Auth.Tokens != "" {
		if tokens, err := e.p.Tokens(); err != nil {
			e.wrong("authentication", s.misfile("serve.auth.tokens", err))
		} else if exposed, run := s.exposedTokens(); exposed != "" {
			e.warn("authentication", run, "%s", exposed)
		} else {
			e.ok("authentication", "%s has %s", s.Auth.Tokens, english.Count(len(tokens), "entry"))
		}
	}
	if s.Auth.Issuer == "" {
		return
	}
	text, err := s.Auth.jwt().Keys(ctx)
	if err == nil {
		err = access.CheckKeys(text)
	}
	if err != nil {
		e.wrong("authentication", s.misfile(jwtSettings+"jwks", err))
		return
	}
	e.ok("authentication", "the keys of JWTs can be read from %s", s.Auth.JWKS)
}

// auditable checks that the audit log can be written.
func (e *examination) auditable() {
	path := e.p.Settings.Audit
	if path == "" || path == auditStderr {
		return
	}
	f, err := os.OpenFile(path, audit.OpenFlags, 0)
	if errors.Is(err, fs.ErrNotExist) { // serve creates the file, but not its folder
		f, err = os.CreateTemp(filepath.Dir(path), ".fstore-doctor-*")
		if err == nil {
			err = os.Remove(f.Name())
		}
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		e.wrong("audit log", e.p.Settings.misaudit(err))
		return
	}
	e.ok("audit log", "%s can be written", path)
}

// addresses checks that serve may and can listen on its addresses. It listens on other ports of the same hosts: a
// server may be running.
func (e *examination) addresses() {
	s := e.p.Settings
	right := true
	for _, a := range []struct {
		key, address string
		open         func(key, address string, at net.Addr) error
	}{
		{"serve.grpc", s.GRPC, s.checkLocked},
		{"serve.http", s.HTTP, s.checkLocked},
		{"serve.metrics", s.Metrics, func(string, string, net.Addr) error { return nil }},
	} {
		host, _, err := net.SplitHostPort(a.address)
		if err != nil {
			continue // the settings were checked
		}
		l, err := s.listen(a.key, net.JoinHostPort(host, "0"))
		if err == nil {
			err = errors.Join(a.open(a.key, a.address, l.Addr()), l.Close())
		}
		if err != nil {
			right = false
			e.wrong("addresses", err)
		}
	}
	if right {
		e.ok("addresses", "grpc %s, http %s, metrics %s", s.GRPC, s.HTTP, s.Metrics)
	}
}

// misfile returns the error for a setting whose file, or URL, cannot be used. What may come back stays ErrUnavailable,
// and a mistake with a place in the file keeps it.
func (s *Settings) misfile(key string, err error) error {
	if errors.Is(err, fstore.ErrUnavailable) || errors.Is(err, fstore.ErrDefinition) {
		return err
	}
	message, hints := fstore.Explain(err)
	return s.checks.misset(key, message, strings.Join(hints, "; "))
}

// misaudit returns the error for an audit log that cannot be written.
func (s *Settings) misaudit(err error) error {
	return s.checks.misset("serve.audit", s.Audit+" cannot be written: "+regular.Cause(err).Error(), "name a file in a folder that exists, or stderr")
}
