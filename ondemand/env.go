package ondemand

import (
	"slices"

	"github.com/fstore-dev/fstore"
)

// Env has the names that the expressions of a view may use, besides the features of the view itself.
type Env struct {
	// Columns are the request columns (pickup_lat) and the features of other views (store_location.lat).
	Columns []Column
	// Events are the views for which event(NAME) has an instant.
	Events []string
	// NoEvents has the other views, each with the reason why event(NAME) has no instant, such as "it is a static table".
	NoEvents map[string]string
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

// atName is the name of the instant for which a row is computed.
const atName = "at"

func (e *Env) column(name string) (fstore.Type, bool) {
	i := slices.IndexFunc(e.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return fstore.Invalid, false
	}
	return e.Columns[i].Type, true
}
