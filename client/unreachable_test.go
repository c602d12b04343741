package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// A client without a connection stands for one that is dialing again when its call has failed.
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
		{"redis: connection error: the store is away", "redis: connection error: the store is away"},
	} {
		err := c.unreachable(&fstore.Error{Kind: fstore.ErrUnavailable, Message: tt.said})
		if !errors.Is(err, fstore.ErrUnavailable) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.said, err)
		}
	}
}
