package client

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"google.golang.org/grpc"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// bearer is gRPC's credentials for one attempt of a call: a token.
type bearer struct {
	token string
	plain bool // the token may be sent in plain text
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. gRPC then refuses to send the token without TLS.
func (b bearer) RequireTransportSecurity() bool { return !b.plain }

// String keeps the token out of what is printed.
func (bearer) String() string { return "bearer token" }

// authorize returns the option that sends the client's token with a call; nil if it has none. The error never repeats
// the token.
func (c *Client) authorize(ctx context.Context) (grpc.CallOption, error) {
	token := c.options.Token
	if from := c.options.TokenFrom; from != nil {
		var err error
		if token, err = from(ctx); err != nil {
			return nil, fmt.Errorf("get a token: %w", err)
		}
	}
	if token == "" {
		return nil, nil
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the token is not one word of ASCII").WithHint("without line ends and quotation marks")
	}
	return grpc.PerRPCCredentials(bearer{token, c.plain}), nil
}

// TokenFile returns a function for Options.TokenFrom that reads a token from a file, each time anew. It leaves out white
// space around the token.
func TokenFile(path string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		text, err := regular.Read(path, maxTokenFile)
		if err != nil {
			return "", regular.ReadError(path, err)
		}
		token := strings.TrimSpace(string(text))
		if token == "" {
			return "", fstore.Errorf(fstore.ErrInvalid, "%s is empty", path)
		}
		return token, nil
	}
}

const maxTokenFile = 64 << 10

// checkToken returns what is wrong with the options for tokens of a connection to an address.
func (o *Options) checkToken(address string) error {
	switch {
	case o.Token != "" && o.TokenFrom != nil:
		return fstore.Errorf(fstore.ErrInvalid, "both Token and TokenFrom are set").WithHint("set one")
	case o.hasToken() && o.TLS == nil && len(o.Dial) == 0 && !o.sendsPlain(address):
		return fstore.Errorf(ErrPlainToken, "%s: the token would be sent in plain text to another machine", address).
			WithHint("set Options.TLS, or Options.PlainToken where a mesh encrypts")
	}
	return nil
}

// ErrPlainToken is the kind of Open's error for a token that would be sent to another machine in plain text. It is an
// fstore.ErrInvalid.
var ErrPlainToken = fmt.Errorf("%w: a token in plain text", fstore.ErrInvalid)

func (o *Options) hasToken() bool { return o.Token != "" || o.TokenFrom != nil }

// sendsPlain reports whether tokens may be sent to an address without TLS.
func (o *Options) sendsPlain(address string) bool { return o.PlainToken || isLocal(address) }

// isLocal reports whether an address is surely of this machine.
func isLocal(address string) bool {
	if strings.HasPrefix(address, "unix://") { // unix:6566 is a port of a machine named unix
		return true
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(address, "passthrough:///"))
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
