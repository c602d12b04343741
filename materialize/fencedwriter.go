package materialize

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fstore-dev/fstore"
)

// tries is how often a write is tried while the store answers reads and refuses it: about six seconds. One that cannot be
// reached has Options.StoreWait.
const tries = 8

// fencedWriter writes to one generation. Every write goes from the exact header or fence last written to the next one.
type fencedWriter struct {
	sink   Sink
	store  *Patience
	ref    fstore.ViewRef
	header *fstore.Header // nil: the store has none
	fence  *fstore.Fence  // nil: the store has none
	broken bool           // the stored header or fence cannot be read
}

// look reads the header and the fence of a generation.
func (w *fencedWriter) look(ctx context.Context, g fstore.Generation) (err error) {
	if w.header, err = w.readHeader(ctx, g); err == nil {
		w.fence, err = w.readFence(ctx, g)
	}
	if w.broken = errors.Is(err, fstore.ErrCorrupt); w.broken {
		return nil
	}
	return err
}

// set replaces the header.
func (w *fencedWriter) set(ctx context.Context, is fstore.Header) error {
	return w.moveHeader(ctx, is, func() error { return w.sink.SetHeader(ctx, w.header, is) })
}

// setFence replaces the fence.
func (w *fencedWriter) setFence(ctx context.Context, is fstore.Fence) error {
	return w.moveFence(ctx, is, func() error { return w.sink.SetFence(ctx, w.fence, is) })
}

// write applies one batch and replaces the fence.
func (w *fencedWriter) write(ctx context.Context, is fstore.Fence, b *batch) error {
	return w.moveFence(ctx, is, func() error { return w.sink.WriteBatch(ctx, *w.fence, is, b.keys, b.values, b.deletes) })
}

// publish replaces the header, and moves the pointer from where the run found it to the header's generation.
func (w *fencedWriter) publish(ctx context.Context, is fstore.Header, from *fstore.Pointer, to fstore.Pointer) error {
	return w.moveHeader(ctx, is, func() error { return w.sink.Publish(ctx, *w.header, is, *w.fence, from, to) })
}

func (w *fencedWriter) moveHeader(ctx context.Context, is fstore.Header, do func() error) error {
	m := move[fstore.Header]{&w.header, is, w.readHeader, func(now *fstore.Header) bool { return now.Token == is.Token }}
	return m.settle(ctx, w.store, is.View, is.Generation, do)
}

func (w *fencedWriter) moveFence(ctx context.Context, is fstore.Fence, do func() error) error {
	m := move[fstore.Fence]{&w.fence, is, w.readFence, func(now *fstore.Fence) bool { return now.Token == is.Token }}
	return m.settle(ctx, w.store, is.View, is.Generation, do)
}

// move is a guarded write that replaces the last header or fence by the next one.
type move[T fstore.Header | fstore.Fence] struct {
	last **T
	is   T
	read func(context.Context, fstore.Generation) (*T, error)
	ours func(now *T) bool // whether the lease that writes is ours
}

// settle does the write and settles its outcome. A conflict counts only if the store confirms it: a client that retries by
// itself conflicts with its own first attempt.
func (m *move[T]) settle(ctx context.Context, store *Patience, ref fstore.ViewRef, g fstore.Generation, do func() error) error {
	var err error
	refused, until := 0, store.Clock.Now().Add(store.Limit)
	for try := range tries {
		if err = do(); err == nil {
			*m.last = &m.is
			return nil
		}
		if errors.Is(err, fstore.ErrConflict) {
			refused++
		} else if !errors.Is(err, fstore.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		now, readErr := m.read(ctx, g)
		switch {
		case readErr != nil:
			return readErr
		case same(now, *m.last): // nothing was written
			if refused > 1 {
				return fmt.Errorf("the pointer has changed since this run began: another run has published, or the store was emptied or went back in time: %w", err)
			}
		case same(now, &m.is):
			*m.last = &m.is
			return nil
		default:
			return takenOver(ref, g, now == nil, now != nil && m.ours(now))
		}
		if !store.Clock.Now().Before(until) {
			return err
		}
		if stopped := store.Clock.Sleep(ctx, backoff(try)); stopped != nil {
			return errors.Join(stopped, err)
		}
	}
	return err
}

// readHeader returns the header in the store, or nil if there is none.
func (w *fencedWriter) readHeader(ctx context.Context, g fstore.Generation) (*fstore.Header, error) {
	return read(ctx, w.store, func() (fstore.Header, bool, error) { return w.sink.Header(ctx, w.ref, g) })
}

// readFence returns the fence in the store, or nil if there is none.
func (w *fencedWriter) readFence(ctx context.Context, g fstore.Generation) (*fstore.Fence, error) {
	return read(ctx, w.store, func() (fstore.Fence, bool, error) { return w.sink.Fence(ctx, w.ref, g) })
}

// read calls get with retries. It returns nil if there is nothing to get.
func read[T any](ctx context.Context, store *Patience, get func() (T, bool, error)) (*T, error) {
	var v T
	var ok bool
	err := store.Retry(ctx, func() (err error) { v, ok, err = get(); return err })
	if err != nil || !ok {
		return nil, err
	}
	return &v, nil
}

// takenOver says what a run finds that finds neither what it wrote last nor what it was to write next.
func takenOver(ref fstore.ViewRef, g fstore.Generation, gone, ours bool) error {
	switch {
	case gone:
		return fstore.Errorf(fstore.ErrConflict, "the online store lost what this run wrote to %s generation %s: it was emptied or replaced, or went back in time", ref, g).
			WithHint("run fstore materialize %s again", ref)
	case ours:
		return fstore.Errorf(fstore.ErrConflict, "the online store went back in time while %s generation %s was being written: it holds an earlier state of this run", ref, g).
			WithHint("run fstore materialize %s again: it resumes from there", ref)
	}
	return fstore.Errorf(fstore.ErrConflict, "another run has taken over %s generation %s, or the online store went back in time to one", ref, g).
		WithHint("this run has stopped writing; run fstore materialize %s again", ref)
}

// same compares headers or fences as the store keeps them.
func same[T any](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
