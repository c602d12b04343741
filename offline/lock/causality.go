package lock

import "github.com/fstore-dev/fstore"

// Unchecked is the verdict of a check that was not asked for.
const Unchecked = "unchecked"

// Causality is what a check found of a view version: whether its rows see the future.
type Causality struct {
	View       fstore.ViewRef `json:"view" doc:"The view version."`
	Verdict    string         `json:"verdict" doc:"What the check found: \"no leak at 4 of 1,203 instants\", \"not proved: past unknown\" (the view reads a static table) or \"unchecked\"."`
	Instants   int64          `json:"instants,omitempty" doc:"Number of instants at which the rows were compared."`
	Candidates int64          `json:"candidates,omitempty" doc:"Number of instants at which they could be."`
	Read       bool           `json:"read,omitempty" doc:"Whether another view reads this one, so that its rows count between publications too."`
}
