package ondemand

import (
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Env has the names that the expressions of a view may use, besides the features of the view itself. A column or a feature
// of type fstore.Invalid, and a view in Unknown, has a mistake that is reported elsewhere: Compile says nothing about the
// expressions that read it.
type Env struct {
	// Columns are the request columns (pickup_lat) and the features of other views (store_location.lat).
	Columns []Column
	// Events are the views for which event(NAME) has an instant.
	Events []string
	// NoEvents has the other views, each with the reason why event(NAME) has no instant, such as "it is a static table".
	NoEvents map[string]string
	// Unknown has the names of views whose features are not known.
	Unknown []string
}

// Column is a name with a type.
type Column struct {
	Name string
	Type fstore.Type
}

// Feature is one feature of the view.
type Feature struct {
	Name       string
	Type       fstore.Type
	Expression string
	Default    *fstore.Value // takes the place of null; nil where there is none
}

// InputKind says where the values of an input come from.
type InputKind uint8

// The kinds of inputs.
const (
	ColumnInput InputKind = iota // a column of Env.Columns
	EventInput                   // event(NAME): a timestamp
	AtInput                      // at: a timestamp
)

// Input is a column that a program reads.
type Input struct {
	Kind InputKind
	Name string // of the column, or of the view of event(NAME); "at"
	Type fstore.Type
}

// expression returns how expressions write the input.
func (in Input) expression() string {
	if in.Kind == EventInput {
		return "event(" + in.Name + ")"
	}
	return in.Name
}

// View returns the name by which the expression reads a view, and the feature that it reads; no feature for the event time.
// ok is false for a request column and for at.
func (in Input) View() (view, feature string, ok bool) {
	switch in.Kind {
	case EventInput:
		return in.Name, "", true
	case ColumnInput:
		if view, feature, ok = strings.Cut(in.Name, "."); ok {
			return view, feature, true
		}
	case AtInput: // of no view
	}
	return "", "", false
}

// atName is the name of the instant for which a row is computed.
const atName = "at"

// scope finds the names of an Env and the features of a view.
type scope struct {
	env      *Env
	columns  map[string]fstore.Type
	features map[string]int // the first feature of a name
	compared int            // names compared for hints
}

func newScope(env *Env, features []Feature) *scope {
	s := &scope{env: env, columns: map[string]fstore.Type{}, features: map[string]int{}}
	for _, c := range env.Columns {
		s.columns[c.Name] = c.Type
	}
	for i, f := range slices.Backward(features) {
		s.features[f.Name] = i
	}
	return s
}

// has reports whether a name is that of a request column, of a feature of the view, or at.
func (s *scope) has(name string) bool {
	_, isColumn := s.columns[name]
	_, isFeature := s.features[name]
	return isColumn || isFeature || name == atName
}

// maxCompared bounds the time for hints: thousands of wrong names among thousands of names would take minutes.
const maxCompared = 1_000_000

// nearest returns a hint with the name that is nearest to an unknown one; none once too many have been compared.
func (s *scope) nearest(name string, known func() []string) string {
	if s.compared > maxCompared {
		return ""
	}
	names := known()
	s.compared += len(names)
	return fstore.DidYouMean(name, names)
}
