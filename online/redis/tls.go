package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"

	"github.com/fstore-dev/fstore"
)

// tlsFiles are the TLS options of a URL.
type tlsFiles struct{ ca, cert, key, serverName string }

// transport opens connections to servers and sentinels. It reads its files for each connection, so a certificate can
// be renewed while fstore runs.
type transport struct {
	config *tls.Config // nil: no TLS
	files  tlsFiles
}

func (t *transport) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	config, err := t.configFor(addr)
	if err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil || config == nil {
		return c, err
	}
	secure := tls.Client(c, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = c.Close() // nothing was sent
		return nil, err
	}
	return secure, nil
}

// configFor returns the configuration for a server. Its errors are ErrInvalid.
func (t *transport) configFor(addr string) (*tls.Config, error) {
	if t.config == nil {
		return nil, nil
	}
	config := t.config.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	if t.files.ca != "" {
		pem, err := os.ReadFile(t.files.ca)
		if err != nil {
			return nil, fstore.Errorf(fstore.ErrInvalid, "tls_ca: %v", err).WithHint("tls_ca in the online store's URL names a file of certificates, in PEM")
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fstore.Errorf(fstore.ErrInvalid, "tls_ca: %s has no certificate in PEM", t.files.ca).WithHint("tls_ca in the online store's URL names a file of certificates, in PEM")
		}
	}
	if t.files.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.files.cert, t.files.key)
		if err != nil {
			return nil, fstore.Errorf(fstore.ErrInvalid, "tls_cert %s and tls_key %s: %v", t.files.cert, t.files.key, err).
				WithHint("they must be a certificate and its key, in PEM, that this process may read")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
