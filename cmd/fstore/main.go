// Command fstore is the feature store's command line. It only wires the packages together: it reads settings, opens
// what a command needs, calls one package and prints the result. The packages do the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// clock is the time of day. Tests replace it.
var clock = time.Now

// tracePatience is how long the program's end waits for a collector of traces. 0 is the usual time. Tests replace it.
var tracePatience time.Duration

// run is the whole program: it returns the exit status. Results go to stdout, everything else to stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal()
	defer stop()
	a := &app{
		stdin: stdin, lookup: os.LookupEnv, environ: os.Environ, now: clock,
	}
	out, messages := terminal.NewScreen(stdout, nil), terminal.NewScreen(stderr, a.mask)
	a.stdout, a.stderr = out, messages
	defer a.endWithin(ctx)()
	root := a.command()
	usage.Strict(root)
	root.SetArgs(args)
	err := errors.Join(root.ExecuteContext(ctx), out.Close())
	if err != nil && ctx.Err() != nil {
		err = interrupted{err}
	}
	code := a.fail(err)
	_ = messages.Close()
	if code != statusDone && !errors.Is(err, planChanged) && slices.ContainsFunc(args, detailed) {
		return statusFailed // 2 means that there are changes, so no mistake may use it
	}
	return code
}

// untilSignal returns a context that ends with the first signal to stop. The second signal ends the program at once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	signal.Ignore(syscall.SIGXFSZ) // beyond a file size limit, a write then fails; otherwise the engine's thread would die
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// patience is how long a command may take to end after a signal. Some calls cannot be interrupted: the engine's
// parser, or a read from a network file system. Every command can be killed at any time without losing anything, so
// the program ends without waiting for them.
const patience = 700 * time.Millisecond

// endWithin ends the program patience after ctx has ended, unless the function that it returns was called before. A
// draining server has no such limit.
func (a *app) endWithin(ctx context.Context) (returned func() bool) {
	return context.AfterFunc(ctx, func() {
		if a.drains.Load() {
			return
		}
		time.Sleep(patience)
		fmt.Fprintln(os.Stderr, a.stopped()) // not a.stderr, which the command may be using
		os.Exit(statusFailed)
	})
}

// detailed reports whether an argument requests the exit statuses of plan --detailed-exitcode.
func detailed(arg string) bool {
	name, value, _ := strings.Cut(arg, "=")
	return name == "--detailed-exitcode" && value != "false"
}
