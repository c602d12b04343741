package project

import (
	"errors"

	fstore "github.com/fstore-dev/fstore"
)

// ArgumentError is an error about one argument of a request. The command line shows the name of the flag instead.
type ArgumentError struct {
	Name string // such as out, labels, repo or at
	Err  error
}

func (e *ArgumentError) Error() string { return e.Name + " " + e.Err.Error() }

// Unwrap returns the error itself.
func (e *ArgumentError) Unwrap() error { return e.Err }

// about returns an error about an argument.
func about(name string, err error) error {
	var known *ArgumentError
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &ArgumentError{name, err}
}

// oneOf returns an error unless exactly one of several alternatives is given.
func oneOf(what string, given ...bool) error {
	n := 0
	for _, taken := range given {
		if taken {
			n++
		}
	}
	if n != 1 {
		return fstore.Errorf(fstore.ErrUsage, "name one of %s, got %d", what, n)
	}
	return nil
}
