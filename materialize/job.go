package materialize

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/fstore-dev/fstore"
)

// job is the run of one view, under its lease.
type job struct {
	o     *Options
	v     *fstore.ViewVersion
	token string
	p     time.Time
	s     *Summary

	state   *state
	pointer *fstore.Pointer // as this run last read or wrote it; nil: none
	pens    map[fstore.Generation]*fencedWriter
}

// newJob is called under the lease. So a run that had to wait publishes as of the end of its wait, and never before
// the instant that the previous holder has published.
func newJob(o *Options, v *fstore.ViewVersion, token string, s *Summary) *job {
	to := o.To
	if to.IsZero() {
		to = o.Now()
	}
	return &job{o: o, v: v, token: token, p: v.View.Publish.Latest(to), s: s, pens: map[fstore.Generation]*fencedWriter{}}
}

// run follows the protocol in docs/materialize.md.
func (j *job) run(ctx context.Context) error {
	f, err := j.look(ctx)
	if err != nil {
		return err
	}
	if r := f.standing(j.v, j.p, j.o); r != nil && r.Inputs == j.o.Source.Stamp(ctx, j.v) {
		j.s.Keys, j.s.Unchanged = r.Keys, r.Keys
		return j.skip(ctx, Unchanged)
	}
	todo, err := decide(f, j.v, j.p, j.o)
	if err != nil {
		return err
	}
	if todo.later {
		return j.skip(ctx, PublishedLater)
	}
	if err := j.check(ctx); err != nil {
		return err
	}
	j.s.NewGeneration = todo.reason
	if lost := f.lost(j.o.Store); lost != "" {
		j.warn(lost)
		if todo.reason != "" && j.o.Mode&Full == 0 {
			j.s.NewGeneration = "the store went back in time: " + todo.reason
		}
	}
	if err := j.fence(ctx, todo); err != nil {
		return err
	}
	if err := j.state.removeJunk(); err != nil {
		return err
	}
	if todo.finish != nil {
		j.s.Finished = todo.finish.At
		if err := j.renumber(ctx, todo.finish); err != nil {
			return err
		}
		if err := j.apply(ctx, todo.finish, StageFinish); err != nil {
			return err
		}
		j.published()
	}
	if !todo.finishOnly {
		if err := j.update(ctx, todo.base); err != nil {
			return err
		}
	}
	return j.timed(ctx, StageClean, func() error { return j.clean(ctx) })
}

// check checks a version before its first write, unless the store has published exactly this definition already.
func (j *job) check(ctx context.Context) error {
	if j.o.Check == nil || j.pointer != nil && j.pointer.Serves(j.v) {
		return nil
	}
	j.progress(StageCheck, 0, 0)
	return j.timed(ctx, StageCheck, func() (err error) { j.s.Causality, err = j.o.Check(ctx, j.v); return err })
}

// update computes the view and brings the store from base to it. A nil base means a new generation.
func (j *job) update(ctx context.Context, base *run) error {
	g := fstore.Generation(newID(8))
	if base != nil {
		g = base.Generation
	} else {
		j.pens[g] = j.pen()
	}
	var r *run
	err := j.timed(ctx, StageCompute, func() (err error) { r, err = j.computeStill(ctx, base, g); return err })
	if err != nil {
		return err
	}
	if r != nil {
		if err := j.begin(ctx, r); err != nil {
			return err
		}
		if err := j.apply(ctx, r, StageWrite); err != nil {
			return err
		}
	}
	j.published()
	return nil
}

// warn adds a warning to the summary.
func (j *job) warn(text string) {
	if j.s.Warning != "" {
		j.s.Warning += "; "
	}
	j.s.Warning += text
}

// skip ends a run that computes nothing and has written nothing. It confirms the lease: what a run saw is outdated if
// it slept past its lease.
func (j *job) skip(ctx context.Context, why Skip) error {
	if err := j.o.Leases.Renew(ctx, j.v.Ref, j.token, j.o.LeaseTTL, j.o.Clock.Now()); err != nil {
		return err
	}
	j.s.Skipped = why
	j.published()
	return nil
}

// published records in the summary what readers see.
func (j *job) published() {
	j.s.Generation, j.s.Published = j.pointer.Generation, j.pointer.Published
	if servable := j.v.View.Publish.ServableFrom(j.pointer.Published); servable.After(j.pointer.Published) {
		j.s.Servable = servable
	}
}

