package fstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// The kinds of failure that every part distinguishes. Wrap them with %w and test with errors.Is. One table maps them
// to gRPC codes (server) and one to exit statuses (cmd/fstore).
var (
	// ErrInvalid: the caller's input cannot be used: a bad argument, column, label file or value.
	ErrInvalid = errors.New("invalid")
	// ErrUsage: an argument, flag or setting that a person gave cannot be used.
	ErrUsage = errors.New("wrong usage")
	// ErrDefinition: a definition in a feature repo is wrong.
	ErrDefinition = errors.New("definition is wrong")
	// ErrNotFound: a name, version or file that was asked for does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict: somebody else was first: a lease is held, the registry has changed, a writer was fenced off.
	ErrConflict = errors.New("conflict")
	// ErrNotReady: the request is valid, but a command must run before it can be answered (not published yet).
	ErrNotReady = errors.New("not ready")
	// ErrUnavailable: a store cannot be reached or is overloaded; the same call may succeed later.
	ErrUnavailable = errors.New("unavailable")
	// ErrBusy: a server has as much to do as it can, or the caller sends more than it may; the same call may succeed later.
	ErrBusy = errors.New("busy")
	// ErrCorrupt: stored bytes cannot be decoded.
	ErrCorrupt = errors.New("corrupt")
	// ErrTooLarge: a request, its answer, or the memory or disk that it needs exceeds a limit.
	ErrTooLarge = errors.New("too large")
	// ErrUnauthenticated: the server does not know who is asking: there is no credential, or not a valid one.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrForbidden: the server knows the caller, and no grant covers what was asked.
	ErrForbidden = errors.New("forbidden")
	// ErrCheck: a check found something wrong.
	ErrCheck = errors.New("a check failed")
)

// Error is a failure of one kind with a message for people and, if there is one, a hint.
type Error struct {
	Kind    error  // one of the sentinels above
	Message string // what is wrong and where
	Hint    string // what would be right, or the command to run; may be empty
	Pos     Pos    // place in a file with which the message begins; zero if it begins with none
}

// Error returns the message, followed by the hint in parentheses where there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// Unwrap returns the kind, so that errors.Is works with the sentinels.
func (e *Error) Unwrap() error { return e.Kind }

// Errorf returns an Error of a kind without a hint.
func Errorf(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// ErrorAt returns an Error about a place in a file. Its message begins with the place.
func ErrorAt(kind error, pos Pos, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: pos.String() + ": " + fmt.Sprintf(format, args...), Pos: pos}
}

// WithHint returns a copy of e that also says what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// MessageOf returns the message of an error without its hint and without the errors that wrap it.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// Explain splits an error into what is wrong and what to do, each hint once.
func Explain(err error) (message string, hints []string) {
	message = err.Error()
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) {
		case *Error:
			if e.Hint != "" {
				message = strings.ReplaceAll(message, " ("+e.Hint+")", "")
				if !slices.Contains(hints, e.Hint) {
					hints = append(hints, e.Hint)
				}
			}
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
	if len(hints) == 0 && errors.Is(err, syscall.ENOSPC) {
		hints = append(hints, "free space on that disk")
	}
	return message, hints
}

// Separate returns the errors that errors.Join combined, to print each on its own line.
func Separate(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	inner := joined.Unwrap()
	lines := make([]string, len(inner))
	for i, e := range inner {
		lines[i] = e.Error()
	}
	if len(inner) == 0 || strings.Join(lines, "\n") != err.Error() {
		return []error{err}
	}
	var out []error
	for _, e := range inner {
		out = append(out, Separate(e)...)
	}
	return out
}

// Pos is a place in a file of definitions. Line and Col count from 1; 0 means unknown.
type Pos struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// String returns file:line:col, leaving out what is unknown.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// PosIn returns the position of a byte offset in the text of a file. If the offset is outside the text, it returns
// only the file. Col counts characters.
func PosIn(file, text string, offset int) Pos {
	if offset < 0 || offset > len(text) {
		return Pos{File: file}
	}
	before := text[:offset]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return Pos{File: file, Line: 1 + strings.Count(before, "\n"), Col: 1 + utf8.RuneCountInString(line)}
}

// SQLError is a mistake in SQL text, as an engine reports it.
type SQLError struct {
	Message string
	Hint    string // what would be right; may be empty
	Offset  int    // byte offset into the SQL text; -1 where unknown
}

func (e *SQLError) Error() string { return e.Message }

// Unwrap makes a mistake in SQL match ErrDefinition.
func (e *SQLError) Unwrap() error { return ErrDefinition }
