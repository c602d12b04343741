package redistest

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/internal/certfile/certtest"
)

// TLS is a certificate authority, a certificate of servers at 127.0.0.1, and one of clients. Servers ask clients for a
// certificate.
type TLS struct {
	CA, Cert, Key         string // files; Cert is for 127.0.0.1 and for Name
	ClientCert, ClientKey string

	t testing.TB
}

// Name is a host name in the servers' certificate.
const Name = "redis.example"

// NewTLS makes a certificate authority and its certificates. They are valid for an hour from now.
func NewTLS(t testing.TB, now time.Time) *TLS {
	t.Helper()
	authority := certtest.New(t, "an authority", now)
	server, client := authority.Issue(t, Name), authority.Issue(t, "client")
	return &TLS{
		CA: authority.File, Cert: server.Certificate, Key: server.Key, ClientCert: client.Certificate, ClientKey: client.Key, t: t,
	}
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
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		c.t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(ca)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities, Certificates: []tls.Certificate{pair}, ServerName: "127.0.0.1"}
}
