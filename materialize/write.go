package materialize

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// apply writes a run's differences after the header's watermark, and publishes the run. The header already names the
// run.
func (j *job) apply(ctx context.Context, r *run, stage Stage, seconds *float64) error {
	p := j.pens[r.Generation]
	if err := j.timed(seconds, func() error { return j.writeBatches(ctx, r, p, stage) }); err != nil {
		return err
	}
	return j.timed(&j.s.Seconds.Publish, func() error { return j.publish(ctx, r, p) })
}

// writeBatches reads the spool one batch ahead of the store.
func (j *job) writeBatches(ctx context.Context, r *run, p *fencedWriter, stage Stage) error {
	spool, err := openSpool(j.state.dir, r.Spool)
	if err != nil {
		return err
	}
	defer spool.close()
	ahead := newReadAhead(spool)
	defer ahead.stop()
	done, total := int64(0), r.Writes+r.Deletes
	for {
		b, err := ahead.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		done += int64(len(b.keys) + len(b.deletes))
		if b = b.after(p.header.Watermark); b == nil {
			continue // an earlier attempt has written it
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		is := *p.header
		is.Watermark = bytes.Clone(b.last)
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
}

// publish makes readers see the run.
func (j *job) publish(ctx context.Context, r *run, p *fencedWriter) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	is := *p.header
	is.Published, is.Complete, is.Watermark = r.At, true, nil
	pointer, err := p.publish(ctx, is, j.pointer, j.v.View.Publish.ServableFrom(r.At))
	if err != nil {
		return err
	}
	j.pointer = &pointer
	if err := j.step("publish"); err != nil {
		return err
	}
	return j.state.removeSpool(r)
}

// after returns the batch without the keys up to watermark, or nil if none is left. Batches and watermarks agree
// unless the batch size changed between two versions of fstore.
func (b *batch) after(watermark []byte) *batch {
	if len(watermark) == 0 {
		return b // none; or the empty key, which is written again
	}
	if bytes.Compare(b.last, watermark) <= 0 {
		return nil
	}
	cut := *b
	for len(cut.keys) > 0 && bytes.Compare(cut.keys[0], watermark) <= 0 {
		cut.bytes -= int64(len(cut.keys[0]) + len(cut.values[0]))
		cut.keys, cut.values = cut.keys[1:], cut.values[1:]
	}
	for len(cut.deletes) > 0 && bytes.Compare(cut.deletes[0], watermark) <= 0 {
		cut.deletes = cut.deletes[1:]
	}
	return &cut
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
