package materialize

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// facts are what a run finds in the store and in state.
type facts struct {
	pointer   *fstore.Pointer                        // nil: never published
	pens      map[fstore.Generation]*fencedWriter    // of the pointer's generation and of all generations in state
	runsRead                                         // in state
	leftovers bool                                   // state has files to remove
	rules     string                                 // Options.rules, under which an interrupted run must have begun to be finished
	intact    func(r *run, spool bool) (bool, error) // whether the run's manifest and its spool are unchanged
}

// plan is what a run will do.
type plan struct {
	finish *run   // the interrupted run to finish first
	base   *run   // the run whose manifest describes the store after finish; nil: a new generation
	reason string // why a new generation is needed

	later      bool // do nothing: a later instant is published
	finishOnly bool // only finish: a later instant is published
}

// standing returns the run that the store holds completely, if it is for p and of this build, and nothing of any
// other run is left. If its inputs are unchanged, a new run would change nothing.
func (f *facts) standing(v *fstore.ViewVersion, p time.Time, o *Options) *run {
	if f.pointer == nil || f.pointer.Damaged != "" || o.Mode&Full != 0 {
		return nil
	}
	live := f.pens[f.pointer.Generation]
	h := live.header
	if !live.readable() || !h.Complete || h.View != v.Ref || h.Layout != fstore.RecordLayout || !f.fenced(h) ||
		h.Fingerprint != v.Fingerprint || !f.pointer.Serves(v) || !holds(live.fence, f.pointer.Run) {
		return nil
	}
	r := f.runs[h.Run]
	if r == nil || r.Run != f.pointer.Run || !r.isNamedBy(h) || r.Inputs == "" || r.Build != o.Build || len(f.runs)+len(f.newer) > 1 || f.leftovers {
		return nil
	}
	for _, at := range []time.Time{f.pointer.Published, h.Published, h.RunAt, r.At} {
		if !at.Equal(p) {
			return nil
		}
	}
	return r
}

// readable reports whether the store has a header of the generation that can be read.
func (w *fencedWriter) readable() bool { return w != nil && w.header != nil && !w.broken }

// fenced reports whether the generation that readers see has the fences of this build.
func (f *facts) fenced(h *fstore.Header) bool {
	return h.Partitions == fstore.Partitions && f.pointer.Partitions == fstore.Partitions
}

// holds reports whether a fence says that its records are a run's values.
func holds(fence *fstore.Fence, run string) bool {
	return fence != nil && fence.Complete && fence.Run == run
}

// lost says what the store has lost of what was published to it: it went back in time. It returns "" if nothing is known.
func (f *facts) lost(store string) string {
	if f.pointer == nil {
		return ""
	}
	return f.runsRead.lost(store, *f.pointer)
}

// decide plans a run for p. It contains the whole of the recovery: a state that it does not recognize leads to a new
// generation.
func decide(f *facts, v *fstore.ViewVersion, p time.Time, o *Options) (plan, error) {
	mode := o.Mode
	var live *fstore.Header
	if f.pointer != nil {
		if w := f.pens[f.pointer.Generation]; w.readable() {
			live = w.header
		}
	}
	damaged := f.pointer != nil && f.pointer.Damaged != ""
	if damaged && mode&Full == 0 {
		return plan{}, fstore.Errorf(fstore.ErrCorrupt, "the pointer in the online store cannot be read: %.80q", f.pointer.Damaged).
			WithHint("run fstore materialize %s --full, which fills a new generation and replaces the pointer", v.Ref)
	}
	seen, what := f.seen(live)
	if p.Before(seen) && mode&Rewind == 0 {
		if o.To.IsZero() && mode == 0 { // nobody asked for p: it comes from this machine's clock
			if todo, err := f.aheadOf(v, live, p); err != nil || todo.later || todo.finishOnly {
				return todo, err
			}
		}
		return plan{}, fstore.Errorf(fstore.ErrInvalid, "cannot materialize as of %s: %s %s",
			fstore.FormatTime(p), what, fstore.FormatTime(seen)).WithHint("--rewind goes back in time")
	}
	switch {
	case damaged:
		return plan{reason: "asked for, and the pointer in the store could not be read"}, nil
	case mode&Full != 0:
		return plan{reason: "asked for"}, nil
	}
	loading, err := f.unfinishedLoad(v, seen, p)
	if err != nil {
		return plan{}, err
	}
	if loading != nil {
		return plan{finish: loading, base: loading}, nil
	}
	if f.pointer == nil {
		return plan{reason: "nothing is published yet"}, nil
	}
	return f.inPlace(v, live)
}

