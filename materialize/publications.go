package materialize

import (
	"time"

	"github.com/fstore-dev/fstore"
)

// Computed says from what a run computed a view version.
type Computed struct {
	At     time.Time // P
	Inputs string    // Source.Stamp; empty: unknown
	Build  string    // Options.Build
}

// ComputedRuns returns what a project's state knows of runs of a view version: of the last publication, and of those before whose
// files it still needs.
func ComputedRuns(state string, ref fstore.ViewRef) ([]Computed, error) {
	dir, err := stateFolder(state, ref)
	if err != nil {
		return nil, err
	}
	read, err := readRuns(dir)
	if err != nil {
		return nil, err
	}
	var out []Computed
	for _, r := range read.runs {
		out = append(out, Computed{r.At, r.Inputs, r.Build})
	}
	return out, nil
}
