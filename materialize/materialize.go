package materialize

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/fstore-dev/fstore"
)

// Source computes views. offline.Engine is one.
type Source interface {
	// AsOf returns the view as of p: one row per key in ascending key order, stale rows left out. The columns are
	// the join keys in name order, the event time, and the features in name order. A batch is valid until the next.
	AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error]

	// Stamp identifies all that AsOf depends on beside the definition and p: as long as the text is the same, so are the
	// rows. It reads no file. An empty text says that this cannot be told: files are missing, or were written just now and
	// could be written again without that being seen.
	Stamp(ctx context.Context, v *fstore.ViewVersion) string
}

// Encoder packs the rows of one view version.
type Encoder interface {
	// Encode appends row i's key to key and its record to record, and returns both.
	Encode(batch *fstore.Batch, i int, key, record []byte) ([]byte, []byte, error)
}

// Sink is the write side of an online store. An error is ErrConflict where a guard did not hold (nothing was
// written then), and ErrUnavailable where the outcome is unknown.
type Sink interface {
	// Pointer returns which generation of a view version answers; false where there is none.
	Pointer(ctx context.Context, ref fstore.ViewRef) (fstore.Pointer, bool, error)
	// Header returns what the store knows of a generation; false where it knows nothing.
	Header(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (fstore.Header, bool, error)
	// SetHeader writes a header if the one there equals was; a nil was stands for none.
	SetHeader(ctx context.Context, was *fstore.Header, is fstore.Header) error
	// Encoder returns the packer of the rows of a generation of a view version.
	Encoder(v *fstore.ViewVersion, g fstore.Generation) (Encoder, error)
	// WriteBatch sets and deletes records and writes the header, atomically, if the header there equals was.
	// Keys are as the Encoder made them; values[i] belongs to keys[i].
	WriteBatch(ctx context.Context, was, is fstore.Header, keys, values, deletes [][]byte) error
	// Publish writes the header and the pointer, atomically, if the header there equals was and the pointer from;
	// a nil from stands for none.
	Publish(ctx context.Context, was, is fstore.Header, from *fstore.Pointer, p fstore.Pointer) error
	// Drop deletes records of a generation that readers have left; absent ones are no error.
	Drop(ctx context.Context, g fstore.Generation, keys [][]byte) error
	// DropHeader deletes the header of a generation if the one there equals h.
	DropHeader(ctx context.Context, h fstore.Header) error
}

// Leases say who may materialize a view version. The registry keeps them, for one project and this process. They are
// safe for concurrent use.
type Leases interface {
	// Acquire returns a token that no other lease ever had; ErrConflict names who holds the lease.
	Acquire(ctx context.Context, view fstore.ViewRef, ttl time.Duration, now time.Time) (token string, err error)
	// Renew extends the lease to now + ttl; ErrConflict if it is held under the token no more.
	Renew(ctx context.Context, view fstore.ViewRef, token string, ttl time.Duration, now time.Time) error
	// Release gives the lease back; one that is held under the token no more is left alone.
	Release(ctx context.Context, view fstore.ViewRef, token string) error
}

// Clock is the time of leases, waits and stage timings. No value that is stored depends on it.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or with the context's error when that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Mode changes what a run may do. Modes add up: Full|Rewind.
type Mode uint8

// The modes. Zero writes the difference and goes forward only.
const (
	Full   Mode = 1 << iota // fill a new generation, whatever the store holds
	Rewind                  // publish an instant before the published one
)

// Options are what Run needs. Mode, Wait, LeaseTTL, BatchKeys, BatchBytes and Progress may be zero.
type Options struct {
	Views  []*fstore.ViewVersion // run in this order
	To     time.Time             // T: each view is published at View.Publish.Latest(T); zero: now, once the view's lease is held
	Now    func() time.Time      // the clock that To is judged by
	Mode   Mode
	Wait   time.Duration // how long to wait for a lease that somebody holds; zero: not at all
	State  string        // folder of the project's state; a folder per view version is made in it
	Store  string        // names the store, for when runs in State belong to another one; any text
	Build  string        // names this build: no run of another one is taken to have computed the same
	Source Source
	Sink   Sink
	Leases Leases
	Clock  Clock

	LeaseTTL   time.Duration // default 1 minute
	BatchKeys  int           // keys a batch may write or delete; default 5,000
	BatchBytes int           // bytes of keys and records a batch may have, its last record aside; default 1 MB
	Progress   func(Progress)

	step func(name string) error // called at every step; its error ends the run as a crash would (tests)
}

// Progress says how far a view has come. Total is 0 where it is not known.
type Progress struct {
	View        fstore.ViewRef
	Stage       Stage
	Done, Total int64 // keys
}

// Stage names a part of a run.
type Stage string

// The stages, in order. Finish is the writing of an interrupted earlier run.
const (
	StageFinish  Stage = "finish"
	StageCompute Stage = "compute"
	StageWrite   Stage = "write"
	StageClean   Stage = "clean"
)

// Summary is what a run did to one view.
type Summary struct {
	View          fstore.ViewRef      `json:"view"`
	Generation    fstore.Generation   `json:"generation,omitempty"`
	Published     time.Time           `json:"published,omitzero"`       // P; zero where the run failed before it published
	Servable      time.Time           `json:"servable,omitzero"`        // P + delay, from which training uses what is published; zero: P itself
	Keys          int64               `json:"keys"`                     // the view's keys as of P
	Written       int64               `json:"written"`                  // records written, those of a finished earlier run included
	Deleted       int64               `json:"deleted"`                  // records deleted, likewise
	Unchanged     int64               `json:"unchanged"`                // keys the store held already
	Bytes         int64               `json:"bytes"`                    // of keys and records written
	Seconds       Seconds             `json:"seconds"`                  // by stage
	Skipped       Skip                `json:"skipped,omitempty"`        // why nothing was computed; empty: it was
	NewGeneration string              `json:"new_generation,omitempty"` // why there is a new generation; empty: there is none
	Finished      time.Time           `json:"finished,omitzero"`        // P of the interrupted run that was finished first
	Left          []fstore.Generation `json:"left,omitempty"`           // dead generations whose list of keys is damaged: their records stay
	Error         string              `json:"error,omitempty"`
}

// Skip says why a run computed nothing.
type Skip string

// The reasons to compute nothing.
const (
	Unchanged      Skip = "unchanged"       // the last publication was computed from the same inputs, for the same P
	PublishedLater Skip = "published later" // another machine, whose clock is ahead, has published a later P than now's
)

// Seconds are a run's times by stage.
type Seconds struct {
	Finish  float64 `json:"finish,omitempty"`
	Compute float64 `json:"compute"`
	Write   float64 `json:"write"`
	Publish float64 `json:"publish"`
	Clean   float64 `json:"clean"`
}

// Run materializes the views one after another and returns a summary of each, in their order. One view's failure
// does not stop the others; the error joins them all. Its kinds: ErrInvalid (an instant that is refused),
// ErrConflict (somebody holds the lease, or took over), ErrUnavailable (the store or the registry cannot be
// reached), ErrCorrupt (the view's keys are out of order), and what Source and Sink return.
func Run(ctx context.Context, o Options) ([]Summary, error) {
	o.defaults()
	if now := o.Now(); o.To.After(now) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "cannot materialize to %s: it is after now, %s",
			fstore.FormatTime(o.To), fstore.FormatTime(now)).WithHint("what is not yet known cannot be published")
	}
	var summaries []Summary
	var errs []error
	for _, v := range o.Views {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		s := Summary{View: v.Ref}
		if err := o.view(ctx, v, &s); err != nil {
			s.Error = err.Error()
			errs = append(errs, fmt.Errorf("materialize %s: %w", v.Ref, err))
		}
		summaries = append(summaries, s)
	}
	return summaries, errors.Join(errs...)
}

func (o *Options) defaults() {
	if o.LeaseTTL == 0 {
		o.LeaseTTL = time.Minute
	}
	if o.BatchKeys == 0 {
		o.BatchKeys = 5000
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 1 << 20
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
}

// view materializes one view under its lease.
func (o *Options) view(ctx context.Context, v *fstore.ViewVersion, s *Summary) error {
	if v.View.Offline {
		return fstore.Errorf(fstore.ErrInvalid, "the view is kept offline").WithHint("remove online: false from its definition")
	}
	return o.underLease(ctx, v.Ref, func(ctx context.Context, token string) error {
		return newJob(o, v, token, s).run(ctx)
	})
}
