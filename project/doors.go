package project

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server"
)

// A port that carries data and that other machines can reach needs TLS and authentication. The settings may leave out
// either, each by its own name.

// tls returns the files for TLS. It does not read them: only serve needs them.
func (c *settingsCheck) tls() server.CertificateFiles {
	file := func(key string) string {
		if path := c.value(key); path != "" {
			return absolute(c.dir, path)
		}
		return ""
	}
	files := server.CertificateFiles{
		Certificate: file("serve.tls.certificate"), Key: file("serve.tls.key"), ClientCA: file("serve.tls.client_ca"),
	}
	switch {
	case files.Certificate != "" && files.Key == "":
		c.bad("serve.tls.certificate", "give the certificate's private key as serve.tls.key", "has no key")
	case files.Certificate == "" && files.Key != "":
		c.bad("serve.tls.key", "give the key's certificate as serve.tls.certificate", "has no certificate")
	case files.Certificate == "" && files.ClientCA != "":
		c.bad("serve.tls.client_ca", "give serve.tls.certificate and serve.tls.key", "has no effect without TLS")
	}
	return files
}

// certificates opens the files for TLS; nil without TLS.
func (s *Settings) certificates(clock func() time.Time) (*server.Certificates, error) {
	if s.TLS.Certificate == "" {
		return nil, nil
	}
	c, err := server.OpenCertificates(s.TLS, clock)
	var wrong *certfile.Error
	if errors.As(err, &wrong) {
		key := map[certfile.Role]string{
			certfile.Certificate: "serve.tls.certificate", certfile.Key: "serve.tls.key", certfile.CA: "serve.tls.client_ca",
		}[wrong.Role]
		return nil, s.checks.misset(key, wrong.Err.Message, wrong.Err.Hint)
	}
	return c, err
}

// listen listens on an address.
func (s *Settings) listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		const hint = "set %s to another address; port 0 takes a free one"
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fstore.Errorf(fstore.ErrConflict, "%s: %v", key, err).WithHint(hint, key)
		}
		return nil, s.checks.misset(key, err.Error(), fmt.Sprintf(hint, key))
	}
	return l, nil
}

// listenForData listens on an address of a port that carries data.
func (s *Settings) listenForData(key, address string) (net.Listener, error) {
	l, err := s.listen(key, address)
	if err != nil {
		return nil, err
	}
	if err := s.checkLocked(key, address, l.Addr()); err != nil {
		_ = l.Close() // nothing was accepted
		return nil, err
	}
	return l, nil
}

// checkLocked returns an error if other machines can reach an address, at which a listener is, without what the
// settings require of it.
func (s *Settings) checkLocked(key, address string, at net.Addr) error {
	if !isOpen(at) {
		return nil
	}
	what, hint := s.unlocked()
	if what == "" {
		return nil
	}
	return s.checks.misset(key, fmt.Sprintf("%s is open to other machines, %s", address, what), hint)
}

// isOpen reports whether other machines can reach the address of a listener.
func isOpen(a net.Addr) bool {
	at, ok := a.(*net.TCPAddr)
	return !ok || !at.IP.IsLoopback()
}

// unlocked returns what an open port lacks and that no setting leaves out, and a hint; or "".
func (s *Settings) unlocked() (what, hint string) {
	var lacks, hints []string
	if s.TLS.Certificate == "" && !s.InsecureNoTLS {
		lacks = append(lacks, "without TLS")
		hints = append(hints, "set serve.tls.certificate and serve.tls.key, or pass --insecure-no-tls (setting serve.insecure_no_tls) where a mesh or a proxy does TLS")
	}
	if !s.authenticated() && !s.NoAuth {
		lacks = append(lacks, "without authentication")
		hints = append(hints, "set serve.auth.tokens or serve.auth.jwt, or pass --no-auth (setting serve.no_auth) where everyone who can reach the port may ask")
	}
	if lacks == nil {
		return "", ""
	}
	return strings.Join(lacks, " and "), "listen on 127.0.0.1; or " + strings.Join(hints, "; and ")
}

// Warnings says in what respect the ports are less safe than they could be.
func (s *Server) Warnings() (all []string) {
	open := isOpen(s.grpc.Addr()) || isOpen(s.http.Addr())
	if open && s.settings.TLS.Certificate == "" {
		all = append(all, "there is no TLS: whoever can watch the network sees keys and values")
	}
	if open && !s.settings.authenticated() {
		all = append(all, "there is no authentication: this server answers everyone who can reach it")
	}
	for _, exposed := range []func() (warning, run string){s.settings.exposedKey, s.settings.exposedTokens} {
		if warning, run := exposed(); warning != "" {
			all = append(all, warning+": "+run)
		}
	}
	return all
}

// exposedKey returns a warning if all users of this machine can read the private key, and what to run; "" if they cannot.
func (s *Settings) exposedKey() (warning, run string) { return exposed("the private key", s.TLS.Key) }

// exposedTokens does it for the tokens file.
func (s *Settings) exposedTokens() (warning, run string) {
	return exposed("who has which grants in", s.Auth.Tokens)
}

func exposed(what, file string) (warning, run string) {
	if file == "" || !regular.IsExposed(file) {
		return "", ""
	}
	return "all users of this machine can read " + what + " " + file, "chmod o-r " + file
}
