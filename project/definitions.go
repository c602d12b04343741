package project

import (
	"context"

	"github.com/fstore-dev/fstore/registry/definition"
)

// Validate loads and checks the definitions of the repo. It returns definition.Problems if they are wrong. Unchecked
// lists what could not be checked because a variable in a path is not set.
func (p *Project) Validate(ctx context.Context) (*definition.Definitions, error) {
	repo, err := definition.Load(p.Settings.Dir, p.options.Lookup)
	if err != nil {
		return nil, err
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	return definition.Check(ctx, repo, engine)
}

// Definitions returns the definitions of the repo if all of them could be checked.
func (p *Project) Definitions(ctx context.Context) (*definition.Definitions, error) {
	defs, err := p.Validate(ctx)
	if err == nil && len(defs.Unchecked) > 0 {
		return nil, defs.Unchecked
	}
	return defs, err
}
