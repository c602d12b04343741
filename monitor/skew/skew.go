// Package skew compares what was served with what the offline engine computes now for the same publication: value by value, bit
// for bit. A difference is then explained, or it is wrong.
//
// The log and the engine are interfaces. A value is replayed by the code that serves it, from records as the engine computes them
// as of the published instant, with the clock of the request. So statuses, defaults, ages, windows that end at the request and
// on-demand features are compared as well (docs/skew.md).
package skew

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math"
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
	Unknown       Standing = "unknown" // a later publication has replaced the record, or the inputs were too new to be told apart
)

// Feature is a feature of served rows.
type Feature struct {
	Name  string
	View  fstore.ViewRef   // the view that it is of
	Reads []fstore.ViewRef // what it is computed from: View, or what an on-demand view reads
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
	// Published and RunAt are columns for each of Views: the publication that a row was answered from, and the run that was in
	// flight, of which values may be instead; null: none.
	Published, RunAt []fstore.Column
	Sent             []fstore.Column // the columns of the request
	Values           []fstore.Column // of each feature
	Statuses         [][]byte        // by row, a byte for each feature
}

// Log gives the served rows, in any order and any number of pieces, which are valid during the call.
type Log interface {
	Each(do func(*Rows) error) error
}

// Replayer answers rows again.
type Replayer interface {
	// Replay answers rows from what the engine computes for each view as of an instant, in the order of r.Views; the zero instant
	// is of a view that was not read. It returns the values of each feature, and a status for each row and feature.
	Replay(ctx context.Context, r *Rows, at []time.Time) (values []fstore.Column, statuses [][]byte, err error)
	// Standing returns what is known of the inputs of a publication of a view version.
	Standing(ctx context.Context, view fstore.ViewRef, published time.Time) Standing
}

// Options are what Run needs. Sample, Shown and Progress may be zero.
type Options struct {
	Log      Log
	Replayer Replayer
	Since    time.Time // rows of earlier instants do not count
	Sample   int64     // about how many rows to compare; 0: all
	Shown    int       // differences that are told; default 20
	Statuses []string  // their names
	NotFound byte      // the status of a key without a value
	Expired  byte      // the status of a value that is too old
	Progress func(rows int64)
}

// Result is what was found.
type Result struct {
	OK           bool         `json:"ok"` // every difference is explained
	Logged       int64        `json:"logged"`
	Compared     int64        `json:"compared"`
	Counts       Counts       `json:"values"`
	Views        []View       `json:"views"`
	Differences  []Difference `json:"differences,omitempty"` // the first of them
	Reasons      []Reason     `json:"not_provable,omitempty"`
	differencesN int64
}

// Counts are values by outcome. Unexplained are those of NotProvable that differ.
type Counts struct {
	Equal         int64 `json:"equal"`
	Expired       int64 `json:"expired"`
	SourceChanged int64 `json:"source_changed"`
	NotProvable   int64 `json:"not_provable"`
	Unexplained   int64 `json:"unexplained"`
	Wrong         int64 `json:"wrong"`
}

// View is what was found of the features of a view version.
type View struct {
	View fstore.ViewRef `json:"view"`
	Counts
}

// Reason is why rows could not be compared.
type Reason struct {
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
}

// Difference is a served value that is not what the engine computes.
type Difference struct {
	Outcome   Outcome        `json:"outcome"`
	Request   string         `json:"request"`
	Row       int64          `json:"row"`
	At        time.Time      `json:"at"`
	Sent      string         `json:"sent"` // the request's columns as JSON
	View      fstore.ViewRef `json:"view"`
	Published time.Time      `json:"published,omitzero"`
	Feature   string         `json:"feature"`
	Served    string         `json:"served"` // the value as JSON, and its status unless it is PRESENT
	Offline   string         `json:"offline"`
	Inputs    Standing       `json:"inputs"`
}

// Differing returns how many values differ, told or not.
func (r *Result) Differing() int64 { return r.differencesN }

