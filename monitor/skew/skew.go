// Package skew compares what was served with what the offline engine computes now for the same publication: value by value, bit
// for bit. A difference is then explained, or it is wrong.
//
// The log and the engine are interfaces. A value is replayed by the code that serves it, from records as the engine computes them
// as of the published instant, or of the instant of a run that was in flight, with the clock of the request. So statuses, defaults, ages, windows that end at the request and
// on-demand features are compared as well (docs/skew.md).
package skew

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
)

// Outcome says how a served value compares.
type Outcome string

// The outcomes.
const (
	Equal         Outcome = "equal"          // the same bits, and the same status
	Expired       Outcome = "expired"        // both say that the newest value was too old; the store may have dropped it
	SourceChanged Outcome = "source_changed" // they differ, and the inputs of the publication have changed since
	NotProvable   Outcome = "not_provable"   // it cannot be compared, or differs and nobody knows whether its inputs changed
	Wrong         Outcome = "wrong"          // they differ, and the inputs are the same
)

// Standing says what is known of the inputs of a publication.
type Standing string

// The standings.
const (
	SameInputs    Standing = "same"    // and the same build of fstore
	ChangedInputs Standing = "changed" // the files of its sources, or settings of the engine
	OtherBuild    Standing = "build"   // the same inputs, computed by another build
	Unknown       Standing = "unknown" // no record of the run is left, its inputs were too new to be told apart
)

// Feature is a feature of served rows.
type Feature struct {
	Name    string
	View    fstore.ViewRef   // the view that it is of
	Reads   []fstore.ViewRef // the view of each look-up that it is computed from: View, or those that an on-demand view reads
	Problem string           // why it cannot be compared; empty: it can be
}

// Rows are served rows of one list of features.
type Rows struct {
	List     string // identifies the list: rows of one are replayed together
	Problem  string // why the rows cannot be replayed; empty: they can be
	Features []Feature
	Views    []fstore.ViewRef
	Len      int
	At       []int64 // UTC microseconds
	Request  []string
	Row      []int64
	// Columns for each of Views: the publication that a row was answered from, the run that published it, the instant of a run that
	// was in flight, of which values may be instead, and that run; null: none.
	Published, Run, RunAt, InFlight []fstore.Column
	Sent                            []fstore.Column // the columns of the request
	Values                          []fstore.Column // of each feature
	Statuses                        [][]byte        // by row, a byte for each feature
}

// Log gives the served rows, in any order and any number of pieces, which are valid during the call. It calls unreadable for each
// file that it cannot read to its end.
type Log interface {
	Each(ctx context.Context, do func(*Rows) error, unreadable func(file string, err error)) error
	// Instants gives the instants of the same rows, in UTC microseconds. It names no files.
	Instants(ctx context.Context, do func(at []int64) error) error
}

// Replayed are rows that were answered again: the values of each feature, and a status for each row and feature. A row of Failed
// could not be answered.
type Replayed struct {
	Values   []fstore.Column
	Statuses [][]byte
	Failed   map[int]error // by row
}

// Replayer answers rows again.
type Replayer interface {
	// Replay answers rows from what the engine computes for each view as of an instant, in the order of r.Views; the zero instant
	// is of a view that was not read.
	Replay(ctx context.Context, r *Rows, at []time.Time) (*Replayed, error)
	// Standing returns what is known of the inputs of a run of a view version, and what of them has changed, such as "source orders".
	// An empty run is one that the log does not name.
	Standing(ctx context.Context, view fstore.ViewRef, run string) (s Standing, changed []string)
}

// Options are what Run needs. Sample, Shown and Progress may be zero.
type Options struct {
	Log      Log
	Replayer Replayer
	Since    time.Time // rows of earlier instants do not count
	Sample   int64     // about how many rows to compare; 0: all
	Shown    int       // differences and files shown; default 20
	Statuses []string  // their names
	NotFound byte      // the status of a key without a value
	Expired  byte      // the status of a value that is too old
	Progress func(rows int64)
}

// Run compares. A difference is a finding, not an error.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Shown == 0 {
		o.Shown = 20
	}
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	r := &runner{o: &o, result: &Result{}, groups: map[string]*Rows{}, views: map[fstore.ViewRef]*Counts{}, reasons: map[string]int64{}}
	if err := r.collect(ctx); err != nil {
		return nil, err
	}
	for _, key := range r.order {
		if err := r.group(ctx, r.groups[key]); err != nil {
			return nil, err
		}
		delete(r.groups, key)
	}
	return r.finish(), nil
}

type runner struct {
	o       *Options
	result  *Result
	groups  map[string]*Rows // rows of the same shape and publications, by those
	order   []string
	views   map[fstore.ViewRef]*Counts
	reasons map[string]int64
}

// finish sums up. A result that proves nothing is not OK.
func (r *runner) finish() *Result {
	out := r.result
	out.Views = []View{}
	for view, c := range r.views {
		out.Views = append(out.Views, View{view, *c})
		t := &out.Counts
		t.Equal, t.Expired, t.SourceChanged = t.Equal+c.Equal, t.Expired+c.Expired, t.SourceChanged+c.SourceChanged
		t.NotProvable, t.Unexplained, t.Wrong = t.NotProvable+c.NotProvable, t.Unexplained+c.Unexplained, t.Wrong+c.Wrong
	}
	slices.SortFunc(out.Views, func(a, b View) int { return a.View.Compare(b.View) })
	for reason, rows := range r.reasons {
		out.Reasons = append(out.Reasons, Reason{reason, rows})
	}
	slices.SortFunc(out.Reasons, func(a, b Reason) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Reason, b.Reason)) })
	c := &out.Counts
	out.OK = c.Wrong == 0 && c.Unexplained == 0 && c.Equal+c.Expired+c.SourceChanged > 0
	return out
}

func (r *runner) of(view fstore.ViewRef) *Counts {
	if r.views[view] == nil {
		r.views[view] = &Counts{}
	}
	return r.views[view]
}
