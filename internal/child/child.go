// Package child runs a command that must not outlive this process, nor take its processor time: with a lower priority,
// and, on Linux, killed with it.
package child

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Command is a command to run.
type Command struct {
	Path     string
	Args     []string // without the name of the command
	Env      []string
	Patience time.Duration           // after SIGTERM, before SIGKILL
	Line     func(line []byte) error // gets each line of stderr; its error stops the command
}

const (
	nice      = 10
	maxLine   = 16 << 20 // bytes of a line of stderr
	maxStdout = 64 << 20
)

// ErrOutput is the error for a command that prints too much.
var ErrOutput = errors.New("the command printed more than it should")

// Run runs a command to its end, and returns what it printed to stdout. When ctx ends, it stops the command. It returns
// once the command has ended. The error is ctx's, that of Line, an *exec.ExitError, or says why the command did not start.
func Run(ctx context.Context, c Command) (stdout []byte, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The command inherits the thread's priority, and dies with the thread. The thread ends with this goroutine,
		// since nothing unlocks it.
		runtime.LockOSThread()
		stdout, err = run(ctx, c)
	}()
	<-done
	return stdout, err
}

func run(ctx context.Context, c Command) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, c.Path, c.Args...) //nolint:gosec // G204: its callers check the arguments, and no shell reads them
	cmd.Env = c.Env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = c.Patience
	out := &limited{}
	cmd.Stdout = out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	lower(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	started(cmd)
	var group sync.WaitGroup
	group.Go(func() {
		if err := eachLine(stderr, c.Line); err != nil {
			cancel(err)
			_, _ = io.Copy(io.Discard, stderr) // so that the command does not wait for a reader
		}
	})
	group.Wait() // before Wait, which closes the pipe
	err = cmd.Wait()
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return nil, cause
	}
	if out.over && err == nil {
		return nil, ErrOutput
	}
	return out.text.Bytes(), err
}

func eachLine(r io.Reader, line func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if err := line(bytes.Clone(lines.Bytes())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// limited holds what a command prints.
type limited struct {
	text bytes.Buffer
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.text.Len()+len(p) > maxStdout {
		l.over = true
		return len(p), nil
	}
	return l.text.Write(p)
}
