package project

import (
	"context"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
)

// Plan compares the definitions with the registry. It writes nothing.
func (p *Project) Plan(ctx context.Context) (*registry.Plan, error) {
	defs, err := p.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	db, err := readRegistry(ctx, p.Settings.Registry)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	plan, err := db.Plan(ctx, p.Settings.Project, defs)
	if err != nil {
		return nil, err
	}
	p.estimate(ctx, db, plan)
	return plan, nil
}

// CheckBreaking returns an error of kind ErrCheck if a plan breaks callers of serving services.
func CheckBreaking(plan *registry.Plan) error {
	broken := plan.Breaking()
	if len(broken) == 0 {
		return nil
	}
	return fstore.Errorf(fstore.ErrCheck, "the plan breaks %s: fstore plan shows how", strings.Join(broken, ", ")).
		WithHint("keep what callers use: add a new feature_service or output beside the old one. Let callers send a new key " +
			"column before it is needed. If no caller breaks, run fstore apply --breaking")
}

// costSample is the number of records from which their size is estimated.
const costSample = 1000

// estimate fills in the rows and bytes that a plan's new versions will take: as many as the version that is published
// now. They stay unknown if nothing is published, or the store or state folder cannot be read.
func (p *Project) estimate(ctx context.Context, db *registry.Store, plan *registry.Plan) {
	if len(plan.Materialize) == 0 {
		return
	}
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		return
	}
	store, err := p.openedStore()
	if err != nil {
		return
	}
	for _, ref := range plan.Materialize {
		c := registry.Cost{View: ref}
		for _, v := range rev.Versions(ref.Name) { // the newest published version
			if rows, bytes, ok := p.holding(ctx, store, v); ok {
				c.Rows, c.Bytes, c.From = &rows, bytes, &v.Ref
				break
			}
		}
		plan.Costs = append(plan.Costs, c)
	}
}

// holding returns the number of rows of a view version in the online store, and an estimate of their bytes.
func (p *Project) holding(ctx context.Context, store *online.Store, v *fstore.ViewVersion) (rows int64, bytes *int64, ok bool) {
	pointer, ok, err := store.Pointer(ctx, v.Ref)
	if err != nil || !ok || !pointer.Serves(v) {
		return 0, nil, false
	}
	h, ok, err := store.Header(ctx, v.Ref, pointer.Generation)
	if err != nil || !ok {
		return 0, nil, false
	}
	rows, keys, ok, err := materialize.Holds(p.stateDir(), h, costSample)
	if err != nil || !ok {
		return 0, nil, false
	}
	records, err := store.Records(ctx, pointer.Generation, keys)
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
