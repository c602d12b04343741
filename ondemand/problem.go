package ondemand

import (
	"fmt"

	"github.com/fstore-dev/fstore"
)

// Problem is a mistake in an expression. Line and Col count from 1 within the expression; Col counts characters.
type Problem struct {
	Feature   string
	Line, Col int
	Message   string // what is wrong
	Hint      string // what would be right; may be empty
}

// Error returns the feature, the position, the message and the hint.
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.Feature, p.Line, p.Col, p.Message)
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Unwrap makes a problem match fstore.ErrDefinition.
func (p Problem) Unwrap() error { return fstore.ErrDefinition }
