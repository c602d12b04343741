package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	driver "github.com/redis/go-redis/v9"
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
		return nil, &handshakeError{addr, err}
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

// handshakeError is the error of a TLS handshake.
type handshakeError struct {
	addr string
	err  error
}

func (e *handshakeError) Error() string {
	return fmt.Sprintf("TLS handshake with %s: %v", e.addr, e.err)
}
func (e *handshakeError) Unwrap() error { return e.err }

const (
	hostHint  = "check host and port in the online store's URL"
	plainURL  = "begin the online store's URL with redis:// or redis+sentinel://"
	secureURL = "begin the online store's URL with rediss:// or rediss+sentinel://"
)

// alerts are the messages by which a server refuses a client's certificate, or misses one.
var alerts = []string{"certificate required", "bad certificate", "unknown certificate authority", "unsupported certificate", "expired certificate", "revoked certificate", "handshake failure"}

// explain returns a hint and the kind of an error that comes from TLS or from the lack of it, or may come from that. For any other
// error the kind is nil.
func (t *transport) explain(err error) (hint string, kind error) {
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		return "name its certificate authority in the online store's URL: ?tls_ca=ca.pem. If the certificate is for another name, name that: ?tls_server_name=NAME", fstore.ErrInvalid
	case errors.As(err, &plain):
		return "what answers there does not speak TLS: name its port for TLS, or " + plainURL, fstore.ErrInvalid
	case refusedCertificate(err):
		return "the server " + t.mismatch(err), fstore.ErrInvalid
	case foreign(err) && strings.Contains(err.Error(), `\x15\x03`): // an alert of TLS
		return hostHint + ". If they are right, the server speaks TLS: " + secureURL, fstore.ErrInvalid
	case foreign(err):
		return hostHint, fstore.ErrInvalid
	case t.config != nil && errors.Is(err, context.DeadlineExceeded) && !errors.As(err, new(*net.OpError)): // there was no connection yet
		return "the server may not speak TLS (then " + plainURL + "), or be overloaded or hung, or a firewall may drop its packets", fstore.ErrUnavailable
	case closed(err) && !errors.Is(err, errMoved) && !errors.Is(err, net.ErrClosed):
		return "the server closes connections when it restarts, when it reaches maxclients, and when it " + t.mismatch(err), fstore.ErrUnavailable
	}
	return "", nil
}

// mismatch says how a server and this client may differ, if the server closes the connection. An alert that says so may be lost.
func (t *transport) mismatch(err error) string {
	switch {
	case t.config == nil:
		return "speaks TLS and the client does not: then " + secureURL
	case errors.As(err, new(*handshakeError)) && !refusedCertificate(err):
		return "does not speak TLS: then " + plainURL
	case t.files.cert == "":
		return "asks for a client certificate: then add ?tls_cert=client.pem&tls_key=client.key to the online store's URL"
	}
	return "refuses the client certificate: tls_cert in the online store's URL must come from an authority in its tls-ca-cert-file, and be valid now"
}

// foreign reports whether the driver cannot parse what answers, which it marks in no other way.
func foreign(err error) bool {
	return strings.HasPrefix(err.Error(), "redis: ") && !errors.Is(err, driver.ErrClosed) && !errors.Is(err, driver.ErrPoolTimeout)
}

func refusedCertificate(err error) bool {
	_, alert, ok := strings.Cut(err.Error(), "remote error: tls: ") // crypto/tls has no type for it
	return ok && slices.ContainsFunc(alerts, func(a string) bool { return strings.HasPrefix(alert, a) })
}
