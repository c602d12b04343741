package project

import (
	"context"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// Selection names features: a service, a list of references, or a version of a model.
type Selection struct {
	Service  string
	Features []string // view.f, view.*, view.f=name, view@2.f
	Model    fstore.ModelRef
}

// inHead resolves the selection to the versions in head, or to those that a model is pinned to.
func (s Selection) inHead(rev *registry.Revision) (*fstore.FeatureList, error) {
	switch {
	case s.Service != "":
		return rev.HeadService(s.Service)
	case s.Model.Name != "":
		return rev.ModelFeatures(s.Model)
	}
	return rev.HeadFeatures(s.Features)
}

// serving resolves the selection to the versions that serve.
func (s Selection) serving(rev *registry.Revision) (*fstore.FeatureList, error) {
	switch {
	case s.Service != "":
		return rev.ServingService(s.Service)
	case s.Model.Name != "":
		return rev.ModelFeatures(s.Model)
	}
	return rev.ServingFeatures(s.Features)
}

// check returns an error unless the selection names features in exactly one way.
func (s Selection) check() error {
	return oneOf("a service, a model or a list of features", s.Service != "", s.Model.Name != "", len(s.Features) > 0)
}

// Serving resolves a selection to the versions that serve. It also returns the columns that any request may carry.
func (p *Project) Serving(ctx context.Context, s Selection) (list *fstore.FeatureList, also map[string]bool, err error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err = s.serving(rev)
	return list, rev.SentColumns(), err
}
