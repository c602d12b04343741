package project

import (
	"context"
	"strings"

	fstore "github.com/fstore-dev/fstore"
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
