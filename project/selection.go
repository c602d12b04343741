package project

import (
	"context"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// Selection names features: one of a service, a list of references and, of what serves, a version of a model.
type Selection struct {
	Service  string
	Features []string // view.f, view.*, view.f=name, view@2.f
	Model    fstore.ModelRef
}

// inHead resolves the selection to the versions in head.
func (s Selection) inHead(snap *registry.Snapshot) (*fstore.FeatureList, error) {
	if s.Service != "" {
		return snap.HeadService(s.Service)
	}
	return snap.HeadFeatures(s.Features)
}

// serving resolves the selection to the versions that serve.
func (s Selection) serving(snap *registry.Snapshot) (*fstore.FeatureList, error) {
	switch {
	case s.Service != "":
		return snap.ServingService(s.Service)
	case s.Model.Name != "":
		return snap.ModelFeatures(s.Model)
	}
	return snap.ServingFeatures(s.Features)
}

// Serving resolves a selection to the versions that serve. It also returns the key columns that any request may carry.
func (p *Project) Serving(ctx context.Context, s Selection) (list *fstore.FeatureList, also map[string]bool, err error) {
	if err := oneOf("a service, a model or a list of features", s.Service != "", s.Model.Name != "", len(s.Features) > 0); err != nil {
		return nil, nil, err
	}
	snap, err := p.Snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err = s.serving(snap)
	return list, snap.KeyColumns(), err
}
