package client

import (
	"strings"

	"google.golang.org/grpc/connectivity"

	"github.com/fstore-dev/fstore"
)

// Parts of gRPC's text about a connection that failed. The cause follows them.
const (
	afterDial      = "Error while dialing: "
	afterHandshake = "authentication handshake failed: "
	afterPreface   = "error reading server preface: "
	afterWrite     = "failed to write client preface: "
	afterRead      = "error reading from server: "
)

// Beginnings of gRPC's texts about a connection. A status that a server sent does not begin so.
const (
	ofConnection = "connection error: desc = "
	ofHangUp     = "write tcp " // it was connected, and then hung up on
)

// mismatches are causes that another address or other options mend, and no further attempt. A server that refuses the
// client's certificate refuses the caller; everything else is a mistake in the address or the options.
var mismatches = []struct {
	kind              error
	cause, what, hint string
}{
	{fstore.ErrInvalid, "looked like an HTTP/1.1 header", "is not a gRPC server: it speaks HTTP/1.1", "give the address that fstore serve prints after grpc"},
	{fstore.ErrInvalid, "first record does not look like a TLS handshake", "does not speak TLS", "connect in plain text (fstore get: without the --tls flags), or set serve.tls.certificate and serve.tls.key of the server"},
	{fstore.ErrInvalid, "missing selected ALPN property", "is not a gRPC server: it speaks TLS but not HTTP/2", "give the address that fstore serve prints after grpc"},
	{fstore.ErrInvalid, "no application protocol", "is not a gRPC server: it speaks TLS but not HTTP/2", "give the address that fstore serve prints after grpc"},
	{fstore.ErrUnauthenticated, "certificate required", "asks for a client certificate", "give one and its key (fstore get: --tls-certificate and --tls-key)"},
	{fstore.ErrUnauthenticated, "tls: expired certificate", "refuses the client's certificate, because it has expired", "renew it"},
	{fstore.ErrUnauthenticated, "remote error: tls: unknown certificate", "refuses the client's certificate", "give one that comes from a CA in the server's serve.tls.client_ca"},
	{fstore.ErrUnauthenticated, "remote error: tls: bad certificate", "refuses the client's certificate", "give one that comes from a CA in the server's serve.tls.client_ca"},
	{fstore.ErrInvalid, "certificate signed by unknown authority", "has a certificate of a CA that is not trusted here", "give the CA's certificate (fstore get: --tls-ca FILE)"},
	{fstore.ErrInvalid, "certificate has expired or is not yet valid", "has a certificate that is not valid now", "renew it on the server, or check this machine's clock"},
	{fstore.ErrInvalid, "x509: certificate is valid for", "has a certificate for other names", "use such a name as the address, or state it (fstore get: --tls-server-name)"},
	{fstore.ErrInvalid, "x509: cannot validate certificate for", "has a certificate for other names", "use such a name as the address, or state it (fstore get: --tls-server-name)"},
	{fstore.ErrInvalid, "x509: certificate is not valid for any names", "has a certificate without names", "renew it with the server's host as a subject alternative name"},
}

// unreachable explains an error if no server answers at all: gRPC's text begins with its internals and ends with the
// cause.
func (c *Client) unreachable(err error) error {
	why := err.Error()
	_, cause, failed := cutAny(why, afterHandshake, afterPreface, afterWrite)
	if strings.HasPrefix(why, "remote error: ") {
		cause, failed = why, true
	}
	if failed {
		cause = strings.TrimSuffix(cause, `"`)
		// The state does not matter here: the connection may be dialing again.
		for _, m := range mismatches {
			if strings.Contains(cause, m.cause) {
				what := m.what
				if _, detail, ok := strings.Cut(cause, "x509: "); ok {
					what += ": " + detail
				}
				return fstore.Errorf(m.kind, "the server at %s %s", c.address, what).WithHint("%s", m.hint)
			}
		}
	}
	if _, cause, lost := strings.Cut(why, afterRead); lost {
		cause, _, _ = strings.Cut(cause, `"`)
		return fstore.Errorf(fstore.ErrUnavailable, "the connection to the server at %s was lost: %s", c.address, cause)
	}
	hungUp := strings.HasPrefix(why, ofHangUp)
	if !hungUp && !strings.HasPrefix(why, ofConnection) && !c.disconnected() {
		return err
	}
	if _, dialing, ok := strings.Cut(why, afterDial); ok {
		cause = strings.TrimSuffix(dialing, `"`)
	} else if hungUp {
		cause, failed = why, true
	}
	hint := "start one there with fstore serve, or use another address"
	switch {
	case failed && c.options.TLS == nil:
		why, hint = cause, "the server may want TLS (fstore get: --tls or --tls-ca)"
	case failed: // a server that refuses a certificate may hang up before it says so
		why, hint = cause, "the server may want another client certificate (fstore get: --tls-certificate and --tls-key)"
	case cause != "":
		why = cause
	}
	return fstore.Errorf(fstore.ErrUnavailable, "no server answers at %s: %s", c.address, why).WithHint("%s", hint)
}

// disconnected reports whether the last attempt to connect failed. It is of now, not of the call that failed: by then
// the connection may be dialing again.
func (c *Client) disconnected() bool {
	return c.conn != nil && c.conn.GetState() == connectivity.TransientFailure
}

// cutAny cuts a text at the first of several separators that it has.
func cutAny(text string, separators ...string) (before, after string, found bool) {
	for _, s := range separators {
		if before, after, found = strings.Cut(text, s); found {
			return before, after, true
		}
	}
	return "", "", false
}
