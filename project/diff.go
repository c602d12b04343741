package project

import (
	"context"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// SetDifference is the difference between two training sets.
type SetDifference struct {
	Old         string           `json:"old"`
	New         string           `json:"new"`
	Same        bool             `json:"same"`         // nothing differs
	SameContent bool             `json:"same_content"` // rows and columns are equal
	Definitions []ViewDifference `json:"definitions"`
	*lock.Differences
}

// ViewDifference is a view of which two training sets use different versions.
type ViewDifference struct {
	View   string                   `json:"view"`
	Kind   string                   `json:"kind,omitempty"` // empty: feature_view
	Old    int                      `json:"old,omitempty"`  // version; 0: not used
	New    int                      `json:"new,omitempty"`
	Fields []definition.FieldChange `json:"fields"`
}

// DiffTrainingSets compares two training sets, given by their names or locks. It does not read their files.
func (p *Project) DiffTrainingSets(ctx context.Context, first, second string) (*SetDifference, error) {
	old, err := p.LockedSet(ctx, first)
	if err != nil {
		return nil, err
	}
	now, err := p.LockedSet(ctx, second)
	if err != nil {
		return nil, err
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	for _, set := range []*LockedSet{old, now} {
		if err := p.checkLock(ctx, engine, set); err != nil {
			return nil, err
		}
	}
	d := &SetDifference{
		Old: first, New: second, SameContent: old.Lock.Output.Content == now.Lock.Output.Content,
		Definitions: viewDifferences(ctx, engine, versionsIn(old.Lock), versionsIn(now.Lock)), Differences: lock.Compare(old.Lock, now.Lock),
	}
	d.Same = d.SameContent && len(d.Definitions)+len(d.About)+len(d.Settings)+len(d.Labels)+len(d.Features)+len(d.Inputs)+len(d.Columns) == 0
	return d, nil
}

// versionInLock is a version of a view, or of an on-demand view.
type versionInLock struct {
	ref         fstore.ViewRef
	kind        string // empty: feature_view
	fingerprint string
	fields      definition.Fields
}

func versionsIn(l *lock.Lock) []*versionInLock {
	var out []*versionInLock
	for _, v := range l.Views {
		out = append(out, &versionInLock{v.Ref, "", v.Fingerprint, definition.ViewFields(v)})
	}
	versions := definition.Versions{View: l.View, OnDemand: l.List().OnDemandVersion}
	for _, v := range l.OnDemand {
		out = append(out, &versionInLock{v.Ref, string(registry.KindOnDemand), v.Fingerprint, definition.OnDemandFields(v, versions)})
	}
	return out
}

// viewDifferences compares the views of one name. If a training set uses several versions of a view, versions that
// are equal in both sets are matched first, and then the others in order.
func viewDifferences(ctx context.Context, engine *offline.Engine, old, now []*versionInLock) []ViewDifference {
	out := []ViewDifference{}
	names := []string{}
	for _, v := range append(slices.Clone(old), now...) {
		if !slices.Contains(names, v.ref.Name) {
			names = append(names, v.ref.Name)
		}
	}
	slices.Sort(names)
	compare := func(a, b *versionInLock) []definition.FieldChange {
		return definition.NewFingerprinter(engine).Compare(ctx, a.fields, b.fields)
	}
	for _, name := range names {
		was, is := versionsOf(old, name), versionsOf(now, name)
		for _, v := range slices.Clone(was) {
			if i := slices.IndexFunc(is, func(o *versionInLock) bool { return sameVersion(v, o, compare) }); i >= 0 {
				is = slices.Delete(is, i, i+1)
				was = slices.DeleteFunc(was, func(o *versionInLock) bool { return o == v })
			}
		}
		for i := range max(len(was), len(is)) {
			d := ViewDifference{View: name}
			a, b := &versionInLock{}, &versionInLock{}
			if i < len(was) {
				a, d.Old, d.Kind = was[i], was[i].ref.Version, was[i].kind
			}
			if i < len(is) {
				b, d.New, d.Kind = is[i], is[i].ref.Version, is[i].kind
			}
			if d.Fields = compare(a, b); d.Fields == nil {
				d.Fields = []definition.FieldChange{}
			}
			out = append(out, d)
		}
	}
	return out
}

// sameVersion reports whether two versions give the same values, by their fingerprints and by their definitions. In
// the lock of another build the two may disagree. The fingerprint of an on-demand view encodes what its expressions mean, and
// its fields show how they are written.
func sameVersion(a, b *versionInLock, compare func(a, b *versionInLock) []definition.FieldChange) bool {
	return a.kind == b.kind && a.fingerprint == b.fingerprint &&
		(a.kind != "" || !slices.ContainsFunc(compare(a, b), func(c definition.FieldChange) bool { return c.Counts }))
}

func versionsOf(versions []*versionInLock, name string) []*versionInLock {
	return slices.DeleteFunc(slices.Clone(versions), func(v *versionInLock) bool { return v.ref.Name != name })
}
