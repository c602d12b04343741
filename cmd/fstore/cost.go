package main

import (
	"context"
	"fmt"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
)

// costSample is how many records an estimate of their size is made from.
const costSample = 1000

// estimate fills in what it takes to materialize what a plan makes live: as much as the version that is published now
// has. What is not known, because nothing is published, or the store or the state folder cannot be read, stays so: a
// plan does not depend on it.
func (a *app) estimate(ctx context.Context, s *Settings, db *registry.DB, p *registry.Plan) {
	if len(p.Materialize) == 0 {
		return
	}
	snap, err := db.Snapshot(ctx, s.Project)
	if err != nil {
		return
	}
	store, err := openStore(s)
	if err != nil {
		return
	}
	defer store.Close()
	for _, ref := range p.Materialize {
		c := registry.Cost{View: ref}
		for _, v := range snap.Versions(ref.Name) { // the newest that is published
			if rows, bytes, ok := holding(ctx, s, store, v); ok {
				c.Rows, c.Bytes, c.From = &rows, bytes, &v.Ref
				break
			}
		}
		p.Costs = append(p.Costs, c)
	}
}

// holding returns how many rows the online store has of a view version, and about how many bytes.
func holding(ctx context.Context, s *Settings, store *online.Store, v *fstore.ViewVersion) (rows int64, bytes *int64, ok bool) {
	p, ok, err := store.Pointer(ctx, v.Ref)
	if err != nil || !ok || p.Fingerprint != v.Fingerprint {
		return 0, nil, false
	}
	h, ok, err := store.Header(ctx, v.Ref, p.Generation)
	if err != nil || !ok {
		return 0, nil, false
	}
	rows, keys, ok, err := materialize.Holds(filepath.Join(s.State, s.Project), h, costSample)
	if err != nil || !ok {
		return 0, nil, false
	}
	records, err := store.Records(ctx, p.Generation, keys)
	if err != nil {
		return rows, nil, true
	}
	size := int64(0)
	for i := range records {
		size += int64(len(keys[i]) + len(records[i]))
	}
	if len(keys) > 0 {
		size = size * rows / int64(len(keys))
	}
	return rows, &size, true
}

// costText says what it takes to materialize a view version.
func costText(c registry.Cost) string {
	switch {
	case c.Rows == nil:
		return "rows and bytes are not known: no version of it is published"
	case c.Bytes == nil:
		return fmt.Sprintf("about %s rows, as %s has", thousands(*c.Rows), c.From)
	}
	return fmt.Sprintf("about %s rows and %s bytes, as %s has", thousands(*c.Rows), thousands(*c.Bytes), c.From)
}
