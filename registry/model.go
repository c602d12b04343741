package registry

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// ModelVersion is a version of a model and the exact features pinned to it: in order, by the names that the model
// knows, from view versions that never change. It is written once.
type ModelVersion struct {
	Ref         fstore.ModelRef         `json:"model"`
	Pinned      time.Time               `json:"pinned"`
	Author      string                  `json:"author,omitempty"`
	Service     fstore.ViewRef          `json:"service,omitzero"`       // set if the features came from a service
	TrainingSet string                  `json:"training_set,omitempty"` // set if they came from a training set
	Retired     bool                    `json:"set_retired,omitempty"`  // another training set has its name now
	Aliases     []string                `json:"aliases,omitempty"`      // by name
	Uses        []definition.ServiceUse `json:"uses"`                   // view versions and their keys
	OnDemand    []fstore.ViewRef        `json:"on_demand,omitempty"`    // versions of on-demand views, each after those that it reads
	Request     map[string]string       `json:"request,omitempty"`      // request column → the name under which callers send it, if another
	Outputs     fstore.Outputs          `json:"outputs"`                // the features in order

	set int64 // record.TrainingSet.ID; 0: none
}

// pinned is what record.Model.Features holds, as JSON.
type pinned struct {
	Uses     []definition.ServiceUse `json:"uses"`
	OnDemand []fstore.ViewRef        `json:"on_demand,omitempty"`
	Request  map[string]string       `json:"request,omitempty"`
	Outputs  fstore.Outputs          `json:"outputs"`
}

// Pin is what to pin to a model.
type Pin struct {
	Model       fstore.ModelRef
	List        *fstore.FeatureList // with the fingerprints that its view versions must have
	TrainingSet string              // that the list came from; empty: none
	Author      string
	Now         time.Time
}

// Pinned says whether a pin was there before.
type Pinned int

// The outcomes of PinModel.
const (
	NewPin Pinned = iota
	SamePin
)

// PinModel pins features to a model version. The view versions are live from then on. Pinning the same features again
// changes nothing. The error is ErrConflict if the version is pinned to something else or its name is an alias,
// ErrNotFound for an unknown training set or view version, and ErrInvalid for a name that is not one.
func (r *Store) PinModel(ctx context.Context, project string, p Pin) (*ModelVersion, Pinned, error) {
	m := &ModelVersion{Ref: p.Model, Pinned: fstore.FromMicros(fstore.Micros(p.Now)), Author: p.Author, Service: p.List.Service, TrainingSet: p.TrainingSet}
	is := NewPin
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		if err := m.take(ctx, tx, s, p.List); err != nil {
			return err
		}
		if old := s.models[p.Model]; old != nil {
			if !old.same(m) {
				what := "to other features"
				if reflect.DeepEqual(old.pinned(), m.pinned()) {
					what = "to these features, but from elsewhere: from " + old.Origin() + ","
				}
				return fstore.Errorf(fstore.ErrConflict, "it is pinned %s since %s", what, fstore.FormatTime(old.Pinned)).
					WithHint("a version is pinned once: give this one another; fstore model show %s says what it has", p.Model)
			}
			m, is = old, SamePin
			return nil
		}
		if to, taken := s.aliases[p.Model]; taken {
			return fstore.Errorf(fstore.ErrConflict, "%s is an alias, of version %s", p.Model.Version, to).WithHint("give the version another name, or remove the alias")
		}
		if err := m.write(ctx, tx); err != nil {
			return err
		}
		return changed(ctx, tx, s, p.Now)
	})
	if err != nil {
		return nil, is, wrap("pin model "+p.Model.String(), err)
	}
	return m, is, nil
}

// take checks a list and copies what is pinned from it.
func (m *ModelVersion) take(ctx context.Context, tx record.Tx, s *state, list *fstore.FeatureList) error {
	if err := fstore.CheckModelName(m.Ref.Name); err != nil {
		return err
	}
	if err := fstore.CheckModelVersion(m.Ref.Version); err != nil {
		return err
	}
	for _, u := range list.Uses {
		v := s.views[u.Version.Ref]
		if v == nil {
			return notHere(KindView, u.Version.Ref)
		}
		if v.Fingerprint != u.Version.Fingerprint {
			return otherThan(u.Version.Ref)
		}
		if s.offline(v) {
			return fstore.Errorf(fstore.ErrInvalid, "feature_view %s has online: false: it cannot be served", v.Ref).
				WithHint("remove online: false from its definition and apply")
		}
		m.Uses = append(m.Uses, definition.ServiceUse{View: u.Version.Ref, Keys: u.Keys})
	}
	for _, v := range list.OnDemand {
		stored := s.onDemand[v.Ref]
		if stored == nil {
			return notHere(KindOnDemand, v.Ref)
		}
		if stored.Fingerprint != v.Fingerprint {
			return otherThan(v.Ref)
		}
		m.OnDemand = append(m.OnDemand, v.Ref)
	}
	m.Request, m.Outputs = list.Request, slices.Clone(list.Outputs)
	if s.checkList("model", m.Ref, m.Uses, m.OnDemand, m.Outputs) != nil {
		return fstore.Errorf(fstore.ErrInvalid, "the list of features lacks a view that a feature or an on-demand view reads").WithHint(pinElsewhere)
	}
	if len(m.Outputs) == 0 {
		return fstore.Errorf(fstore.ErrInvalid, "there are no features to pin")
	}
	if m.TrainingSet == "" {
		return nil
	}
	set, err := findTrainingSet(ctx, tx, m.TrainingSet)
	if err != nil {
		return err
	}
	m.set = set.ID
	return nil
}

