package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/github"
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

// statusOf returns the exit status of a kind of errors.
func statusOf(kind error) int {
	switch kind {
	case fstore.ErrUsage:
		return statusUsage
	case fstore.ErrCheck:
		return statusCheck
	case fstore.ErrDefinition:
		return statusDefinition
	case fstore.ErrConflict:
		return statusConflict
	case fstore.ErrUnavailable, fstore.ErrBusy, context.DeadlineExceeded:
		return statusUnavailable
	case fstore.ErrUnauthenticated, fstore.ErrForbidden:
		return statusDenied
	}
	return statusFailed
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
	_, kind := project.KindOf(err)
	return statusOf(kind)
}

// exitCode ends the program with a status and no message: for plan --detailed-exitcode, and for commands whose output
// already says what failed.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// interrupted is an error after the user has stopped the program.
type interrupted struct{ error }

func (e interrupted) Unwrap() error { return e.error }

// stopped is the last line of a command that a signal has stopped.
func (a *app) stopped() string {
	switch {
	case a.progressMode == progressJSON:
		return `{"error":{"kind":"stopped","message":"stopped"}}`
	case a.logsJSON():
		var line strings.Builder
		message{Error: &reported{Kind: "stopped", Message: "stopped"}}.log(a.loggerTo(&line), slog.LevelError)
		return strings.TrimSuffix(line.String(), "\n")
	}
	return "fstore: stopped"
}

// fail prints an error, if there is one, and returns the exit status.
func (a *app) fail(err error) int {
	code := status(err)
	var silent exitCode
	if err == nil || errors.As(err, &silent) {
		return code
	}
	var stopped interrupted
	if errors.As(err, &stopped) && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.stderr, a.stopped())
		return code
	}
	kind, _ := project.KindOf(err)
	var problems definition.Problems
	switch {
	case a.annotations != nil:
		a.annotate(github.Error, github.ProblemsOf(err))
	case errors.As(err, &problems) && a.reportsJSON():
		a.report(reported{Kind: kind, Message: english.Count(len(problems), "mistake") + " in the definitions", Problems: problems})
	case problems != nil:
		a.printProblems(problems)
	case a.reportsJSON():
		text, hints := fstore.Explain(err)
		a.report(reported{Kind: kind, Message: text, Hints: hints})
	default:
		a.printError(err)
	}
	return code
}

// printError prints an error, or several if several things are wrong, with hints.
func (a *app) printError(err error) {
	before := "fstore: "
	for _, one := range fstore.Separate(err) {
		message, hints := fstore.Explain(one)
		fmt.Fprintf(a.stderr, "%s%s\n", before, terminal.Indented(message))
		before = ""
		for _, h := range hints {
			fmt.Fprintf(a.stderr, "hint: %s\n", terminal.Indented(h))
		}
	}
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
