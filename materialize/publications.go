package materialize

import (
	"github.com/fstore-dev/fstore"
)

// Computed says from what a run computed a view version.
type Computed struct {
	Inputs string // Source.Stamp; empty: unknown
	Build  string // Options.Build
}

// ComputedRuns returns what a project's state knows of runs of a view version, by their ids: of the last publication, and of those before whose
// files it still needs.
func ComputedRuns(state string, ref fstore.ViewRef) (map[string]Computed, error) {
	_, read, err := runsOf(state, ref)
	if err != nil {
		return nil, err
	}
	out := map[string]Computed{}
	for id, r := range read.runs {
		out[id] = Computed{r.Inputs, r.Build}
	}
	return out, nil
}
