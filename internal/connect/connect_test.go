package connect

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
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
