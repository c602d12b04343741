package registry

import (
	"context"
	"encoding/json"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// MaxPublications is how many publications are kept of each version of a view.
const MaxPublications = 50

// slotOf returns the record of a publication with a number. It is also that of the numbers MaxPublications before and after.
func slotOf(view fstore.ViewRef, number int64) *record.Publication {
	return &record.Publication{Name: view.Name, Version: view.Version, Slot: int(number % MaxPublications)}
}

// RecordPublication keeps the counts of a publication in place of those MaxPublications before it.
func (r *Store) RecordPublication(ctx context.Context, project string, p fstore.Publication) error {
	kept := slotOf(p.View, p.Number)
	counts, err := json.Marshal(p)
	if err == nil {
		kept.Run, kept.Counts = p.Run, string(counts)
		err = r.backend.Write(ctx, project, func(tx record.Tx) error { return tx.Put(ctx, kept) })
	}
	return wrap("keep the counts of "+p.View.String(), err)
}

// Publication returns the counts of the publication with a number by a run, or false if they are not kept.
func (r *Store) Publication(ctx context.Context, project string, view fstore.ViewRef, number int64, run string) (p fstore.Publication, known bool, err error) {
	kept := slotOf(view, number)
	err = r.backend.Read(ctx, project, func(tx record.Tx) (err error) {
		known, err = tx.Get(ctx, kept)
		return err
	})
	if known = known && kept.Run == run; known && err == nil {
		if json.Unmarshal([]byte(kept.Counts), &p) != nil || p.Run != run {
			err = corrupt("the counts of view %s cannot be read", view)
		}
	}
	return p, known && err == nil, wrap("read the counts of "+view.String(), err)
}

// Replaces returns the version that serves under a view's name, if the version is head's and is to take its place.
func (rev *Revision) Replaces(view fstore.ViewRef) (fstore.ViewRef, bool) {
	serving := rev.state.serving[KindView][view.Name]
	if serving == 0 || serving == view.Version || rev.state.head[KindView][view.Name] != view.Version {
		return fstore.ViewRef{}, false
	}
	return fstore.ViewRef{Name: view.Name, Version: serving}, true
}
