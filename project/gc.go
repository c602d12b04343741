package project

import (
	"context"
	"errors"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/registry"
)

// GCOptions say how garbage is collected.
type GCOptions struct {
	DryRun   bool                       // only report what would be deleted
	Found    func(*Garbage) error       // called before anything is deleted; an error stops the collection
	Progress func(dropped, total int64) // records
}

// Garbage is what nothing uses any longer. After a collection, it is what was deleted.
type Garbage struct {
	DryRun bool   `json:"dry_run"`
	Grace  string `json:"grace"`
	*materialize.Garbage
	Snapshots []trainset.Blob `json:"snapshots,omitempty"` // inputs of training sets that no lock needs any longer
	Leases    []string        `json:"leases,omitempty"`    // leases that expired long ago and were deleted
}

// leaseRest is how long an expired lease stays: a slow holder may still renew it.
const leaseRest = 24 * time.Hour

// GC deletes the data that nothing uses any longer from the online store, the state folder and the snapshots of
// training sets. It works in small steps beside runs and readers, and skips a view that is being materialized.
func (p *Project) GC(ctx context.Context, o GCOptions) (*Garbage, error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	store, err := p.openedStore()
	if err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := db.NoteIdle(ctx, p.Settings.Project, p.now()); err != nil {
			return nil, err
		}
	}
	c := materialize.CollectOptions{
		Lives: func(ctx context.Context) ([]materialize.Life, error) { return p.lives(ctx, db) },
		Now:   p.now(), Grace: p.Settings.Grace, State: p.stateDir(), Storage: store, Leases: NewLeases(db, p.Settings.Project), Clock: Clock{p.options.Clock},
	}
	found, err := materialize.Survey(ctx, c)
	if err != nil {
		return nil, err
	}
	snapshots, err := p.unneededSnapshots(ctx, db)
	if err := keptSnapshots(found, err); err != nil {
		return nil, err
	}
	defer snapshots.Close()
	out := &Garbage{DryRun: o.DryRun, Grace: fstore.Duration(p.Settings.Grace).String(), Garbage: found, Snapshots: snapshots.Blobs()}
	if o.Found != nil {
		if err := o.Found(out); err != nil {
			return nil, err
		}
	}
	if o.DryRun {
		return out, nil
	}
	if o.Progress != nil {
		total := int64(0)
		for _, w := range found.Items {
			total += w.Records
		}
		c.Progress = func(dropped int64) { o.Progress(dropped, total) }
	}
	if out.Garbage, err = materialize.Collect(ctx, c, found); err != nil {
		return nil, err
	}
	if err := snapshots.Remove(); err != nil {
		return nil, err
	}
	out.Leases, err = db.DropLeases(ctx, p.Settings.Project, p.now().Add(-leaseRest))
	return out, err
}

// unneededSnapshots returns the kept inputs (training-set create --snapshot) that no lock in the registry needs, in
// any project. The caller must close it. Until then no training set with a snapshot can be made. It returns
// ErrConflict while one is being made.
func (p *Project) unneededSnapshots(ctx context.Context, db *registry.Store) (*trainset.Sweep, error) {
	return trainset.NewArchive(p.Settings.Snapshots).Sweep(func() ([][]byte, error) { return db.Locks(ctx) })
}

// keptSnapshots records why no snapshot can be deleted now. Other garbage is collected all the same.
func keptSnapshots(found *materialize.Garbage, err error) error {
	for _, kind := range []error{fstore.ErrConflict, fstore.ErrInvalid, fstore.ErrCorrupt} {
		if errors.Is(err, kind) {
			message, hints := fstore.Explain(err)
			found.Kept = append(found.Kept, materialize.Kept{Why: strings.Join(append([]string{"snapshots of training sets: " + message}, hints...), "; ")})
			return nil
		}
	}
	return err
}

// lives returns the life of every view version in the registry, for a collection.
func (p *Project) lives(ctx context.Context, db *registry.Store) ([]materialize.Life, error) {
	all, err := db.Lives(ctx, p.Settings.Project)
	out := make([]materialize.Life, len(all))
	for i, l := range all {
		out[i] = materialize.Life(l)
	}
	return out, err
}