// Run compares. A difference is a finding, not an error.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Shown == 0 {
		o.Shown = 20
	}
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	r := &runner{o: &o, result: &Result{}, groups: map[string]*Rows{}, views: map[fstore.ViewRef]*Counts{}, reasons: map[string]int64{}, standings: map[standingKey]Standing{}}
	if err := r.collect(); err != nil {
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

type standingKey struct {
	view      fstore.ViewRef
	published time.Time
}

type runner struct {
	o         *Options
	result    *Result
	groups    map[string]*Rows // rows of the same publications, by those
	order     []string
	views     map[fstore.ViewRef]*Counts
	reasons   map[string]int64
	standings map[standingKey]Standing
}

// collect reads the log twice if only a sample is wanted: to count the rows, and to take some.
func (r *runner) collect() error {
	since := fstore.Micros(r.o.Since)
	counts := func(rows *Rows, row int) bool { return r.o.Since.IsZero() || rows.At[row] >= since }
	if err := r.o.Log.Each(func(rows *Rows) error {
		for row := range rows.Len {
			if counts(rows, row) {
				r.result.Logged++
			}
		}
		return nil
	}); err != nil {
		return err
	}
	most := uint64(math.MaxUint64)
	if n := r.o.Sample; n > 0 && n < r.result.Logged {
		most = uint64(float64(n) / float64(r.result.Logged) * math.MaxUint64)
	}
	return r.o.Log.Each(func(rows *Rows) error {
		for row := range rows.Len {
			if counts(rows, row) && hash(rows.Request[row], rows.Row[row]) <= most {
				r.take(rows, row)
			}
		}
		return nil
	})
}

// hash spreads rows evenly, the same way in every run.
func hash(request string, row int64) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, request, " ", row)
	x := h.Sum64() // FNV alone leaves the high bits alike
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// take adds a row to the group of its publications.
func (r *runner) take(rows *Rows, row int) {
	r.result.Compared++
	if rows.Problem != "" {
		r.reasons[rows.Problem]++
		for _, f := range rows.Features {
			r.of(f.View).NotProvable++
		}
		return
	}
	key := []byte(rows.List)
	for v := range rows.Views {
		for _, c := range []*fstore.Column{&rows.Published[v], &rows.RunAt[v]} {
			key = append(key, '|')
			if !c.IsNull(row) {
				key = fmt.Append(key, c.Int64s[row])
			}
		}
	}
	g := r.groups[string(key)]
	if g == nil {
		g = &Rows{List: rows.List, Features: rows.Features, Views: rows.Views}
		for _, pair := range []struct{ to, from *[]fstore.Column }{
			{&g.Published, &rows.Published}, {&g.RunAt, &rows.RunAt}, {&g.Sent, &rows.Sent}, {&g.Values, &rows.Values},
		} {
			for i := range *pair.from {
				c := &(*pair.from)[i]
				*pair.to = append(*pair.to, fstore.NewColumn(c.Name, c.Type, 0))
			}
		}
		r.groups[string(key)] = g
		r.order = append(r.order, string(key))
	}
	for _, pair := range []struct{ to, from []fstore.Column }{
		{g.Published, rows.Published}, {g.RunAt, rows.RunAt}, {g.Sent, rows.Sent}, {g.Values, rows.Values},
	} {
		for i := range pair.to {
			pair.to[i].AppendFrom(&pair.from[i], row)
		}
	}
	g.At, g.Request, g.Row = append(g.At, rows.At[row]), append(g.Request, rows.Request[row]), append(g.Row, rows.Row[row])
	g.Statuses = append(g.Statuses, bytes.Clone(rows.Statuses[row]))
	g.Len++
}

func (r *runner) of(view fstore.ViewRef) *Counts {
	if r.views[view] == nil {
		r.views[view] = &Counts{}
	}
	return r.views[view]
}

// answered is what a replay gives.
type answered struct {
	values   []fstore.Column
	statuses [][]byte
}

// group compares rows of the same publications.
func (r *runner) group(ctx context.Context, g *Rows) error {
	published, runs := make([]time.Time, len(g.Views)), make([]time.Time, len(g.Views))
	inFlight := false
	for v := range g.Views {
		if !g.Published[v].IsNull(0) {
			published[v] = fstore.FromMicros(g.Published[v].Int64s[0])
		}
		if runs[v] = published[v]; !g.RunAt[v].IsNull(0) {
			runs[v], inFlight = fstore.FromMicros(g.RunAt[v].Int64s[0]), true
		}
	}
	var replays []answered
	for i, at := range [][]time.Time{published, runs} {
		if i > 0 && !inFlight {
			break
		}
		values, statuses, err := r.o.Replayer.Replay(ctx, g, at)
		if err != nil {
			return err
		}
		replays = append(replays, answered{values, statuses})
	}
	for row := range g.Len {
		for f := range g.Features {
			r.compare(ctx, g, replays, row, f, published)
		}
	}
	r.o.Progress(int64(g.Len))
	return nil
}

