package materialize

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fstore-dev/fstore"
)

// A write, or the reading of a header, is retried while the store cannot be reached. If attempts fail at once, tries
// limits them to about six seconds. If attempts are slow, because the store hangs or another process keeps its file
// locked, patience limits them.
const (
	tries    = 8
	patience = 20 * time.Second
)

// fencedWriter writes to one generation. Every write goes from the exact header last written to the next one.
type fencedWriter struct {
	sink   Sink
	clock  Clock
	ref    fstore.ViewRef
	header *fstore.Header // nil: the store has none
	broken bool           // the stored header cannot be read
}

// set replaces the header.
func (p *fencedWriter) set(ctx context.Context, is fstore.Header) error {
	return p.move(ctx, is, func() error { return p.sink.SetHeader(ctx, p.header, is) })
}

// write applies one batch and replaces the header.
func (p *fencedWriter) write(ctx context.Context, is fstore.Header, b *batch) error {
	return p.move(ctx, is, func() error { return p.sink.WriteBatch(ctx, *p.header, is, b.keys, b.values, b.deletes) })
}

// publish replaces the header, and moves the pointer from where the run found it to the header's generation.
func (p *fencedWriter) publish(ctx context.Context, is fstore.Header, from *fstore.Pointer, servable time.Time) (fstore.Pointer, error) {
	to := fstore.Pointer{
		Generation: is.Generation, Published: is.Published, Servable: servable, Fingerprint: is.Fingerprint, Layout: is.Layout,
	}
	return to, p.move(ctx, is, func() error { return p.sink.Publish(ctx, *p.header, is, from, to) })
}

// move does a guarded write and settles its outcome. A conflict counts only if the header confirms it: a client that
// retries by itself conflicts with its own first attempt.
func (p *fencedWriter) move(ctx context.Context, is fstore.Header, do func() error) error {
	var err error
	refused, until := 0, p.clock.Now().Add(patience)
	for try := range tries {
		if err = do(); err == nil {
			p.header = &is
			return nil
		}
		if errors.Is(err, fstore.ErrConflict) {
			refused++
		} else if !errors.Is(err, fstore.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		now, readErr := p.read(ctx, is.Generation)
		switch {
		case readErr != nil:
			return readErr
		case sameHeader(now, p.header): // nothing was written; or the watermark is an empty key, and writing again is harmless
			if refused > 1 {
				return fmt.Errorf("the pointer has changed since this run began: another run has published, or the store was emptied: %w", err)
			}
		case sameHeader(now, &is):
			p.header = &is
			return nil
		default:
			return takenOver(&is, now)
		}
		if p.clock.Now().After(until) || p.clock.Sleep(ctx, backoff(try)) != nil {
			return err
		}
	}
	return err
}

// read returns the header in the store, or nil if there is none.
func (p *fencedWriter) read(ctx context.Context, g fstore.Generation) (*fstore.Header, error) {
	var h fstore.Header
	var ok bool
	err := retry(ctx, p.clock, func() (err error) { h, ok, err = p.sink.Header(ctx, p.ref, g); return err })
	if err != nil || !ok {
		return nil, err
	}
	return &h, nil
}

// retry calls do, which must be idempotent, retry while the store cannot be reached.
func retry(ctx context.Context, clock Clock, do func() error) error {
	until := clock.Now().Add(patience)
	for try := 0; ; try++ {
		err := do()
		if !errors.Is(err, fstore.ErrUnavailable) || try == tries-1 || ctx.Err() != nil || clock.Now().After(until) {
			return err
		}
		if clock.Sleep(ctx, backoff(try)) != nil {
			return err
		}
	}
}

func backoff(try int) time.Duration { return min(50*time.Millisecond<<try, 2*time.Second) }

func takenOver(is, now *fstore.Header) error {
	if now == nil {
		return fstore.Errorf(fstore.ErrConflict, "the online store lost the header of %s during the run: it was emptied or replaced", is).
			WithHint("run fstore materialize %s again", is.View)
	}
	if now.Token == is.Token {
		return fstore.Errorf(fstore.ErrConflict, "the online store went back in time while %s was being written: it holds an earlier header of this run", is).
			WithHint("run fstore materialize %s again: it resumes from there", is.View)
	}
	return fstore.Errorf(fstore.ErrConflict, "another run has taken over %s", is).
		WithHint("it holds the lease %s; this run has stopped writing", now.Token)
}

// sameHeader compares headers as the store keeps them: to the microsecond, and with an empty watermark equal to none.
func sameHeader(a, b *fstore.Header) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
