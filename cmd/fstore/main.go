// Command fstore is the feature store's command line. It only wires the packages together: it reads settings, opens
// what a command needs, calls one package and prints what came back. What a command does is in that package.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit status. Results go to stdout, everything else to stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGXFSZ) // beyond a limit on the size of files a write then fails, where a thread of the engine's would die
	context.AfterFunc(ctx, stop)   // a second signal ends the program at once, whatever it waits for
	a := &app{
		stdin: stdin, stdout: stdout, stderr: stderr,
		lookup: os.LookupEnv, environ: os.Environ, now: time.Now,
	}
	root := a.command()
	strict(root)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = interrupted{err}
	}
	code := a.fail(err)
	if code != statusDone && !errors.Is(err, planChanged) && slices.ContainsFunc(args, detailed) {
		return statusFailed // 2 says that there are changes, so no mistake may
	}
	return code
}

// detailed reports whether an argument asks for the exit statuses of plan --detailed-exitcode.
func detailed(arg string) bool {
	name, value, _ := strings.Cut(arg, "=")
	return name == "--detailed-exitcode" && value != "false"
}