// compare judges one value. While a run was in flight, it may be of either instant.
func (r *runner) compare(ctx context.Context, g *Rows, replays []answered, row, f int, published []time.Time) {
	counts := r.of(g.Features[f].View)
	status := g.Statuses[row][f]
	for i := range replays {
		again := replays[i].statuses[row][f]
		same := status == again || r.absent(status) && r.absent(again) // stale and never seen count as one
		if !same || !bitsEqual(&g.Values[f], row, &replays[i].values[f], row) {
			continue
		}
		if status == r.o.Expired || again == r.o.Expired {
			counts.Expired++
		} else {
			counts.Equal++
		}
		return
	}
	standing := r.standing(ctx, g, f, published)
	outcome := Wrong
	switch standing {
	case SameInputs:
		counts.Wrong++
	case ChangedInputs:
		outcome = SourceChanged
		counts.SourceChanged++
	case OtherBuild, Unknown:
		outcome = NotProvable
		counts.NotProvable++
		counts.Unexplained++
	}
	r.tell(g, &replays[0], row, f, published, outcome, standing)
}

func (r *runner) absent(status byte) bool { return status == r.o.NotFound || status == r.o.Expired }

// standing returns what is known of the inputs of a feature: of the views that it reads, the one that explains most.
func (r *runner) standing(ctx context.Context, g *Rows, f int, published []time.Time) Standing {
	rank := []Standing{SameInputs, Unknown, OtherBuild, ChangedInputs}
	worst := 0
	for v, view := range g.Views {
		if published[v].IsZero() || !slices.Contains(g.Features[f].Reads, view) {
			continue
		}
		key := standingKey{view, published[v]}
		s, known := r.standings[key]
		if !known {
			s = r.o.Replayer.Standing(ctx, view, published[v])
			r.standings[key] = s
		}
		worst = max(worst, slices.Index(rank, s))
	}
	return rank[worst]
}

// tell notes a difference, the wrong ones first.
func (r *runner) tell(g *Rows, again *answered, row, f int, published []time.Time, outcome Outcome, standing Standing) {
	r.result.differencesN++
	all := r.result.Differences
	if len(all) >= r.o.Shown {
		if outcome != Wrong || all[len(all)-1].Outcome == Wrong {
			return
		}
		all = all[:len(all)-1]
	}
	feature := &g.Features[f]
	d := Difference{
		Outcome: outcome, Request: g.Request[row], Row: g.Row[row], At: fstore.FromMicros(g.At[row]), View: feature.View, Feature: feature.Name, Inputs: standing,
		Sent: string((&fstore.Batch{Columns: g.Sent, Len: g.Len}).AppendRowJSON(nil, row)), Served: r.text(&g.Values[f], row, g.Statuses[row][f]),
		Offline: r.text(&again.values[f], row, again.statuses[row][f]),
	}
	if v := slices.Index(g.Views, feature.View); v >= 0 {
		d.Published = published[v]
	}
	all = append(all, d)
	slices.SortStableFunc(all, func(a, b Difference) int { return severity(a.Outcome) - severity(b.Outcome) })
	r.result.Differences = all
}

func severity(o Outcome) int { return slices.Index([]Outcome{Wrong, NotProvable, SourceChanged}, o) }

func (r *runner) text(c *fstore.Column, row int, status byte) string {
	text := string(c.AppendJSON(nil, row))
	if status > 0 && int(status) < len(r.o.Statuses) {
		text += " " + r.o.Statuses[status]
	}
	return text
}

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
	slices.SortFunc(out.Reasons, func(a, b Reason) int { return int(b.Rows - a.Rows) })
	out.OK = out.Counts.Wrong == 0 && out.Counts.Unexplained == 0
	return out
}

// bitsEqual reports whether an element of each column has the same bits: −0 is not 0, and every NaN is itself.
func bitsEqual(a *fstore.Column, i int, b *fstore.Column, j int) bool {
	if a.IsNull(i) || b.IsNull(j) || a.Type != b.Type {
		return a.IsNull(i) && b.IsNull(j)
	}
	n := 1
	if a.Type.IsList() {
		n = int(a.Offsets[i+1] - a.Offsets[i])
		if n != int(b.Offsets[j+1]-b.Offsets[j]) {
			return false
		}
		i, j = int(a.Offsets[i]), int(b.Offsets[j])
	}
	for k := range n {
		same := false
		if t := a.Type.Elem(); t == fstore.Float64 {
			same = math.Float64bits(a.Float64s[i+k]) == math.Float64bits(b.Float64s[j+k])
		} else if t == fstore.Float32 {
			same = math.Float32bits(a.Float32s[i+k]) == math.Float32bits(b.Float32s[j+k])
		} else {
			same = fstore.CompareElements(a, i+k, b, j+k) == 0
		}
		if !same {
			return false
		}
	}
	return true
}