// look reads the store and the state.
func (j *job) look(ctx context.Context) (*facts, error) {
	if err := j.step("lease"); err != nil {
		return nil, err
	}
	dir, err := stateFolder(j.o.State, j.v.Ref)
	if err != nil {
		return nil, err
	}
	if j.state, err = openState(dir); err != nil {
		return nil, err
	}
	f := &facts{pens: j.pens, runsRead: j.state.runsRead, leftovers: j.state.leftovers(), intact: j.state.intact, rules: j.o.rules(j.v)}
	if j.pointer, err = j.readPointer(ctx); err != nil {
		return nil, err
	}
	f.pointer = j.pointer
	generations := j.state.generations()
	if f.pointer != nil && f.pointer.Damaged == "" && generations[f.pointer.Generation] == nil {
		generations[f.pointer.Generation] = nil
	}
	for g := range generations {
		p := j.pen()
		if err := p.look(ctx, g); err != nil {
			return nil, err
		}
		j.pens[g] = p
	}
	return f, nil
}

func (j *job) pen() *fencedWriter {
	return &fencedWriter{sink: j.o.Sink, store: j.patience(), ref: j.v.Ref}
}

func (j *job) patience() *Patience {
	return &Patience{
		Clock: j.o.Clock, Limit: j.o.StoreWait, For: fstore.ErrUnavailable, Gone: &j.o.storeGone,
		Waits: func(err error) { j.o.Waits(j.v.Ref, err) }, Tries: momentTries,
	}
}

func (j *job) readPointer(ctx context.Context) (*fstore.Pointer, error) {
	return read(ctx, j.patience(), func() (fstore.Pointer, bool, error) { return j.o.Sink.Pointer(ctx, j.v.Ref) })
}

// fence puts this run's lease token into every header and fence, so that no earlier holder of the lease can write any
// longer. A load that will not be finished also loses its fingerprint, so that no later run resumes it.
//
// The lease is confirmed after headers and fences are read and before they are changed. A run that slept past its lease
// finds out here, by the lost lease or by what has changed.
func (j *job) fence(ctx context.Context, todo plan) error {
	if err := j.step("fence"); err != nil {
		return err
	}
	if err := j.o.Leases.Renew(ctx, j.v.Ref, j.token, j.o.LeaseTTL, j.o.Clock.Now()); err != nil {
		return err
	}
	for g, p := range j.pens {
		if p.broken {
			continue
		}
		if p.header != nil {
			is := *p.header
			is.Token = j.token
			live := j.pointer != nil && g == j.pointer.Generation
			if !live && !is.Complete && (todo.finish == nil || todo.finish.Generation != g) {
				is.Fingerprint = ""
			}
			if err := p.set(ctx, is); err != nil {
				return err
			}
			if err := j.step("claimed"); err != nil {
				return err
			}
		}
		if p.fence != nil {
			is := *p.fence
			is.Token = fstore.FenceToken(j.token)
			if err := p.setFence(ctx, is); err != nil {
				return err
			}
			if err := j.step("fenced"); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin makes a durable run the header's run, and then the fence's. From here on the store says which run is changing it.
func (j *job) begin(ctx context.Context, r *run) error {
	if err := j.step("durable"); err != nil {
		return err
	}
	p := j.pens[r.Generation]
	is := fstore.Header{
		View: j.v.Ref, Generation: r.Generation, Fingerprint: r.Fingerprint, Layout: r.Layout, Partitions: fstore.Partitions,
		Run: r.Run, RunAt: r.At, Token: j.token,
	}
	if p.header != nil {
		is.Published = p.header.Published
	}
	if err := p.set(ctx, is); err != nil {
		return err
	}
	if err := j.step("begin"); err != nil {
		return err
	}
	return j.beginFence(ctx, r)
}

// beginFence makes the run that the header names the fence's run. The fence is complete with what the run builds on, or
// missing from a new generation, which has nothing that readers may see before this run publishes.
func (j *job) beginFence(ctx context.Context, r *run) error {
	p := j.pens[r.Generation]
	is := fstore.Fence{
		View: j.v.Ref, Generation: r.Generation, Run: r.Run, At: r.At, Token: fstore.FenceToken(j.token),
		Complete: r.Writes+r.Deletes == 0,
	}
	if p.fence != nil {
		is.Base, is.BaseAt = p.fence.Run, p.fence.At
	}
	if err := p.setFence(ctx, is); err != nil {
		return err
	}
	return j.step("begin fence")
}

// timed runs a stage and adds its duration to the summary.
func (j *job) timed(ctx context.Context, stage Stage, do func() error) error {
	start, end := j.o.Clock.Now(), j.o.BeginStage(ctx, stage)
	err := do()
	end(err)
	*j.s.Seconds.of(stage) += j.o.Clock.Now().Sub(start).Seconds()
	return err
}

func (j *job) step(name string) error { return j.o.step(name) }

func (j *job) progress(stage Stage, done, total int64) {
	j.o.Progress(Progress{View: j.v.Ref, Stage: stage, Done: done, Total: total})
}

// newID returns n random bytes in hexadecimal.
func newID(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
