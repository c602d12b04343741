package materialize

import (
	"github.com/fstore-dev/fstore"
)

// Computed says from what a run computed a view version.
type Computed struct {
	Inputs string // Source.Stamp; empty: unknown
	Build  string // Options.Build
}

// ComputedRuns returns what a project's state knows of runs of a view version, by their ids: of those whose files it has, and of the last
// 1,000 of each store before them.
func ComputedRuns(state string, ref fstore.ViewRef) (map[string]Computed, error) {
	dir, read, err := runsOf(state, ref)
	if err != nil {
		return nil, err
	}
	past, _, err := readPast(dir) // after the runs: a run is kept here before its files are removed
	if err != nil {
		return nil, err
	}
	out := map[string]Computed{}
	for i := range past {
		out[past[i].Run] = Computed{past[i].Inputs, past[i].Build}
	}
	for id, r := range read.runs {
		out[id] = Computed{r.Inputs, r.Build}
	}
	return out, nil
}
