package registry

import (
	"context"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Promotion says that a name answers from another version now.
type Promotion struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	From int    `json:"from,omitempty"` // 0: it did not answer before
	To   int    `json:"to"`
}

// Promote lets each name of a view, an on-demand view or a service answer from head's version once every view version that it uses is published,
// as of an instant no earlier than that of the version it replaces. published has the instants of the view versions in
// the online store. The revision rises if a name moved.
func (r *Store) Promote(ctx context.Context, project string, published map[fstore.ViewRef]time.Time, now time.Time) ([]Promotion, error) {
	var out []Promotion
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		if out = promotions(s, published); len(out) == 0 {
			return nil
		}
		for _, p := range out {
			if err := tx.Put(ctx, &record.Serving{Kind: string(p.Kind), Name: p.Name, Version: p.To, Since: fstore.Micros(now)}); err != nil {
				return err
			}
		}
		return changed(ctx, tx, s, now)
	})
	if err != nil {
		return nil, wrap("promote "+project, err)
	}
	return out, nil
}

// Promotions returns what Promote would do to this revision.
func (rev *Revision) Promotions(published map[fstore.ViewRef]time.Time) []Promotion {
	return promotions(rev.state, published)
}

// promotions is the rule of Promote.
func promotions(s *state, published map[fstore.ViewRef]time.Time) []Promotion {
	ready := func(next, last fstore.ViewRef) bool {
		at, ok := published[next]
		before, was := published[last]
		return ok && (!was || !at.Before(before))
	}
	var out []Promotion
	for _, name := range sortedKeys(s.head[KindView]) {
		next, last := s.head[KindView][name], s.serving[KindView][name]
		if next != last && !s.headViews[name].View.Offline && ready(fstore.ViewRef{Name: name, Version: next}, fstore.ViewRef{Name: name, Version: last}) {
			out = append(out, Promotion{KindView, name, last, next})
		}
	}
	for _, kind := range []Kind{KindOnDemand, KindService} {
		for _, name := range sortedKeys(s.head[kind]) {
			next, last := s.head[kind][name], s.serving[kind][name]
			if next == last {
				continue
			}
			replaced := map[string]fstore.ViewRef{}
			for _, u := range s.usesOf(kind, fstore.ViewRef{Name: name, Version: last}) {
				replaced[u.View.Name] = u.View
			}
			all := true
			for _, u := range s.usesOf(kind, fstore.ViewRef{Name: name, Version: next}) {
				all = all && ready(u.View, replaced[u.View.Name])
			}
			if all {
				out = append(out, Promotion{kind, name, last, next})
			}
		}
	}
	return out
}
