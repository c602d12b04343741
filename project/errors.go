package project

import "errors"

// ArgumentError is an error about one argument of a request. The command line shows the flag instead of the name.
type ArgumentError struct {
	Name string // out, labels or repo
	Err  error
}

func (e *ArgumentError) Error() string { return e.Name + " " + e.Err.Error() }

// Unwrap returns the error itself.
func (e *ArgumentError) Unwrap() error { return e.Err }

// about says which argument an error is about.
func about(name string, err error) error {
	var known *ArgumentError
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &ArgumentError{name, err}
}
