// Package verify compares what an online store serves with what the offline engine computes. It reads every key of a view
// version with the decoder that answers look-ups, and compares it with the view at the published instant.
//
// While a run is unfinished, the value at that run's instant is right too (docs/materialize.md). Memory is bounded
// whatever the size of the view: the offline rows come in key order, and the store's keys, which come in no order, are
// sorted in files.
package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// Source computes views. offline.Engine is one.
type Source interface {
	// AsOf returns the view as of p: one row per key in ascending key order, stale rows left out. The columns are the
	// join keys in name order, the event time, and the features in name order.
	AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error]
}

// Decoder turns keys and records back into batches, by the code that answers look-ups.
type Decoder interface {
	// Decode returns a row for each key, with the columns that AsOf has. The error is ErrCorrupt.
	Decode(keys, records [][]byte) (*fstore.Batch, error)
}

// Store is the reading side of an online store.
type Store interface {
	Pointer(ctx context.Context, ref fstore.ViewRef) (fstore.Pointer, bool, error)
	Header(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (fstore.Header, bool, error)
	// Records reads the records of a generation's keys: nil for a key without one.
	Records(ctx context.Context, g fstore.Generation, keys [][]byte) ([][]byte, error)
	// ScanRecords calls fn with the key of every record, in no order; it ends with fn's first error.
	ScanRecords(ctx context.Context, fn func(fstore.StoredKey) error) error
	Decoder(v *fstore.ViewVersion, p fstore.Pointer) (Decoder, error)
}

// Options are what Run needs. Shown, SortBytes and Progress may be zero.
type Options struct {
	Views   []*fstore.ViewVersion
	Sample  int // how many keys of each view to look at, offline and stored ones each; 0: all
	Source  Source
	Store   Store
	TempDir string // for the store's keys while they are sorted

	Shown     int // how many differences of a view are told; default 100
	SortBytes int // of keys in memory while they are sorted; default 32 MB
	Progress  func(view fstore.ViewRef, checked int64)
}

// View is what was found of a view version.
type View struct {
	View        fstore.ViewRef    `json:"view"`
	Published   time.Time         `json:"published,omitzero"`
	RunAt       time.Time         `json:"run_at,omitzero"` // of the run that has begun and not finished: its values are right too
	Generation  fstore.Generation `json:"generation,omitempty"`
	Keys        int64             `json:"keys"`    // the view has offline, at either instant
	Checked     int64             `json:"checked"` // keys that were looked at
	Missing     int64             `json:"missing"` // the store has no record
	Extra       int64             `json:"extra"`   // the view has no such key
	Differing   int64             `json:"differing"`
	Undecodable int64             `json:"undecodable"`
	Differences []Difference      `json:"differences,omitempty"` // the first of them, in key order
	Problem     string            `json:"problem,omitempty"`     // why nothing could be compared
	Hint        string            `json:"hint,omitempty"`
}

// Right reports whether nothing is wrong.
func (v *View) Right() bool { return v.Problem == "" && v.wrong() == 0 }

// Note says what was special about the view; empty if nothing was.
func (v *View) Note() string {
	note := v.Problem
	if !v.RunAt.IsZero() {
		note = "behind an unfinished run for " + fstore.FormatTime(v.RunAt)
	}
	if v.Hint != "" {
		note += ": " + v.Hint
	}
	return note
}

func (v *View) wrong() int64 { return v.Missing + v.Extra + v.Differing + v.Undecodable }

// Kind says what is wrong with a key.
type Kind string

// The kinds of difference.
const (
	Missing     Kind = "missing"
	Extra       Kind = "extra"
	Differing   Kind = "differing"
	Undecodable Kind = "undecodable"
)

// Difference is a key whose record is not right.
type Difference struct {
	Kind    Kind     `json:"kind"`
	Key     string   `json:"key"`               // its columns as JSON, or its bytes in hex where they are no key of the view
	Feature string   `json:"feature,omitempty"` // the first that differs, or "event"; "" if neither differs
	Also    []string `json:"also,omitempty"`    // others that differ; at most 20
	Offline string   `json:"offline,omitempty"` // the value of Feature as JSON, as of Published
	Online  string   `json:"online,omitempty"`
	Detail  string   `json:"detail,omitempty"` // what cannot be decoded, or the window in which the feature differs
}

// Features names all features that differ, for a table.
func (d *Difference) Features() string {
	return strings.Join(append([]string{d.Feature}, d.Also...), ", ")
}

// Stored says what the store has, for a table.
func (d *Difference) Stored() string {
	if d.Online == "" || d.Detail == "" {
		return d.Online + d.Detail
	}
	return d.Online + " " + d.Detail
}

// attempts is how often Run checks a view that is published again during the check.
const attempts = 4

// Run verifies views one after another. A wrong view is a finding, not an error. It returns an error if something could not
// be done, and ErrUnavailable also if a view was published again during each attempt.
func Run(ctx context.Context, o Options) ([]View, error) {
	if o.Shown == 0 {
		o.Shown = 100
	}
	if o.SortBytes == 0 {
		o.SortBytes = 32 << 20
	}
	if o.Progress == nil {
		o.Progress = func(fstore.ViewRef, int64) {}
	}
	var out []View
	r := &runner{o: &o}
	defer r.close()
	if err := r.scan(ctx); err != nil {
		return nil, err
	}
	for _, v := range o.Views {
		view, err := r.view(ctx, v)
		if err != nil {
			return out, fmt.Errorf("verify %s: %w", v.Ref, err)
		}
		out = append(out, *view)
	}
	return out, nil
}

// runner holds the store's keys, by generation.
type runner struct {
	o    *Options
	keys map[fstore.Generation]*keySorter
}

func (r *runner) close() {
	for _, k := range r.keys {
		k.close()
	}
}

// standing is what the store says of a view version.
type standing struct {
	published bool
	pointer   fstore.Pointer
	header    *fstore.Header // nil: none that can be read
}

// instants returns those whose values are right.
func (s *standing) instants() []time.Time {
	out := []time.Time{s.pointer.Published}
	if h := s.header; h != nil && !h.Complete && !h.RunAt.Equal(s.pointer.Published) {
		out = append(out, h.RunAt)
	}
	return out
}

// same reports whether nothing was begun or published between two looks.
func (s *standing) same(o *standing) bool {
	if s.published != o.published || s.pointer != o.pointer || (s.header == nil) != (o.header == nil) {
		return false
	}
	return s.header == nil || s.header.Run == o.header.Run && s.header.Complete == o.header.Complete
}

func (r *runner) standing(ctx context.Context, ref fstore.ViewRef) (s standing, err error) {
	if s.pointer, s.published, err = r.o.Store.Pointer(ctx, ref); err != nil || !s.published {
		return s, err
	}
	h, ok, err := r.o.Store.Header(ctx, ref, s.pointer.Generation)
	if errors.Is(err, fstore.ErrCorrupt) {
		return s, nil
	}
	if ok {
		s.header = &h
	}
	return s, err
}

// view looks at one view until no run has got in between.
func (r *runner) view(ctx context.Context, v *fstore.ViewVersion) (*View, error) {
	for range attempts {
		before, err := r.standing(ctx, v.Ref)
		out := &View{View: v.Ref, Published: before.pointer.Published, Generation: before.pointer.Generation}
		switch {
		case err != nil:
			return nil, err
		case before.pointer.Damaged != "":
			out.Problem, out.Hint = "the store's pointer cannot be read", "run fstore materialize --full "+v.Ref.String()
			return out, nil
		case !before.published:
			out.Problem, out.Hint = "it is not published", "run fstore materialize "+v.Ref.String()
			return out, nil
		case !before.pointer.Serves(v):
			out.Problem = "the store holds another definition of it, from another registry"
			out.Hint = "give each registry its own project or its own online store"
			return out, nil
		}
		if at := before.instants(); len(at) > 1 {
			out.RunAt = at[1]
		}
		if err := r.compare(ctx, v, &before, out); err != nil {
			return nil, err
		}
		after, err := r.standing(ctx, v.Ref)
		if err != nil {
			return nil, err
		}
		if out.wrong() == 0 || before.same(&after) {
			return out, nil
		}
		if err := r.scanFor(ctx, after.pointer.Generation); err != nil {
			return nil, err
		}
	}
	return nil, fstore.Errorf(fstore.ErrUnavailable, "it was published again during each of %d attempts", attempts).WithHint("try again when no run is under way")
}
