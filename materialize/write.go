package materialize

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/fstore-dev/fstore"
)

// apply writes what is left of a run's differences after the fence's watermark, and publishes the run. The header already
// names the run. The fence does not yet if the run was stopped in between.
func (j *job) apply(ctx context.Context, r *run, stage Stage) error {
	p := j.pens[r.Generation]
	if err := j.timed(ctx, stage, func() error { return j.writeBatches(ctx, r, p, stage) }); err != nil {
		return err
	}
	return j.timed(ctx, StagePublish, func() error { return j.publish(ctx, r, p) })
}

// writeBatches reads the spool one batch ahead of the store. A run whose fence is complete may have no spool any longer.
func (j *job) writeBatches(ctx context.Context, r *run, p *fencedWriter, stage Stage) error {
	if p.fence == nil || p.fence.Run != r.Run {
		if err := j.beginFence(ctx, r); err != nil {
			return err
		}
	}
	if p.fence.Complete {
		return nil
	}
	spool, err := openSpool(j.state.dir, r.Spool)
	if err != nil {
		return err
	}
	defer spool.close()
	ahead := newReadAhead(spool)
	defer ahead.stop()
	done, total := int64(0), r.Writes+r.Deletes
	for done < total {
		b, err := ahead.next()
		if err == io.EOF {
			return spoolDamaged("it ends early")
		}
		if err != nil {
			return err
		}
		if done += int64(len(b.keys) + len(b.deletes)); done <= p.fence.Watermark {
			continue // an earlier attempt has written it
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		is := *p.fence
		is.Watermark, is.Complete = done, done == total
		if err := p.write(ctx, is, b); err != nil {
			return err
		}
		j.s.Written += int64(len(b.keys))
		j.s.Deleted += int64(len(b.deletes))
		j.s.Bytes += b.bytes
		j.progress(stage, done, total)
		if err := j.step("batch"); err != nil {
			return err
		}
	}
	if done > total {
		return spoolDamaged("it has more than its run")
	}
	return nil
}

// publish makes readers see the run. It waits for a replica first, so that a failover does not lose what it publishes.
func (j *job) publish(ctx context.Context, r *run, p *fencedWriter) error {
	warning, err := j.o.Sink.Replicated(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		warning = fmt.Sprintf("cannot tell whether a replica has the writes: %v", err)
	}
	if warning != "" {
		j.warn(warning)
	}
	is := *p.header
	is.Published, is.Complete = r.At, true
	to := fstore.Pointer{
		Generation: is.Generation, Published: is.Published, Servable: j.v.View.Publish.ServableFrom(r.At), Fingerprint: is.Fingerprint,
		Layout: is.Layout, Run: r.Run, Partitions: is.Partitions, Number: r.Number, MaxEvent: r.MaxEvent,
	}
	if err := p.publish(ctx, is, j.pointer, to); err != nil {
		return err
	}
	j.pointer = &to
	if err := j.step("publish"); err != nil {
		return err
	}
	return j.state.removeSpool(r)
}

// number returns the number of the next publication.
func (j *job) number() int64 {
	if j.pointer == nil {
		return 1
	}
	return j.pointer.Number + 1
}

// readAhead reads a spool in its own goroutine, with two alternating batches.
type readAhead struct {
	filled chan readBatch
	free   chan *batch
	wg     sync.WaitGroup
	held   *batch
}

type readBatch struct {
	b   *batch
	err error
}

func newReadAhead(spool *spoolReader) *readAhead {
	a := &readAhead{filled: make(chan readBatch, 2), free: make(chan *batch, 2)}
	a.free <- &batch{}
	a.free <- &batch{}
	a.wg.Go(func() {
		defer close(a.filled)
		for b := range a.free {
			err := spool.next(b)
			a.filled <- readBatch{b, err}
			if err != nil {
				return
			}
		}
	})
	return a
}

// next returns the next batch, which is valid until the next call.
func (a *readAhead) next() (*batch, error) {
	if a.held != nil {
		a.free <- a.held
	}
	r := <-a.filled
	a.held = r.b
	return r.b, r.err
}

func (a *readAhead) stop() {
	close(a.free)
	a.wg.Wait()
}
