package registry

import (
	"context"
	"encoding/json"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// MaxPublications is how many publications are kept of each version of a view.
const MaxPublications = 50

// RecordPublication keeps the counts of a publication and drops the oldest beyond MaxPublications.
func (r *Store) RecordPublication(ctx context.Context, project string, p fstore.Publication) error {
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		kept := &record.Publications{Name: p.View.Name, Version: p.View.Version}
		all, err := readPublications(ctx, tx, kept)
		if err != nil {
			return err
		}
		history, err := json.Marshal(append([]fstore.Publication{p}, all[:min(len(all), MaxPublications-1)]...))
		if err != nil {
			return err
		}
		kept.History = string(history)
		return tx.Put(ctx, kept)
	})
	return wrap("keep the counts of "+p.View.String(), err)
}

// Publications returns the publications that are kept of a version of a view, the newest first. A run that was stopped before it
// published is among them: the online store says which one it shows.
func (r *Store) Publications(ctx context.Context, project string, view fstore.ViewRef) (out []fstore.Publication, err error) {
	err = r.backend.Read(ctx, project, func(tx record.Tx) (err error) {
		out, err = readPublications(ctx, tx, &record.Publications{Name: view.Name, Version: view.Version})
		return err
	})
	return out, wrap("read the counts of "+view.String(), err)
}

func readPublications(ctx context.Context, tx record.Tx, r *record.Publications) (out []fstore.Publication, err error) {
	if known, err := tx.Get(ctx, r); err != nil || !known {
		return nil, err
	}
	if err := json.Unmarshal([]byte(r.History), &out); err != nil {
		return nil, corrupt("the counts of view %s@%d: %s", r.Name, r.Version, err)
	}
	return out, nil
}

// Replaces returns the version that serves under a view's name, if the version is head's and is to take its place.
func (rev *Revision) Replaces(view fstore.ViewRef) (fstore.ViewRef, bool) {
	serving := rev.state.serving[KindView][view.Name]
	if serving == 0 || serving == view.Version || rev.state.head[KindView][view.Name] != view.Version {
		return fstore.ViewRef{}, false
	}
	return fstore.ViewRef{Name: view.Name, Version: serving}, true
}
