package client

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// gRPC tells of a connection in texts that begin so, and a status that a server sent does not: errors of its transport, of
// its balancer and of its resolver, of a net.Conn that could not be written to, and alerts of TLS.
const (
	closing   = "closing transport due to: " // a connection error follows
	quoting   = "connection error: desc = "  // one of the other texts follows, in quotes
	dialing   = "transport: Error while dialing: "
	handshake = "transport: authentication handshake failed: "
	preface   = "transport: failed to write client preface: "
	answering = "error reading server preface: "
	reading   = "error reading from server: "
	writing   = "write tcp "
	alert     = "remote error: tls: "
)

// others are the further beginnings of texts about a connection that could not be made.
var others = []string{"transport: ", "name resolver error: ", "produced zero addresses", "last resolver error: ", "initial http2 frame from server"}

// losses are the beginnings of texts about a connection that was made, and lost with the call under way.
var losses = []string{
	reading, "transport is closing", "the connection is draining", "the stream is rejected because server is draining the connection",
	"keepalive ping failed", "closing connection since the server is not reading", "received goaway", "no active streams left to process",
}

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

// unreachable explains an error if no server answers at all, or its connection was lost: gRPC's text begins with its internals
// and ends with the cause. What it says is of this call; the connection itself may be dialing again.
func (c *Client) unreachable(err error) error {
	said, ours := unwrapped(err.Error())
	begins := func(with string) bool { return strings.HasPrefix(said, with) }
	why, failed := cutAny(said, handshake, preface, answering)
	failed = failed || begins(writing) || begins(alert) // it was connected, and then hung up on
	if failed {
		if mismatch := c.mismatch(why); mismatch != nil {
			return mismatch
		}
	}
	if slices.ContainsFunc(losses, begins) {
		return fstore.Errorf(fstore.ErrUnavailable, "the connection to the server at %s was lost: %s", c.address, strings.TrimPrefix(said, reading))
	}
	hint := "start one there with fstore serve, or use another address"
	switch {
	case !ours && !failed && !slices.ContainsFunc(others, begins):
		return err
	case failed && c.options.TLS == nil:
		hint = "the server may want TLS (fstore get: --tls or --tls-ca)"
	case failed: // a server that refuses a certificate may hang up before it says so
		hint = "the server may want another client certificate (fstore get: --tls-certificate and --tls-key)"
	}
	return fstore.Errorf(fstore.ErrUnavailable, "no server answers at %s: %s", c.address, strings.TrimPrefix(why, dialing)).WithHint("%s", hint)
}

// mismatch returns the error of a cause that no further attempt mends; nil if it is another.
func (c *Client) mismatch(cause string) error {
	for _, m := range mismatches {
		if strings.Contains(cause, m.cause) {
			what := m.what
			if _, detail, ok := strings.Cut(cause, "x509: "); ok {
				what += ": " + detail
			}
			return fstore.Errorf(m.kind, "the server at %s %s", c.address, what).WithHint("%s", m.hint)
		}
	}
	return nil
}

// unwrapped returns what gRPC says of a connection without its wrapping, and whether there was any.
func unwrapped(text string) (said string, was bool) {
	said, closes := strings.CutPrefix(text, closing)
	said = strings.TrimPrefix(said, "last connection error: ")
	quoted, is := strings.CutPrefix(said, quoting)
	if !is {
		return said, closes
	}
	if q, err := strconv.QuotedPrefix(quoted); err == nil {
		if plain, err := strconv.Unquote(q); err == nil {
			return plain, true
		}
	}
	return quoted, true
}

// cutAny returns a text without the first of several beginnings that it has, and whether it has one.
func cutAny(text string, beginnings ...string) (string, bool) {
	for _, b := range beginnings {
		if rest, ok := strings.CutPrefix(text, b); ok {
			return rest, true
		}
	}
	return text, false
}
