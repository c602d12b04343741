package materialize

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"sync"

	"github.com/fstore-dev/fstore"
)

// block holds some encoded rows, back to back.
type block struct {
	keys, records       []byte
	keyEnds, recordEnds []int
	last                bool  // ends the stream
	maxEvent            int64 // of the rows so far, in microseconds; minEvent: none has an event time of its own
	err                 error // why the stream ended
}

// minEvent is less than every event time.
const minEvent = math.MinInt64

func (b *block) reset() {
	b.keys, b.records, b.keyEnds, b.recordEnds = b.keys[:0], b.records[:0], b.keyEnds[:0], b.recordEnds[:0]
}

func (b *block) key(i int) []byte    { return cut(b.keys, b.keyEnds, i) }
func (b *block) record(i int) []byte { return cut(b.records, b.recordEnds, i) }

func cut(data []byte, ends []int, i int) []byte {
	from := 0
	if i > 0 {
		from = ends[i-1]
	}
	return data[from:ends[i]:ends[i]]
}

// blocks is the number of blocks: one being filled, one being compared, one in transit.
const blocks = 3

// encode computes the view for a generation and sends its encoded rows in blocks. The last block is marked. Blocks
// return through free. encode closes filled.
func (j *job) encode(ctx context.Context, g fstore.Generation, in *inspection, filled chan<- *block, free <-chan *block) {
	defer close(filled)
	b, greatest := <-free, int64(minEvent)
	b.reset()
	end := func(err error) {
		b.last, b.err, b.maxEvent = true, err, greatest
		filled <- b // filled has room for every block
	}
	enc, err := j.o.Sink.Encoder(j.v, g)
	if err != nil {
		end(err)
		return
	}
	for batch, err := range j.o.Source.AsOf(ctx, j.v, j.p) {
		if err != nil {
			end(err)
			return
		}
		if err := in.rows(batch); err != nil {
			end(err)
			return
		}
		greatest = max(greatest, j.maxEvent(batch))
		for i := range batch.Len {
			if b.keys, b.records, err = enc.Encode(batch, i, b.keys, b.records); err != nil {
				end(err)
				return
			}
			b.keyEnds, b.recordEnds = append(b.keyEnds, len(b.keys)), append(b.recordEnds, len(b.records))
			if len(b.keyEnds) < j.o.BatchKeys && len(b.keys)+len(b.records) < j.o.BatchBytes {
				continue
			}
			filled <- b
			if b = <-free; b == nil {
				return // nobody is listening
			}
			b.reset()
		}
	}
	end(nil)
}

// maxEvent returns the greatest event time of a batch, or minEvent. A window ends at P whether or not rows arrive, so the event
// times of windowed views say nothing; static tables have none.
func (j *job) maxEvent(b *fstore.Batch) int64 {
	greatest := int64(minEvent)
	if j.v.View.Windowed() || j.v.View.Static() || len(b.Columns) <= len(j.v.View.Keys) {
		return greatest
	}
	event := &b.Columns[len(j.v.View.Keys)]
	for i := range min(b.Len, len(event.Int64s)) {
		if !event.IsNull(i) {
			greatest = max(greatest, event.Int64s[i])
		}
	}
	return greatest
}

// diff is the state of a run being computed.
type diff struct {
	manifest  *manifestWriter
	spool     *spoolWriter
	base      *manifestReader // nil: a new generation
	more      bool            // base is at a key
	rows      bool            // there was a row
	prev      []byte          // its key
	prevBlock []byte          // holds prev from one block to the next
	unchanged int64
	maxEvent  int64
	keys      [][]byte
	digests   []digest
}

// compute makes the run durable in state: its manifest and, in its spool, the differences from the base's manifest. Before
// that, every inspector has judged it. It returns nil if nothing differs and the base has published P already.
func (j *job) compute(ctx context.Context, base *run, g fstore.Generation) (*run, error) {
	r := &run{
		Format: stateFormat, Run: newID(8), Store: j.o.Store, View: j.v.Ref, Fingerprint: j.v.Fingerprint, Generation: g,
		Layout: fstore.RecordLayout, At: j.p, Number: j.number(), Build: j.o.Build, Rules: j.o.rules(j.v),
	}
	in, err := j.inspect()
	if err != nil {
		return nil, err
	}
	d, inputs := &diff{}, j.o.Source.Stamp(ctx, j.v)
	defer func() { d.abort() }()
	if err := d.open(j, r, base); err != nil {
		return nil, err
	}
	if err := j.diff(ctx, d, in, g); err != nil {
		return nil, err
	}
	r.Keys, r.Writes, r.Deletes = d.manifest.keys, d.spool.writes, d.spool.deletes
	j.s.Keys, j.s.Unchanged = r.Keys, d.unchanged
	if at := fstore.FromMicros(d.maxEvent); d.maxEvent != minEvent && at.Year() >= 0 && at.Year() <= 9999 { // others, such as -infinity, have no JSON
		r.MaxEvent = at
	}
	if inputs == j.o.Source.Stamp(ctx, j.v) { // otherwise they changed meanwhile, and nobody knows which were read
		r.Inputs = inputs
	}
	if base != nil && r.Writes+r.Deletes == 0 && j.pointer.Published.Equal(j.p) {
		return nil, j.state.recordInputs(base, r)
	}
	if err := j.step("computed"); err != nil {
		return nil, err
	}
	if r.Manifest, err = d.manifest.commit(); err != nil {
		return nil, err
	}
	if err := j.step("manifest"); err != nil {
		return nil, err
	}
	if err = d.spool.flush(); err == nil {
		r.Spool, err = d.spool.out.commit()
	}
	if err != nil {
		return nil, j.discard(r, err)
	}
	if err := j.step("spool"); err != nil {
		return nil, err
	}
	if err := j.judge(ctx, in, r, d.unchanged); err != nil {
		return nil, j.discard(r, err)
	}
	if err := j.step("judged"); err != nil {
		return nil, err
	}
	if err := j.state.add(r); err != nil {
		return nil, j.discard(r, err)
	}
	return r, nil
}

