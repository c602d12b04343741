package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// What gRPC said of a call decides, by its beginning. What a server says of its own connections stays as it is.
func TestWhatGRPCSaysOfAConnectionDecides(t *testing.T) {
	c := &Client{address: "127.0.0.1:1"}
	for _, tt := range []struct{ said, want string }{
		{
			`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`,
			"no server answers at 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused",
		},
		{
			`connection error: desc = "error reading server preface: EOF"`,
			"no server answers at 127.0.0.1:1: EOF",
		},
		{
			"write tcp 127.0.0.1:2->127.0.0.1:1: write: broken pipe",
			"no server answers at 127.0.0.1:1: write tcp 127.0.0.1:2->127.0.0.1:1: write: broken pipe",
		},
		{
			`connection error: desc = "error reading from server: EOF"`,
			"the connection to the server at 127.0.0.1:1 was lost: EOF",
		},
		{"error reading from server: read tcp 1->2: connection reset by peer", "the connection to the server at 127.0.0.1:1 was lost: read tcp 1->2: connection reset"},
		{
			`closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: NO_ERROR, debug data: "bye"`,
			"the connection to the server at 127.0.0.1:1 was lost: EOF",
		},
		{`connection error: desc = "keepalive ping failed to receive ACK within timeout"`, "the connection to the server at 127.0.0.1:1 was lost: keepalive"},
		{"the connection is draining", "the connection to the server at 127.0.0.1:1 was lost: the connection is draining"},
		{"transport is closing", "the connection to the server at 127.0.0.1:1 was lost: transport is closing"},
		{"name resolver error: produced zero addresses", "no server answers at 127.0.0.1:1: name resolver error: produced zero addresses"},
		{
			`last connection error: connection error: desc = "transport: Error while dialing: dial tcp: lookup nowhere: no such host"`,
			"no server answers at 127.0.0.1:1: dial tcp: lookup nowhere: no such host",
		},
		{`connection error: desc = "transport: authentication handshake failed: say \"EOF\""`, `no server answers at 127.0.0.1:1: say "EOF"`},
		{"redis: connection error: the store is away", "redis: connection error: the store is away"},
		{"the store: error reading from server: EOF", "the store: error reading from server: EOF"},
		{"the store: write tcp 1->2: broken pipe", "the store: write tcp 1->2: broken pipe"},
		{`the store: connection error: desc = "transport is closing"`, `the store: connection error: desc = "transport is closing"`},
		{
			"the store: authentication handshake failed: tls: first record does not look like a TLS handshake",
			"the store: authentication handshake failed: tls: first record does not look like a TLS handshake",
		},
	} {
		err := c.unreachable(&fstore.Error{Kind: fstore.ErrUnavailable, Message: tt.said})
		if !errors.Is(err, fstore.ErrUnavailable) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.said, err)
		}
	}
}