func notHere(kind Kind, ref fstore.ViewRef) error {
	return fstore.Errorf(fstore.ErrNotFound, "the registry has no %s %s", kind, ref).WithHint(pinElsewhere)
}

func otherThan(ref fstore.ViewRef) error {
	return fstore.Errorf(fstore.ErrConflict, "the registry's %s is another definition than the training set's", ref).WithHint(pinElsewhere)
}

const pinElsewhere = "pin it in the registry that the training set was made with"

// Origin says where the features came from: "training set churn_2025" or "service churn@2".
func (m *ModelVersion) Origin() string {
	switch {
	case m.TrainingSet != "" && m.Retired:
		return "training set " + m.TrainingSet + " (retired)"
	case m.TrainingSet != "":
		return "training set " + m.TrainingSet
	}
	return "service " + m.Service.String()
}

// same reports whether two pins are of the same features from the same training set or service.
func (m *ModelVersion) same(o *ModelVersion) bool {
	return m.set == o.set && m.Service == o.Service && reflect.DeepEqual(m.pinned(), o.pinned())
}

func (m *ModelVersion) pinned() pinned {
	uses := slices.Clone(m.Uses)
	for i := range uses {
		uses[i].Keys = append([]fstore.KeyBinding{}, uses[i].Keys...) // nil and empty are the same in JSON
	}
	p := pinned{Uses: uses, OnDemand: m.OnDemand, Outputs: m.Outputs}
	if len(m.Request) > 0 {
		p.Request = m.Request
	}
	return p
}

func (m *ModelVersion) write(ctx context.Context, tx record.Tx) error {
	features, err := json.Marshal(m.pinned())
	if err != nil {
		return err
	}
	service := ""
	if m.Service.Name != "" {
		service = m.Service.String()
	}
	return tx.Put(ctx, &record.Model{
		Name: m.Ref.Name, Version: m.Ref.Version, Pinned: fstore.Micros(m.Pinned), Author: m.Author,
		Features: string(features), Service: service, TrainingSet: m.set,
	})
}

// changed notes what is live after a change and raises the revision, so that servers take notice.
func changed(ctx context.Context, tx record.Tx, before *state, now time.Time) error {
	if err := writeIdle(ctx, tx, before, now); err != nil {
		return err
	}
	return advance(ctx, tx, before.revision)
}

// UnpinModel removes a version of a model. View versions that nothing else uses are no longer live. The errors are
// ErrNotFound, and ErrConflict while an alias names the version.
func (r *Store) UnpinModel(ctx context.Context, project string, ref fstore.ModelRef, now time.Time) (*ModelVersion, error) {
	var m *ModelVersion
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		if m, err = s.model(ref, ByVersion); err != nil {
			return err
		}
		if len(m.Aliases) > 0 {
			return fstore.Errorf(fstore.ErrConflict, "the alias %s names it", m.Aliases[0]).
				WithHint("move the alias first: fstore model alias %s %s VERSION, or remove it with --delete", ref.Name, m.Aliases[0])
		}
		if err := tx.Delete(ctx, &record.Model{Name: ref.Name, Version: ref.Version}); err != nil {
			return err
		}
		return changed(ctx, tx, s, now)
	})
	if err != nil {
		return nil, wrap("unpin model "+ref.String(), err)
	}
	return m, nil
}

// AliasModel lets an alias name a version of a model. An alias names one version at a time. The result is the version
// that it named before, or "". The errors are ErrNotFound, ErrInvalid, and ErrConflict for an alias that is a version.
func (r *Store) AliasModel(ctx context.Context, project, model, alias, version string, now time.Time) (was string, err error) {
	err = r.backend.Write(ctx, project, func(tx record.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		if err := fstore.CheckModelAlias(alias); err != nil {
			return err
		}
		if _, err := s.model(fstore.ModelRef{Name: model, Version: version}, ByVersion); err != nil {
			return err
		}
		if s.models[fstore.ModelRef{Name: model, Version: alias}] != nil {
			return fstore.Errorf(fstore.ErrConflict, "%s has a version %s", model, alias).WithHint("give the alias another name")
		}
		if was = s.aliases[fstore.ModelRef{Name: model, Version: alias}]; was == version {
			return nil
		}
		if err := tx.Put(ctx, &record.Alias{Model: model, Alias: alias, Version: version}); err != nil {
			return err
		}
		return changed(ctx, tx, s, now)
	})
	return was, wrap("alias "+alias+" of model "+model, err)
}

// DropAlias removes an alias and returns the version it named. The error is ErrNotFound.
func (r *Store) DropAlias(ctx context.Context, project, model, alias string, now time.Time) (was string, err error) {
	err = r.backend.Write(ctx, project, func(tx record.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		var ok bool
		if was, ok = s.aliases[fstore.ModelRef{Name: model, Version: alias}]; !ok {
			return fstore.Errorf(fstore.ErrNotFound, "there is no such alias").WithHint("run fstore model list")
		}
		if err := tx.Delete(ctx, &record.Alias{Model: model, Alias: alias}); err != nil {
			return err
		}
		return changed(ctx, tx, s, now)
	})
	return was, wrap("remove alias "+alias+" of model "+model, err)
}
