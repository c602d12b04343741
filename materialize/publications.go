package materialize

import (
	"context"

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

// renumber gives an interrupted run the number that its publication will have, in its counts and in state. It is another one than
// when the run was computed if another run has published since, or if the store went back in time.
func (j *job) renumber(ctx context.Context, r *run) error {
	number := j.number()
	if r.Number == number {
		return nil
	}
	if err := j.recount(ctx, r, number); err != nil {
		return err
	}
	if err := j.step("recounted"); err != nil {
		return err
	}
	r.Number = number
	return j.state.add(r)
}

// recount keeps the counts of a run under another number. They may be there already: an earlier attempt was stopped afterwards.
// If the registry has them no longer, later runs are compared with the keys that the state folder knows.
func (j *job) recount(ctx context.Context, r *run, number int64) error {
	if j.o.Publications == nil {
		return nil
	}
	for _, n := range []int64{number, r.Number} {
		counts, ok, err := j.o.Publications.Published(ctx, r.View, fstore.Pointer{Number: n, Run: r.Run})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if n == number {
			return nil
		}
		counts.Number = number
		return j.o.Publications.Record(ctx, counts)
	}
	return nil
}
