package registry

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/fstore-dev/fstore"
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

// compareVersions orders versions as people count: 9 before 10.
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

// offline reports whether a view version cannot be served: head says so where it has the view, else its definition.
func (s *state) offline(v *fstore.ViewVersion) bool {
	if head := s.headViews[v.Ref.Name]; head != nil {
		return head.View.Offline
	}
	return v.View.Offline
}

// readModels reads models and aliases, of which registries of schema 1 have none.
func (s *state) readModels(ctx context.Context, tx *sql.Tx, project string) error {
	if schema, err := schemaOf(ctx, tx); err != nil || schema < 2 {
		return err
	}
	rows, err := tx.QueryContext(ctx, `
		select m.name, version, pinned, author, features, m.service, coalesce(training_set, 0), coalesce(t.name, ''), t.retired is not null
		from models m
		left join training_sets t on t.id = training_set
		where m.project = ?`, project)
	if err != nil {
		return err
	}
	if err := each(rows, func() error {
		m := &ModelVersion{}
		var micros int64
		var features []byte
		var service string
		if err := rows.Scan(&m.Ref.Name, &m.Ref.Version, &micros, &m.Author, &features, &service, &m.set, &m.TrainingSet, &m.Retired); err != nil {
			return err
		}
		m.Pinned = fstore.FromMicros(micros)
		var p pinned
		if err := decodeDefinition("model", m.Ref.String(), features, &p); err != nil {
			return err
		}
		if service != "" {
			var err error
			if m.Service, err = fstore.ParseRef(service); err != nil {
				return err
			}
		}
		m.Uses, m.Outputs = p.Uses, p.Outputs
		s.models[m.Ref] = m
		return nil
	}); err != nil {
		return err
	}
	rows, err = tx.QueryContext(ctx, "select model, alias, version from model_aliases where project = ? order by alias", project)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var model, alias, version string
		if err := rows.Scan(&model, &alias, &version); err != nil {
			return err
		}
		s.aliases[fstore.ModelRef{Name: model, Version: alias}] = version
		if m := s.models[fstore.ModelRef{Name: model, Version: version}]; m != nil {
			m.Aliases = append(m.Aliases, alias)
		}
		return nil
	})
}

// Models returns the pinned versions of models, by name and version.
func (s *Snapshot) Models() []*ModelVersion {
	out := make([]*ModelVersion, 0, len(s.state.models))
	for _, ref := range slices.SortedFunc(maps.Keys(s.state.models), compareModels) {
		out = append(out, s.state.models[ref])
	}
	return out
}

// Model returns a version of a model, by its version or an alias. The error is ErrNotFound.
func (s *Snapshot) Model(ref fstore.ModelRef) (*ModelVersion, error) {
	return s.state.model(ref, ByVersionOrAlias)
}

// ModelFeatures resolves a version of a model, or an alias, to what is pinned to it, whatever head and serving are.
// The error is ErrNotFound.
func (s *Snapshot) ModelFeatures(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	m, err := s.Model(ref)
	if err != nil {
		return nil, err
	}
	list := &fstore.FeatureList{Model: m.Ref, Outputs: m.Outputs}
	if list.Uses, err = s.uses(m.Uses); err != nil {
		return nil, err
	}
	return list, nil
}
