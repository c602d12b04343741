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
	// AsOf returns the view as of p: one row per key in ascending key order, without stale rows. The columns are the
	// join keys in name order, the event time, and the features in name order. A batch is valid until the next one.
	AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error]

	// Stamp identifies everything that AsOf depends on besides the definition and p: as long as the text stays the
	// same, so do the rows. It reads no file. It returns "" if it cannot tell: files are missing, or were written so
	// recently that another write could go unnoticed.
	Stamp(ctx context.Context, v *fstore.ViewVersion) string
}

// Encoder packs the rows of one view version.
type Encoder interface {
	// Encode appends row i's key to key and its record to record, and returns both.
	Encode(batch *fstore.Batch, i int, key, record []byte) ([]byte, []byte, error)
	// Content returns the part of a record that is the same in every generation.
	Content(record []byte) []byte
}

// Sink is the write side of an online store. Its errors are ErrConflict if a guard did not hold, and then nothing was
// written, and ErrUnavailable if the outcome is unknown.
type Sink interface {
	// Pointer returns the pointer of a view version, or false if there is none.
	Pointer(ctx context.Context, ref fstore.ViewRef) (fstore.Pointer, bool, error)
	// Header returns the header of a generation, or false if there is none.
	Header(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (fstore.Header, bool, error)
	// SetHeader writes a header if the stored one equals was. A nil was means that there is none.
	SetHeader(ctx context.Context, was *fstore.Header, is fstore.Header) error
	// Encoder returns the encoder for the rows of a generation of a view version.
	Encoder(v *fstore.ViewVersion, g fstore.Generation) (Encoder, error)
	// Fence returns the fence of a generation, or false if there is none.
	Fence(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (fstore.Fence, bool, error)
	// SetFence writes a fence if the stored one equals was. A nil was means that there is none.
	SetFence(ctx context.Context, was *fstore.Fence, is fstore.Fence) error
	// WriteBatch sets and deletes records and writes the fence, atomically, if the stored fence equals was. The keys come
	// from the Encoder. values[i] belongs to keys[i].
	WriteBatch(ctx context.Context, was, is fstore.Fence, keys, values, deletes [][]byte) error
	// Replicated returns once a replica has everything written so far, or a moment later with a warning that none has.
	Replicated(ctx context.Context) (warning string, err error)
	// Publish writes the header and the pointer, atomically, if the stored header, fence and pointer equal was, fence and
	// from. A nil from means that there is none.
	Publish(ctx context.Context, was, is fstore.Header, fence fstore.Fence, from *fstore.Pointer, p fstore.Pointer) error
	// DropFence, Drop and DropHeader delete what is left of a generation that readers have left, in this order, and only
	// if the stored pointer equals p. DropFence and DropHeader also ask that the stored fence or header is the one given.
	// Missing records are not an error.
	DropFence(ctx context.Context, p fstore.Pointer, f fstore.Fence) error
	Drop(ctx context.Context, ref fstore.ViewRef, p fstore.Pointer, g fstore.Generation, keys [][]byte) error
	DropHeader(ctx context.Context, p fstore.Pointer, h fstore.Header) error
}

// Leases say who may materialize a view version. The registry keeps them, for one project and this process. They are
// safe for concurrent use.
type Leases interface {
	// Acquire returns a token that no other lease ever had. ErrConflict names the holder of the lease.
	Acquire(ctx context.Context, view fstore.ViewRef, ttl time.Duration, now time.Time) (token string, err error)
	// Renew extends the lease to now + ttl. It returns ErrConflict if the token no longer holds the lease.
	Renew(ctx context.Context, view fstore.ViewRef, token string, ttl time.Duration, now time.Time) error
	// Release releases the lease. It does nothing if the token no longer holds the lease.
	Release(ctx context.Context, view fstore.ViewRef, token string) error
}

// Clock is the time of leases, waits and stage timings. No stored value depends on it.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or with the context's error if the context ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Mode changes what a run may do. Modes add up: Full|Rewind.
type Mode uint8

// The modes. With zero, a run writes the difference and only moves forward.
const (
	Full   Mode = 1 << iota // fill a new generation, whatever the store holds
	Rewind                  // publish an instant before the published one
)

// Options are what Run needs. If Check fails, the view fails; the text that Check returns goes into the view's summary. Check,
// Inspectors, Publications, Accept, Mode, Wait, StoreWait, Waits, LeaseTTL, BatchKeys, BatchBytes, Progress, Begin and
// BeginStage may be zero.
type Options struct {
	Views  []*fstore.ViewVersion // run in this order
	To     time.Time             // T: each view is published at View.Publish.Latest(T); zero: now, once the view's lease is held
	Now    func() time.Time      // limits To
	Mode   Mode
	Wait   time.Duration                                              // how long to wait for a lease that is held; zero: not at all
	State  string                                                     // folder of the project's state; each view version has a folder in it
	Store  string                                                     // any text that names the store, to recognize runs in State of another store
	Build  string                                                     // names this build: runs of other builds are not assumed to compute the same
	Check  func(context.Context, *fstore.ViewVersion) (string, error) // before a version's first write
	Source Source
	Sink   Sink
	Leases Leases
	Clock  Clock

	Inspectors   []Inspector  // check what a run publishes, beside the guard
	Publications Publications // nil: no counts are kept, so the guard has nothing to compare with
	Accept       []string     // digests of results that are published whatever is asked about them; see Refusal

	StoreWait time.Duration               // how long to wait for a store that cannot be reached; default DefaultStoreWait; negative: not at all
	Waits     func(fstore.ViewRef, error) // called when a run begins to wait for the store

	LeaseTTL   time.Duration // default 1 minute
	BatchKeys  int           // maximum number of keys in a batch; default 5,000
	BatchBytes int           // maximum bytes of keys and records in a batch, except its last record; default 1 MB
	Progress   func(Progress)

	// Begin is called when the run of a view begins, and the function that it returns when that run ends. The context that it
	// returns is the run's. Nil does nothing.
	Begin func(context.Context, *fstore.ViewVersion) (run context.Context, end func(*Summary, error))

	// BeginStage is called likewise for each stage of the run of a view. ctx is that run's.
	BeginStage func(ctx context.Context, stage Stage) (end func(error))

	storeGone bool // see Patience

	step func(name string) error // called at every step; an error ends the run like a crash would (tests)
}

// DefaultStoreWait is longer than Sentinel takes for a failover, which by default it begins after 30 s.
const DefaultStoreWait = time.Minute

// Progress is the progress of a view. Total is 0 if unknown.
type Progress struct {
	View        fstore.ViewRef
	Stage       Stage
	Done, Total int64 // keys
}

// Stage names a part of a run.
type Stage string

// The stages, in order. Check runs before a version's first write. Finish writes an interrupted earlier run.
const (
	StageCheck   Stage = "check for leaks"
	StageFinish  Stage = "finish"
	StageCompute Stage = "compute"
	StageWrite   Stage = "write"
	StagePublish Stage = "publish" // one step, without Progress
	StageClean   Stage = "clean"
)

// Summary says what a run did to one view.
type Summary struct {
	View          fstore.ViewRef      `json:"view"`
	Generation    fstore.Generation   `json:"generation,omitempty"`
	Published     time.Time           `json:"published,omitzero"`       // P; zero if the run failed before it published
	Servable      time.Time           `json:"servable,omitzero"`        // P + delay: training uses the published data from then on; zero: P itself
	Keys          int64               `json:"keys"`                     // the view's keys as of P
	Written       int64               `json:"written"`                  // records written, including those of a finished earlier run
	Deleted       int64               `json:"deleted"`                  // records deleted, likewise
	Unchanged     int64               `json:"unchanged"`                // keys that the store already had
	Bytes         int64               `json:"bytes"`                    // of keys and records written
	Seconds       Seconds             `json:"seconds"`                  // by stage
	Skipped       Skip                `json:"skipped,omitempty"`        // why nothing was computed; empty if it was
	NewGeneration string              `json:"new_generation,omitempty"` // why there is a new generation; empty if there is none
	Finished      time.Time           `json:"finished,omitzero"`        // P of the interrupted run that was finished first
	Left          []fstore.Generation `json:"left,omitempty"`           // dead generations whose list of keys is damaged: their records stay
	Causality     string              `json:"causality,omitempty"`      // what Check found; empty: there was nothing to check, or an earlier run has written
	ComparedWith  string              `json:"compared_with,omitempty"`  // the publication that the run was compared with, or why there is none
	Refused       *Refusal            `json:"refused,omitempty"`        // why the result was not published
	Accepted      string              `json:"accepted,omitempty"`       // the digest of the result, which Options.Accept has
	Warning       string              `json:"warning,omitempty"`        // the store went back in time before the run, or no replica has confirmed its writes
	Error         string              `json:"error,omitempty"`
}

// Skip says why a run computed nothing.
type Skip string

// The reasons to compute nothing.
const (
	Unchanged      Skip = "unchanged"       // the last publication was computed from the same inputs, for the same P
	PublishedLater Skip = "published later" // another machine, whose clock is ahead, has published a P later than this machine's now
)

// Seconds is the time that a run spent in each stage.
type Seconds struct {
	Check   float64 `json:"check,omitempty"`
	Finish  float64 `json:"finish,omitempty"`
	Compute float64 `json:"compute"`
	Write   float64 `json:"write"`
	Publish float64 `json:"publish"`
	Clean   float64 `json:"clean"`
}

// of returns the time of a stage.
func (s *Seconds) of(stage Stage) *float64 {
	switch stage {
	case StageCheck:
		return &s.Check
	case StageFinish:
		return &s.Finish
	case StageCompute:
		return &s.Compute
	case StageWrite:
		return &s.Write
	case StagePublish:
		return &s.Publish
	case StageClean:
		return &s.Clean
	}
	panic("there is no stage " + stage)
}

// Total returns the time of all stages.
func (s *Seconds) Total() float64 {
	return s.Check + s.Finish + s.Compute + s.Write + s.Publish + s.Clean
}

// Run materializes the views one after another and returns a summary of each, in order. A view's failure does not
// stop the others. The error joins all errors: ErrInvalid (an instant that is refused), ErrConflict (another run
// holds the lease, or took over), ErrUnavailable (the store or the registry cannot be reached), ErrCorrupt (the
// view's keys are out of order), ErrCheck (a result was refused and not written), and the errors of Source and Sink.
func Run(ctx context.Context, o Options) ([]Summary, error) {
	o.defaults()
	if now := o.Now(); o.To.After(now) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "cannot materialize to %s: it is after now, %s",
			fstore.FormatTime(o.To), fstore.FormatTime(now)).WithHint("future data cannot be published")
	}
	var summaries []Summary
	var errs []error
	for _, v := range o.Views {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		s := Summary{View: v.Ref}
		run, end := o.Begin(ctx, v)
		err := o.view(run, v, &s)
		if err != nil {
			s.Error = err.Error()
			errs = append(errs, fmt.Errorf("materialize %s: %w", v.Ref, err))
		}
		end(&s, err)
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
	if o.StoreWait == 0 {
		o.StoreWait = DefaultStoreWait
	}
	if o.Waits == nil {
		o.Waits = func(fstore.ViewRef, error) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Begin == nil {
		o.Begin = func(ctx context.Context, _ *fstore.ViewVersion) (context.Context, func(*Summary, error)) {
			return ctx, func(*Summary, error) {}
		}
	}
	if o.BeginStage == nil {
		o.BeginStage = func(context.Context, Stage) func(error) { return func(error) {} }
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
