package registry

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// writeIdle notes which view versions stopped being live with the change that the transaction has made to before, and
// forgets those that are live again.
func writeIdle(ctx context.Context, tx record.Tx, before *state, now time.Time) error {
	after, err := readState(ctx, tx)
	if err != nil {
		return err
	}
	was, is := before.live(), after.live()
	for ref := range was {
		if is[ref] == nil {
			if err := setIdle(ctx, tx, ref, now); err != nil {
				return err
			}
		}
	}
	for ref := range is {
		if was[ref] == nil {
			if err := tx.Delete(ctx, &record.Idle{Name: ref.Name, Version: ref.Version}); err != nil {
				return err
			}
		}
	}
	return nil
}

// setIdle notes since when a view version is idle, unless that is known already.
func setIdle(ctx context.Context, tx record.Tx, ref fstore.ViewRef, since time.Time) error {
	idle := &record.Idle{Name: ref.Name, Version: ref.Version}
	if known, err := tx.Get(ctx, idle); err != nil || known {
		return err
	}
	idle.Since = fstore.Micros(since)
	return tx.Put(ctx, idle)
}

// ViewLife says whether a view version is live, and if it is not, since when.
type ViewLife struct {
	Ref         fstore.ViewRef
	Fingerprint string
	Live        bool
	Idle        time.Time // zero if it is live, or if nobody noted when it stopped being live
}

// Lives returns every view version there ever was, by name and version.
func (r *Store) Lives(ctx context.Context, project string) (out []ViewLife, err error) {
	err = r.backend.Read(ctx, project, func(tx record.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		out, err = lives(ctx, tx, s)
		return err
	})
	return out, wrap("read registry", err)
}

func lives(ctx context.Context, tx record.Tx, s *state) ([]ViewLife, error) {
	since := map[fstore.ViewRef]time.Time{}
	for r, err := range records[record.Idle](ctx, tx) {
		if err != nil {
			return nil, err
		}
		since[fstore.ViewRef{Name: r.Name, Version: r.Version}] = fstore.FromMicros(r.Since)
	}
	live := s.live()
	var out []ViewLife
	for _, ref := range slices.SortedFunc(maps.Keys(s.views), fstore.ViewRef.Compare) {
		l := ViewLife{Ref: ref, Fingerprint: s.views[ref].Fingerprint, Live: live[ref] != nil}
		if !l.Live {
			l.Idle = since[ref]
		}
		out = append(out, l)
	}
	return out, nil
}

// NoteIdle writes down now for the view versions that are idle since an unknown instant: an older fstore did not note
// it.
func (r *Store) NoteIdle(ctx context.Context, project string, now time.Time) error {
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		live := s.live()
		for ref := range s.views {
			if live[ref] == nil {
				if err := setIdle(ctx, tx, ref, now); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return wrap("write registry", err)
}
