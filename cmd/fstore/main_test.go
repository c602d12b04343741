package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
)

// stuck is a program with a command that never returns, as the engine's parser may not.
func stuck() {
	ctx, stop := untilSignal()
	defer stop()
	a := &app{}
	defer a.endWithin(ctx)()
	fmt.Println("started")
	select {}
}

// A command that does not return ends all the same once it is told to, and a second signal ends it at once.
func TestASignalEndsWhatDoesNotReturn(t *testing.T) {
	for _, c := range []struct {
		name    string
		signals []syscall.Signal
		want    string
	}{
		{"terminated", []syscall.Signal{syscall.SIGTERM}, "exit status 1"},
		{"interrupted", []syscall.Signal{syscall.SIGINT}, "exit status 1"},
		{"twice", []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGTERM}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "stuck")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
				t.Fatalf("printed %q (%v)", line, err)
			}
			for _, s := range c.signals {
				_ = cmd.Process.Signal(s) // it may be gone by the last
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || c.want != "" && exit.Error() != c.want {
				t.Errorf("ended with %v, want %s", err, c.want)
			}
			if c.want != "" && stderr.String() != "fstore: stopped\n" {
				t.Errorf("said %q", &stderr)
			}
		})
	}
}
