package definition

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Problem is a mistake in a definition, or a warning about one.
type Problem struct {
	Pos     fstore.Pos `json:"position"`
	Message string     `json:"message"`        // what is wrong
	Hint    string     `json:"hint,omitempty"` // what would be right
}

// String returns file:line:col: message (hint).
func (p Problem) String() string {
	s := p.Message
	if at := p.Pos.String(); at != "" {
		s = at + ": " + s
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems lists everything that is wrong with a repo, ordered by file and line. It is an ErrDefinition.
type Problems []Problem

// Error returns one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes Problems match fstore.ErrDefinition.
func (ps Problems) Unwrap() error { return fstore.ErrDefinition }

// add records a problem. The hint may be empty.
func (ps *Problems) add(pos fstore.Pos, hint, format string, args ...any) {
	*ps = append(*ps, Problem{Pos: pos, Message: brief(fmt.Sprintf(format, args...)), Hint: brief(hint)})
}

// brief shortens a text that quotes a file, which may have megabytes.
func brief(s string) string {
	const most = 600
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// addError records an error and keeps the hint of an fstore.Error separate.
func (ps *Problems) addError(pos fstore.Pos, err error) {
	var e *fstore.Error
	if errors.As(err, &e) {
		ps.add(pos, e.Hint, "%s", e.Message)
		return
	}
	ps.add(pos, "", "%s", err)
}

// sorted returns the problems by position, without duplicates.
func (ps Problems) sorted() Problems {
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(out)
}
