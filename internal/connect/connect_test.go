package connect

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/fstore-dev/fstore"
)

func TestTheTimeOfAnAnswer(t *testing.T) {
	for _, c := range []struct {
		args string
		want time.Duration
		says string
	}{
		{"--grpc 127.0.0.1:1", 0, ""}, // the client's default
		{"--grpc 127.0.0.1:1 --timeout 200ms", 200 * time.Millisecond, ""},
		{"--grpc 127.0.0.1:1 --timeout 1m", time.Minute, ""},
		{"--grpc 127.0.0.1:1 --timeout 0s", 0, "--timeout 0s leaves no time for an answer"},
		{"--grpc 127.0.0.1:1 --timeout soon", 0, "--timeout: "},
		{"--timeout 1s", 0, "--timeout has no effect without --grpc"},
	} {
		var f Flags
		cmd := &cobra.Command{}
		f.Add(cmd.Flags(), "")
		if err := cmd.Flags().Parse(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		err := f.Check(cmd, func(string) (string, bool) { return "", false }, func(string) bool { return true })
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || err == nil && f.limit != c.want {
			t.Errorf("%s: got %s, %v", c.args, f.limit, err)
		}
	}
}

// A server tells programs which header to send; who gave the command no token is told which flag.
func TestAMissingTokenHasAHint(t *testing.T) {
	refused := fstore.Errorf(fstore.ErrUnauthenticated, "the request has no credential")
	for _, c := range []struct {
		flags Flags
		err   error
		want  bool
	}{
		{Flags{}, refused, true},
		{Flags{token: "t"}, refused, false},
		{Flags{tokenFile: "t"}, refused, false},
		{Flags{}, fstore.Errorf(fstore.ErrUnauthenticated, "the server asks for a client certificate").WithHint("give one"), false},
		{Flags{}, fstore.Errorf(fstore.ErrForbidden, "no grant"), false},
	} {
		got := c.flags.Explain(c.err)
		if hinted := strings.Contains(got.Error(), "--token-file FILE"); hinted != c.want || !errors.Is(got, errors.Unwrap(c.err)) {
			t.Errorf("%v: got %v", c.err, got)
		}
	}
}
