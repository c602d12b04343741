package registry

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Naming says what may name a version of a model.
type Naming int

// The namings.
const (
	ByVersion Naming = iota
	ByVersionOrAlias
)

// model returns a version of a model. The error is ErrNotFound.
func (s *state) model(ref fstore.ModelRef, by Naming) (*ModelVersion, error) {
	if m := s.models[ref]; m != nil {
		return m, nil
	}
	if version, ok := s.aliases[ref]; ok {
		m := s.models[fstore.ModelRef{Name: ref.Name, Version: version}]
		if m != nil && by == ByVersionOrAlias {
			return m, nil
		}
		return nil, fstore.Errorf(fstore.ErrNotFound, "%s is an alias of %s, not a version of it", ref.Version, ref.Name).
			WithHint("it names version %s", version)
	}
	var names, versions []string
	for _, m := range slices.SortedFunc(maps.Keys(s.models), compareModels) {
		if len(names) == 0 || names[len(names)-1] != m.Name {
			names = append(names, m.Name)
		}
		if m.Name == ref.Name {
			versions = append(versions, m.Version)
		}
	}
	if versions == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no model %q", ref.Name).
			WithHint("%s", orElse(fstore.DidYouMean(ref.Name, names), "fstore model pin makes one"))
	}
	if by == ByVersionOrAlias {
		for alias := range s.aliases {
			if alias.Name == ref.Name {
				versions = append(versions, alias.Version)
			}
		}
	}
	return nil, fstore.Errorf(fstore.ErrNotFound, "model %s has no version %q", ref.Name, ref.Version).
		WithHint("%s", orElse(fstore.DidYouMean(ref.Version, versions), "run fstore model list"))
}

func compareModels(a, b fstore.ModelRef) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), compareVersions(a.Version, b.Version))
}

// compareVersions orders numbers by value and anything else as text: 9 comes before 10.
func compareVersions(a, b string) int {
	if len(a) != len(b) && digits(a) && digits(b) {
		return len(a) - len(b)
	}
	return cmp.Compare(a, b)
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// offline reports whether a view version cannot be served. Head decides if it has the view, else the version's definition.
func (s *state) offline(v *fstore.ViewVersion) bool {
	if head := s.headViews[v.Ref.Name]; head != nil {
		return head.View.Offline
	}
	return v.View.Offline
}

// readModels reads models and aliases.
func (s *state) readModels(ctx context.Context, tx record.Tx) error {
	models, err := collect(records[record.Model](ctx, tx))
	if err != nil {
		return err
	}
	for _, r := range models {
		m, err := readModel(ctx, tx, r)
		if err != nil {
			return err
		}
		s.models[m.Ref] = m
	}
	for r, err := range records[record.Alias](ctx, tx) {
		if err != nil {
			return err
		}
		m := s.models[fstore.ModelRef{Name: r.Model, Version: r.Version}]
		if m == nil {
			return corrupt("alias %s of model %s names version %s, which is not there", r.Alias, r.Model, r.Version)
		}
		s.aliases[fstore.ModelRef{Name: r.Model, Version: r.Alias}] = r.Version
		m.Aliases = append(m.Aliases, r.Alias)
		slices.Sort(m.Aliases)
	}
	return nil
}

func readModel(ctx context.Context, tx record.Tx, r *record.Model) (*ModelVersion, error) {
	m := &ModelVersion{
		Ref: fstore.ModelRef{Name: r.Name, Version: r.Version}, Pinned: fstore.FromMicros(r.Pinned), Author: r.Author, set: r.TrainingSet,
	}
	var p pinned
	if err := decode("model", m.Ref.String(), r.Features, &p); err != nil {
		return nil, err
	}
	m.Uses, m.OnDemand, m.Request, m.Outputs = p.Uses, p.OnDemand, p.Request, p.Outputs
	if r.Service != "" {
		var err error
		if m.Service, err = fstore.ParseRef(r.Service); err != nil {
			return nil, corrupt("the service of model %s: %s", m.Ref, err)
		}
	}
	if m.set == 0 {
		return m, nil
	}
	set := &record.TrainingSet{ID: m.set}
	known, err := tx.Get(ctx, set)
	if err == nil && !known {
		err = corrupt("the training set of model %s is not there", m.Ref)
	}
	m.TrainingSet, m.Retired = set.Name, set.Retired != 0
	return m, err
}

// Models returns the pinned versions of models, by name and version.
func (rev *Revision) Models() []*ModelVersion {
	out := make([]*ModelVersion, 0, len(rev.state.models))
	for _, ref := range slices.SortedFunc(maps.Keys(rev.state.models), compareModels) {
		out = append(out, rev.state.models[ref])
	}
	return out
}

// Model returns a version of a model, by its version or an alias. The error is ErrNotFound.
func (rev *Revision) Model(ref fstore.ModelRef) (*ModelVersion, error) {
	return rev.state.model(ref, ByVersionOrAlias)
}

// ModelFeatures resolves a version of a model, or an alias, to the features pinned to it. They do not depend on head or
// on what serves. The error is ErrNotFound.
func (rev *Revision) ModelFeatures(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	m, err := rev.Model(ref)
	if err != nil {
		return nil, err
	}
	return &fstore.FeatureList{
		Model: m.Ref, Uses: rev.state.viewUses(m.Uses), OnDemand: rev.state.onDemandVersions(m.OnDemand), Request: m.Request, Outputs: m.Outputs,
	}, nil
}