// mostComputes is how often a view is computed whose inputs do not stand still.
const mostComputes = 3

// movedError says that inputs changed while a run was judged.
type movedError struct{ error }

func (e *movedError) Unwrap() error { return e.error }

// computeStill computes the view, and again if an inspector says that the inputs have changed meanwhile: nobody knows whether the
// verdict is about the rows that were computed.
func (j *job) computeStill(ctx context.Context, base *run, g fstore.Generation) (r *run, err error) {
	warning := j.s.Warning
	for range mostComputes {
		j.s.Warning = warning
		if r, err = j.compute(ctx, base, g); !errors.As(err, new(*movedError)) {
			return r, err
		}
	}
	return nil, err
}

// discard removes the files of a run that cannot be made durable, and returns why.
func (j *job) discard(r *run, why error) error {
	_ = j.state.remove(r) // the next run removes what is left
	return why
}

func (d *diff) open(j *job, r, base *run) (err error) {
	if base != nil {
		r.Base = base.Run
		if d.base, err = openManifest(j.state.dir, base.Manifest); err != nil {
			return err
		}
		if d.more, err = d.base.next(); err != nil {
			return err
		}
	}
	if d.manifest, err = newManifest(j.state.dir, r.Run); err != nil {
		return err
	}
	d.spool, err = newSpool(j.state.dir, r.Run, j.o.BatchKeys, j.o.BatchBytes)
	return err
}

func (d *diff) abort() {
	_ = d.base.close()
	d.manifest.abort()
	if d.spool != nil {
		d.spool.out.abort()
	}
}

// diff streams the view through the comparison.
func (j *job) diff(ctx context.Context, d *diff, in *inspection, g fstore.Generation) error {
	ctx, cancel := context.WithCancel(ctx)
	filled, free := make(chan *block, blocks), make(chan *block, blocks)
	for range blocks {
		free <- &block{}
	}
	var wg sync.WaitGroup
	wg.Go(func() { j.encode(ctx, g, in, filled, free) })
	defer wg.Wait()
	defer close(free)
	defer cancel()
	for b := range filled {
		if err := d.block(b); err != nil {
			return err
		}
		j.progress(StageCompute, d.manifest.keys, 0)
		if b.last {
			if b.err != nil {
				return b.err
			}
			d.maxEvent = b.maxEvent
			break
		}
		free <- b
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return d.rest()
}

// block compares the rows of a block with the base.
func (d *diff) block(b *block) error {
	d.keys, d.digests = d.keys[:0], d.digests[:0]
	for i := range b.keyEnds {
		key, record := b.key(i), b.record(i)
		if d.rows && bytes.Compare(d.prev, key) >= 0 {
			return fstore.Errorf(fstore.ErrCorrupt, "the view's keys are out of order: %x comes after %x", key, d.prev)
		}
		d.prev, d.rows = key, true
		sum := sha256.Sum256(record)
		d.keys, d.digests = append(d.keys, key), append(d.digests, digest(sum[:digestSize]))
		held, err := d.skipTo(key)
		if err != nil {
			return err
		}
		if held && bytes.Equal(d.base.digest, sum[:digestSize]) {
			d.unchanged++
		} else if err := d.spool.set(key, record); err != nil {
			return err
		}
		if held {
			if d.more, err = d.base.next(); err != nil {
				return err
			}
		}
	}
	d.prevBlock = append(d.prevBlock[:0], d.prev...) // the block is reused
	d.prev = d.prevBlock
	return d.manifest.add(d.keys, d.digests)
}

// skipTo deletes the base's keys before key. It reports whether the base has key.
func (d *diff) skipTo(key []byte) (bool, error) {
	for d.more {
		if c := bytes.Compare(d.base.key, key); c >= 0 {
			return c == 0, nil
		}
		if err := d.deleteNext(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// rest deletes the base's keys after the view's last one.
func (d *diff) rest() error {
	for d.more {
		if err := d.deleteNext(); err != nil {
			return err
		}
	}
	return nil
}

func (d *diff) deleteNext() (err error) {
	if err = d.spool.delete(d.base.key); err == nil {
		d.more, err = d.base.next()
	}
	return err
}
