// Package certfile reads TLS certificates and private keys from PEM files. Its errors say what is wrong with which
// file and what to do. They never hold any text of a file.
package certfile

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// Role is what a file is for. It is the last part of a setting's or a flag's name.
type Role string

// The roles.
const (
	Certificate Role = "certificate" // of the server or the client itself, followed by its chain
	Key         Role = "key"         // private key of that certificate
	CA          Role = "ca"          // certificates of the CAs that the other side's certificate must come from
)

// Error is what is wrong with a file, or that it is missing. Its kind is fstore.ErrInvalid.
type Error struct {
	Role Role
	Err  *fstore.Error
}

// Error returns the message and the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the fstore.Error.
func (e *Error) Unwrap() error { return e.Err }

const maxBytes = 1 << 20 // of a file

// Pair reads a certificate with its chain, and its private key. Both must be named, and the certificate must be valid
// now, unless now is zero.
func Pair(certificate, key string, now time.Time) (*tls.Certificate, error) {
	switch {
	case certificate == "":
		return nil, wrong(Certificate, "is missing beside the key "+key, "name the file of the certificate that belongs to the key")
	case key == "":
		return nil, wrong(Key, "is missing beside the certificate "+certificate, "name the file of the certificate's private key")
	}
	certificates, err := read(Certificate, certificate)
	if err != nil {
		return nil, err
	}
	chain, err := parse(Certificate, certificate, certificates)
	if err != nil {
		return nil, err
	}
	if err := current(certificate, chain[0], now); err != nil {
		return nil, err
	}
	secret, err := read(Key, key)
	if err != nil {
		return nil, err
	}
	if what, hint := notKey(secret); what != "" {
		return nil, wrong(Key, key+" "+what, hint)
	}
	// The standard library's error would do, but what it quotes is not ours to promise.
	pair, err := tls.X509KeyPair(certificates, secret)
	if err != nil {
		return nil, wrong(Key, key+" is not the private key of the certificate "+certificate, "give the key that the certificate was requested with, and the server's own certificate as the first in its file")
	}
	return &pair, nil
}

// Pool reads the certificates of CAs. At least one must not have expired now, unless now is zero.
func Pool(path string, now time.Time) (*x509.CertPool, error) {
	text, err := read(CA, path)
	if err != nil {
		return nil, err
	}
	all, err := parse(CA, path, text)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	var expired error
	for _, c := range all {
		if now.After(c.NotAfter) {
			expired = wrong(CA, path+" has only expired certificates, the last until "+fstore.FormatTime(c.NotAfter), "give the CA's current certificate")
			continue
		}
		pool.AddCert(c)
	}
	if pool.Equal(x509.NewCertPool()) {
		return nil, expired
	}
	return pool, nil
}

func wrong(role Role, what, hint string) error {
	name := map[Role]string{Certificate: "the certificate ", Key: "the key ", CA: "the CA file "}[role]
	return &Error{role, fstore.Errorf(fstore.ErrInvalid, "%s%s", name, what).WithHint("%s", hint)}
}

func read(role Role, path string) ([]byte, error) {
	open := regular.Read
	if role == Key {
		open = regular.ReadGuarded
	}
	text, err := open(path, maxBytes)
	if err != nil {
		message, hints := fstore.Explain(regular.ReadError(path, err))
		if len(hints) == 0 {
			hints = []string{"name a PEM file that this user may read"}
		}
		return nil, wrong(role, message, strings.Join(hints, "; "))
	}
	return text, nil
}

// parse returns the certificates in a PEM file, which has at least one.
func parse(role Role, path string, text []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, wrong(role, path+" has a certificate that cannot be parsed", "check it with: openssl x509 -noout -text -in "+path)
		}
		all = append(all, c)
	}
	if all != nil {
		return all, nil
	}
	what, hint := " has no certificate in PEM format", "PEM begins with -----BEGIN CERTIFICATE-----"
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		what, hint = " has a private key but no certificate", "give the certificate here, and the key where the key belongs"
	} else if _, err := x509.ParseCertificate(text); err == nil {
		what, hint = " is in DER format, not PEM", "convert it with: openssl x509 -inform der -in "+path
	}
	return nil, wrong(role, path+what, hint)
}

func current(path string, c *x509.Certificate, now time.Time) error {
	switch {
	case now.IsZero():
	case now.After(c.NotAfter):
		return wrong(Certificate, path+" expired at "+fstore.FormatTime(c.NotAfter), "renew it")
	case now.Before(c.NotBefore):
		return wrong(Certificate, path+" is not valid before "+fstore.FormatTime(c.NotBefore), "check this machine's clock, or wait")
	}
	return nil
}

// notKey returns why a text is not a private key in PEM format and a hint, or "".
func notKey(text []byte) (what, hint string) {
	what, hint = "has no private key in PEM format", "PEM begins with -----BEGIN PRIVATE KEY-----"
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return "is encrypted with a passphrase", "decrypt it with openssl pkey, and protect the file by its mode"
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return "", ""
		case block.Type == "CERTIFICATE":
			what, hint = "has a certificate but no private key", "give the key here, and the certificate where the certificate belongs"
		}
	}
	return what, hint
}
