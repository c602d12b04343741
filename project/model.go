package project

import (
	"context"
	"errors"
	"fmt"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
)

// Model is a pinned version of a model, and what the online store has of it.
type Model struct {
	*registry.ModelVersion
	Views     []fstore.ViewRef `json:"views"`               // without duplicates
	Published []ModelView      `json:"published,omitempty"` // absent if the online store cannot be reached
	Ready     *bool            `json:"ready,omitempty"`     // all of them are published, so the model is served; nil if the online store cannot be reached

	Interface *fstore.Description `json:"interface,omitempty"` // its columns and outputs
	Tags      map[string]string   `json:"tags,omitempty"`      // that the version has in MLflow; only Pin and TaggedModel give them
}

// ModelView is a view version of a model and its state in the online store.
type ModelView struct {
	View fstore.ViewRef `json:"view"`
	At   time.Time      `json:"published,omitzero"` // zero: not published
}

// Missing returns the view versions that are not published.
func (m *Model) Missing() []fstore.ViewRef {
	var out []fstore.ViewRef
	for _, v := range m.Published {
		if v.At.IsZero() {
			out = append(out, v.View)
		}
	}
	return out
}

// Pinned is the result of a pin.
type Pinned struct {
	New bool `json:"new_pin"` // false: it was already pinned to the same features
	*Model
}

// PinRequest says what to pin to a version of a model: the features of a training set, or those of a service: NAME
// for head's version, or NAME@VERSION.
type PinRequest struct {
	Model       fstore.ModelRef
	TrainingSet string
	Service     string
}

// Pin pins features to a version of a model. It is idempotent. It returns ErrConflict if the version is pinned to
// something else.
func (p *Project) Pin(ctx context.Context, r PinRequest) (*Pinned, error) {
	if err := oneOf("a training set or a service", r.TrainingSet != "", r.Service != ""); err != nil {
		return nil, err
	}
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	info := p.commitInfo(ctx)
	pin := registry.Pin{Model: r.Model, TrainingSet: r.TrainingSet, Author: info.Author, Now: info.Now}
	if pin.List, err = p.pinnedList(ctx, db, r); err != nil {
		return nil, err
	}
	m, pinned, err := db.PinModel(ctx, p.Settings.Project, pin)
	if err != nil {
		return nil, err
	}
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		return nil, err
	}
	models, err := p.models(ctx, rev, []*registry.ModelVersion{m})
	if err != nil {
		return nil, err
	}
	out := &Pinned{pinned == registry.NewPin, models[0]}
	out.Tags, err = p.tags(ctx, db, rev, m)
	return out, err
}

// pinnedList returns the features to pin and the view versions that they come from.
func (p *Project) pinnedList(ctx context.Context, db *registry.Store, r PinRequest) (*fstore.FeatureList, error) {
	if r.TrainingSet != "" {
		record, err := p.recordOf(ctx, db, r.TrainingSet)
		if err != nil {
			return nil, err
		}
		lock, err := lock.Read(record.Lock)
		if err != nil {
			return nil, fmt.Errorf("the lock of training set %s: %w", record.Name, err)
		}
		return lock.List(), nil
	}
	ref, err := fstore.ParseRef(r.Service)
	if err != nil {
		return nil, usage(err)
	}
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		return nil, err
	}
	return rev.ServiceVersion(ref)
}

// AliasModel points an alias at a version of a model, and returns the version that it named before, if any.
func (p *Project) AliasModel(ctx context.Context, model, alias, version string) (was string, err error) {
	db, err := p.registry(ctx)
	if err != nil {
		return "", err
	}
	defer db.Close()
	return db.AliasModel(ctx, p.Settings.Project, model, alias, version, p.now())
}

// DropAlias removes an alias of a model and returns the version that it named.
func (p *Project) DropAlias(ctx context.Context, model, alias string) (was string, err error) {
	db, err := p.registry(ctx)
	if err != nil {
		return "", err
	}
	defer db.Close()
	return db.DropAlias(ctx, p.Settings.Project, model, alias, p.now())
}

