// Package certtest makes certificates for tests: CAs, and what they issue, as PEM files.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA issues certificates.
type CA struct {
	File string // its own certificate

	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	now         time.Time
	issued      int64
}

// Pair names the files of a certificate and its key.
type Pair struct{ Certificate, Key string }

// New returns a CA whose files are in a folder of the test. It is valid for an hour from now, as is what it issues.
func New(t testing.TB, name string, now time.Time) *CA {
	t.Helper()
	ca := &CA{dir: t.TempDir(), key: newKey(t), now: now}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca.certificate = sign(t, template, template, ca.key, ca.key)
	ca.File = write(t, filepath.Join(ca.dir, "ca.pem"), "CERTIFICATE", ca.certificate.Raw)
	return ca
}

// Issue returns a certificate for localhost, the addresses of loopback and the name. A server and a client may use it.
func (ca *CA) Issue(t testing.TB, name string) Pair {
	t.Helper()
	return ca.IssueUntil(t, name, ca.now.Add(time.Hour))
}

// IssueUntil is Issue with the end of validity, which may have passed.
func (ca *CA) IssueUntil(t testing.TB, name string, end time.Time) Pair {
	t.Helper()
	ca.issued++
	key := newKey(t)
	c := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1 + ca.issued), Subject: pkix.Name{CommonName: name}, NotBefore: end.Add(-2 * time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames: []string{"localhost", name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, ca.certificate, key, ca.key)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(ca.dir, name+c.SerialNumber.String())
	return Pair{write(t, base+".pem", "CERTIFICATE", c.Raw), write(t, base+".key", "PRIVATE KEY", secret)}
}

// Copy puts the files of a pair in the place of another's, each atomically.
func (p Pair) Copy(t testing.TB, to Pair) {
	t.Helper()
	for from, to := range map[string]string{p.Key: to.Key, p.Certificate: to.Certificate} {
		Copy(t, from, to)
	}
}

// Copy puts a file's text in the place of another, atomically.
func Copy(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t testing.TB, path, kind string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
