package project

import (
	"context"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/verify"
)

// VerifyRequest says which served keys to compare with the offline result: those of Views, of a service or of a
// model. If it names none, those of every live view version.
type VerifyRequest struct {
	Views    []string // NAME or NAME@VERSION
	Service  string
	Model    fstore.ModelRef
	Sample   int // number of random keys per view; 0: all
	Instants int // of CheckCausality: the most instants to compare; 0: LeakInstants; offline.AllInstants: all
	Progress func(view fstore.ViewRef, checked int64)
}

// Verify reads every key from the online store and compares it with the view computed offline as of its published
// instant. A difference is a finding, not an error.
func (p *Project) Verify(ctx context.Context, r VerifyRequest) ([]verify.View, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	o := verify.Options{Sample: r.Sample, TempDir: p.Settings.TempDir, Progress: r.Progress}
	if o.Views, err = r.views(rev); err != nil {
		return nil, err
	}
	store, err := p.openedStore()
	if err != nil {
		return nil, err
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	o.Source, o.Store = engine, verifiable{store}
	return verify.Run(ctx, o)
}

// check refuses what contradicts itself.
func (r *VerifyRequest) check() error {
	if r.Service == "" && r.Model.Name == "" && len(r.Views) == 0 {
		return nil
	}
	return oneOf("views, a service or a model", r.Service != "", r.Model.Name != "", len(r.Views) > 0)
}

// views returns the view versions to verify.
func (r *VerifyRequest) views(rev *registry.Revision) ([]*fstore.ViewVersion, error) {
	if r.Service == "" && r.Model.Name == "" {
		return viewsNamed(rev, r.Views)
	}
	list, err := Selection{Service: r.Service, Model: r.Model}.serving(rev)
	if err != nil {
		return nil, err
	}
	if len(list.Uses) == 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "there is nothing to verify: all these features are computed on demand, and read no view")
	}
	var out []*fstore.ViewVersion
	for _, u := range list.Uses {
		if !slices.ContainsFunc(out, func(v *fstore.ViewVersion) bool { return v.Ref == u.Version.Ref }) {
			out = append(out, u.Version)
		}
	}
	return out, nil
}