// Unpin removes the pin of a model version and returns the view versions that nothing uses any longer.
func (p *Project) Unpin(ctx context.Context, ref fstore.ModelRef) (idle []fstore.ViewRef, err error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	m, err := db.UnpinModel(ctx, p.Settings.Project, ref, p.now())
	if err != nil {
		return nil, err
	}
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		return nil, err
	}
	live := map[fstore.ViewRef]bool{}
	for _, v := range rev.Live() {
		live[v.Ref] = true
	}
	idle = []fstore.ViewRef{}
	for _, ref := range usedViews(m) {
		if !live[ref] {
			idle = append(idle, ref)
		}
	}
	return idle, nil
}

// usedViews returns the view versions of a model without duplicates, in the order of their first use.
func usedViews(m *registry.ModelVersion) []fstore.ViewRef {
	var out []fstore.ViewRef
	seen := map[fstore.ViewRef]bool{}
	for _, u := range m.Uses {
		if !seen[u.View] {
			seen[u.View] = true
			out = append(out, u.View)
		}
	}
	return out
}

// Models returns every pinned version of every model.
func (p *Project) Models(ctx context.Context) ([]*Model, error) {
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	return p.models(ctx, rev, rev.Models())
}

// Model returns a version of a model. For a name alone, it returns all versions.
func (p *Project) Model(ctx context.Context, ref fstore.ModelRef) ([]*Model, error) {
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	return p.named(ctx, rev, ref)
}

// TaggedModel is Model with tags, for which it reads the locks of training sets.
func (p *Project) TaggedModel(ctx context.Context, ref fstore.ModelRef) ([]*Model, error) {
	db, rev, err := p.openRevision(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	out, err := p.named(ctx, rev, ref)
	if err != nil {
		return nil, err
	}
	for _, m := range out {
		if m.Tags, err = p.tags(ctx, db, rev, m.ModelVersion); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *Project) named(ctx context.Context, rev *registry.Revision, ref fstore.ModelRef) ([]*Model, error) {
	var models []*registry.ModelVersion
	for _, m := range rev.Models() {
		if ref.Version == "" && m.Ref.Name == ref.Name {
			models = append(models, m)
		}
	}
	if len(models) == 0 {
		m, err := rev.Model(ref)
		if err != nil {
			return nil, err
		}
		models = append(models, m)
	}
	return p.models(ctx, rev, models)
}

// models looks up in one round trip what the online store has of versions of models. If the store cannot be reached,
// that is only a warning, because pins are in the registry.
func (p *Project) models(ctx context.Context, rev *registry.Revision, models []*registry.ModelVersion) ([]*Model, error) {
	var refs []fstore.ViewRef
	out := make([]*Model, len(models))
	for i, m := range models {
		out[i] = &Model{ModelVersion: m, Views: usedViews(m)}
		if list, err := rev.ModelFeatures(m.Ref); err == nil {
			out[i].Interface = list.Describe()
		}
		refs = append(refs, out[i].Views...)
	}
	pointers, err := p.pointers(ctx, refs)
	if errors.Is(err, fstore.ErrUnavailable) {
		p.notLookedAt(err)
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, m := range out {
		ready := true
		for _, ref := range m.Views {
			v := ModelView{View: ref}
			if pointer := pointers[ref]; pointer.Serves(rev.View(ref)) {
				v.At = pointer.Published
			}
			ready = ready && !v.At.IsZero()
			m.Published = append(m.Published, v)
		}
		m.Ready = &ready
	}
	return out, nil
}

// pointers reads the pointers of view versions.
func (p *Project) pointers(ctx context.Context, refs []fstore.ViewRef) (map[fstore.ViewRef]fstore.Pointer, error) {
	store, err := p.openedStore()
	if err != nil {
		return nil, err
	}
	return store.Pointers(ctx, refs)
}
