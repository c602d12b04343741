package main

import (
	"context"
	"errors"
	"fmt"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/registry/definition"
)

// The exit statuses (docs/cli.md).
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2
	statusDefinition  = 3
	statusCheck       = 4
	statusConflict    = 5
	statusUnavailable = 6
	statusDenied      = 7
)

// statuses maps kinds of errors to exit statuses. The first match counts. Any other error is statusFailed.
var statuses = []struct {
	kind   error
	status int
}{
	{fstore.ErrUsage, statusUsage},
	{fstore.ErrCheck, statusCheck},
	{fstore.ErrDefinition, statusDefinition},
	{fstore.ErrConflict, statusConflict},
	{fstore.ErrUnavailable, statusUnavailable},
	{fstore.ErrBusy, statusUnavailable},
	{context.DeadlineExceeded, statusUnavailable},
	{fstore.ErrUnauthenticated, statusDenied},
	{fstore.ErrForbidden, statusDenied},
}

// status returns the exit status of an error.
func status(err error) int {
	var code exitCode
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &code):
		return int(code)
	}
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			return s.status
		}
	}
	return statusFailed
}

// exitCode ends the program with a status and no message: for plan --detailed-exitcode, and for commands whose output
// already says what failed.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// interrupted is an error after the user has stopped the program.
type interrupted struct{ error }

func (e interrupted) Unwrap() error { return e.error }

// fail prints an error, if there is one, and returns the exit status.
func (a *app) fail(err error) int {
	code := status(err)
	var silent exitCode
	if err == nil || errors.As(err, &silent) {
		return code
	}
	var stopped interrupted
	if errors.As(err, &stopped) && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.stderr, "fstore: stopped")
		return code
	}
	var problems definition.Problems
	if errors.As(err, &problems) {
		a.printProblems(problems)
		return code
	}
	before := "fstore: "
	for _, one := range fstore.Separate(err) {
		message, hints := fstore.Explain(one)
		fmt.Fprintf(a.stderr, "%s%s\n", before, terminal.Indented(message))
		before = ""
		for _, h := range hints {
			fmt.Fprintf(a.stderr, "hint: %s\n", terminal.Indented(h))
		}
	}
	return code
}

// printProblems prints mistakes in definitions. Each line begins with the position in the form that editors read.
func (a *app) printProblems(problems definition.Problems) {
	fmt.Fprintf(a.stderr, "fstore: %s in the definitions\n", english.Count(len(problems), "mistake"))
	for _, p := range problems {
		fmt.Fprintf(a.stderr, "%s: %s\n", terminal.InCell(p.Pos.String()), terminal.Indented(p.Message))
		if p.Hint != "" {
			fmt.Fprintf(a.stderr, "        %s\n", terminal.Indented(p.Hint))
		}
	}
}