// aheadOf plans a run as of now if readers have seen a later instant: finish the run that began it, or do nothing.
func (f *facts) aheadOf(v *fstore.ViewVersion, live *fstore.Header, p time.Time) (plan, error) {
	if live != nil && !live.Complete {
		todo, err := f.inPlace(v, live)
		todo.finishOnly = todo.finish != nil
		return todo, err
	}
	return plan{later: f.pointer.Serves(v) && f.pointer.Published.After(p)}, nil
}

// seen returns the latest instant whose values readers may have seen, and a text that says how. It returns the zero
// time if there is none. live is the header of the generation that readers see.
func (f *facts) seen(live *fstore.Header) (time.Time, string) {
	pointer := f.pointer
	switch {
	case pointer == nil:
		return time.Time{}, ""
	case pointer.Damaged != "":
		var last time.Time
		for _, w := range f.pens {
			if w.header != nil && w.header.Published.After(last) {
				last = w.header.Published
			}
		}
		return last, "a generation in the store was published at"
	case live != nil && !live.Complete && live.RunAt.After(pointer.Published):
		return live.RunAt, "an interrupted run has begun to publish"
	}
	return pointer.Published, "it is published at"
}

// unfinishedLoad returns the latest run of a generation that nobody has seen, if finishing it lies between the
// instant that readers have seen and p.
func (f *facts) unfinishedLoad(v *fstore.ViewVersion, seen, p time.Time) (*run, error) {
	var found []*run
	for _, r := range f.runs {
		w := f.pens[r.Generation]
		if !w.readable() || f.pointer != nil && f.pointer.Generation == r.Generation {
			continue
		}
		h := w.header
		if h.Layout != fstore.RecordLayout || h.Partitions != fstore.Partitions || h.Complete || !h.Published.IsZero() || !r.isNamedBy(h) ||
			r.Fingerprint != v.Fingerprint || r.Rules != f.rules || r.At.After(p) || r.At.Before(seen) || w.fence != nil && w.fence.Run != r.Run {
			continue
		}
		found = append(found, r)
	}
	slices.SortFunc(found, func(a, b *run) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(a.Run, b.Run)
	})
	for _, r := range found {
		if ok, err := f.intact(r, !holds(f.pens[r.Generation].fence, r.Run)); ok || err != nil {
			return r, err
		}
	}
	return nil, nil
}

// inPlace continues the generation that readers see, if state describes its contents.
func (f *facts) inPlace(v *fstore.ViewVersion, live *fstore.Header) (plan, error) {
	switch {
	case live == nil:
		return plan{reason: "the store has no readable header, or no readable fence, for what it holds"}, nil
	case live.Fingerprint != v.Fingerprint || live.View != v.Ref:
		return plan{reason: "the store holds another definition's values"}, nil
	case live.Layout != fstore.RecordLayout:
		return plan{reason: fmt.Sprintf("the store's records have layout %d, but this fstore writes %d", live.Layout, fstore.RecordLayout)}, nil
	case live.Partitions == 0:
		return plan{reason: "the store's records have no fences: an older fstore wrote them"}, nil
	case !f.fenced(live):
		return plan{reason: fmt.Sprintf("the store's records have %d partitions, but this fstore writes %d", live.Partitions, fstore.Partitions)}, nil
	}
	if format := f.newer[live.Run]; format > 0 {
		return plan{reason: fmt.Sprintf("the state of run %s, which the store holds, has format %d of a newer fstore", live.Run, format)}, nil
	}
	r := f.runs[live.Run]
	if r == nil || !r.isNamedBy(live) {
		return plan{reason: fmt.Sprintf("the state folder does not have run %s, which the store holds", live.Run)}, nil
	}
	fence := f.pens[live.Generation].fence
	if !f.continues(r, live, fence) {
		return plan{reason: fmt.Sprintf("the store's pointer, header and fence do not fit run %s, which the header names", live.Run)}, nil
	}
	ok, err := f.intact(r, !holds(fence, r.Run))
	switch {
	case err != nil:
		return plan{}, err
	case !ok:
		return plan{reason: fmt.Sprintf("the state of run %s is damaged", live.Run)}, nil
	case !live.Complete && r.Rules != f.rules:
		return plan{reason: "an interrupted run was checked by other rules than those of now"}, nil
	case !live.Complete:
		return plan{finish: r, base: r}, nil
	}
	return plan{base: r}, nil
}

// continues reports whether the store holds the values of a run that the header of the generation that readers see names, or
// can be brought to them: the header is published, or the run has not begun to write, or has written as much as the fence
// says. Anything else mixes states of the store from before and after it went back in time.
func (f *facts) continues(r *run, live *fstore.Header, fence *fstore.Fence) bool {
	shown := f.pointer.Run
	if live.Complete {
		return r.Run == shown && holds(fence, r.Run)
	}
	return r.Base == shown && (holds(fence, shown) || fence != nil && fence.Run == r.Run && fence.Base == shown)
}
