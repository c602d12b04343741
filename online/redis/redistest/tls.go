package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
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

// TLS is a certificate authority, a certificate of servers at 127.0.0.1, and one of clients. Servers ask clients for a
// certificate.
type TLS struct {
	CA, Cert, Key         string // files; Cert is for 127.0.0.1 and for Name
	ClientCert, ClientKey string

	authority *x509.Certificate
	key       *ecdsa.PrivateKey
	t         testing.TB
}

// Name is a host name in the servers' certificate.
const Name = "redis.example"

// NewTLS makes a certificate authority and its certificates.
func NewTLS(t testing.TB) *TLS {
	t.Helper()
	c := &TLS{t: t}
	c.authority = c.template("an authority")
	c.authority.IsCA, c.authority.BasicConstraintsValid, c.authority.KeyUsage = true, true, x509.KeyUsageCertSign
	c.key = c.newKey()
	dir := t.TempDir()
	c.CA = filepath.Join(dir, "ca.pem")
	c.write(c.CA, "CERTIFICATE", c.sign(c.authority, c.key))
	c.Cert, c.Key = c.Issue("server")
	c.ClientCert, c.ClientKey = c.Issue("client")
	return c
}

// Issue makes another certificate, with its key, for servers and clients.
func (c *TLS) Issue(name string) (cert, key string) {
	c.t.Helper()
	secret := c.newKey()
	template := c.template(name)
	template.IPAddresses, template.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{Name}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	dir := c.t.TempDir()
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	c.write(cert, "CERTIFICATE", c.sign(template, secret))
	der, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(key, "EC PRIVATE KEY", der)
	return cert, key
}

// Options are the options of a URL for a client that has a certificate.
func (c *TLS) Options() string {
	return "tls_ca=" + c.CA + "&tls_cert=" + c.ClientCert + "&tls_key=" + c.ClientKey
}

// Args are the arguments of a server.
func (c *TLS) Args() []string {
	return []string{"--tls-cert-file", c.Cert, "--tls-key-file", c.Key, "--tls-ca-cert-file", c.CA}
}

func (c *TLS) lines() []string {
	return []string{"tls-cert-file " + c.Cert, "tls-key-file " + c.Key, "tls-ca-cert-file " + c.CA}
}

func (c *TLS) client() *tls.Config {
	pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
	if err != nil {
		c.t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AddCert(c.authority)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities, Certificates: []tls.Certificate{pair}, ServerName: "127.0.0.1"}
}

func (c *TLS) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	return key
}

func (c *TLS) template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		c.t.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (c *TLS) sign(template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, template, c.authority, &key.PublicKey, c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	if template == c.authority {
		if c.authority, err = x509.ParseCertificate(der); err != nil {
			c.t.Fatal(err)
		}
	}
	return der
}

func (c *TLS) write(path, kind string, der []byte) {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		c.t.Fatal(err)
	}
}
