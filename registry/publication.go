package registry

import (
	"context"
	"encoding/json"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// MaxPublications is how many publications are kept of each version of a view in a store.
const MaxPublications = 50

// slotOf returns the record of a publication. It is also that of the publications MaxPublications before and after.
func slotOf(p fstore.Publication) *record.Publication {
	return &record.Publication{Name: p.View.Name, Version: p.View.Version, Store: p.Store, Slot: int(p.Number % MaxPublications)}
}

// RecordPublication keeps the counts of a publication in place of those MaxPublications before it.
func (r *Store) RecordPublication(ctx context.Context, project string, p fstore.Publication) error {
	kept := slotOf(p)
	counts, err := json.Marshal(p)
	if err == nil {
		kept.Run, kept.Counts = p.Run, string(counts)
		err = r.backend.Write(ctx, project, func(tx record.Tx) error { return tx.Put(ctx, kept) })
	}
	return wrap("keep the counts of "+p.View.String(), err)
}

// Publication returns the counts of the publication that has the view, store, number and run of p, or false if they are not kept.
// Machines may know a store by several names, and a repo may move: a run is found under any.
func (r *Store) Publication(ctx context.Context, project string, p fstore.Publication) (_ fstore.Publication, known bool, err error) {
	kept := slotOf(p)
	err = r.backend.Read(ctx, project, func(tx record.Tx) (err error) {
		if known, err = tx.Get(ctx, kept); err != nil || known && kept.Run == p.Run {
			return err
		}
		known = false
		for other, err := range records[record.Publication](ctx, tx) {
			if err != nil {
				return err
			}
			if other.Name == p.View.Name && other.Version == p.View.Version && other.Run == p.Run {
				kept, known = other, true
			}
		}
		return nil
	})
	if run := p.Run; known && err == nil && (json.Unmarshal([]byte(kept.Counts), &p) != nil || p.Run != run) {
		err = corrupt("the counts of view %s cannot be read", p.View)
	}
	return p, known && err == nil, wrap("read the counts of "+p.View.String(), err)
}

// Replaces returns the version that serves under a view's name, if the version is head's and is to take its place.
func (rev *Revision) Replaces(view fstore.ViewRef) (fstore.ViewRef, bool) {
	serving := rev.state.serving[KindView][view.Name]
	if serving == 0 || serving == view.Version || rev.state.head[KindView][view.Name] != view.Version {
		return fstore.ViewRef{}, false
	}
	return fstore.ViewRef{Name: view.Name, Version: serving}, true
}
