package project

import (
	"context"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
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
	Old    int                      `json:"old,omitempty"` // version; 0: not used
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
		Definitions: viewDifferences(ctx, engine, old.Lock.Views, now.Lock.Views), Differences: lock.Compare(old.Lock, now.Lock),
	}
	d.Same = d.SameContent && len(d.Definitions)+len(d.About)+len(d.Settings)+len(d.Labels)+len(d.Features)+len(d.Inputs)+len(d.Columns) == 0
	return d, nil
}

// viewDifferences compares the views of one name. If a training set uses several versions of a view, versions that
// are equal in both sets are matched first, and then the others in order.
func viewDifferences(ctx context.Context, engine *offline.Engine, old, now []*fstore.ViewVersion) []ViewDifference {
	out := []ViewDifference{}
	names := []string{}
	for _, v := range append(slices.Clone(old), now...) {
		if !slices.Contains(names, v.Ref.Name) {
			names = append(names, v.Ref.Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		was, is := versionsOf(old, name), versionsOf(now, name)
		for _, v := range slices.Clone(was) {
			if i := slices.IndexFunc(is, func(o *fstore.ViewVersion) bool { return sameVersion(ctx, engine, v, o) }); i >= 0 {
				is = slices.Delete(is, i, i+1)
				was = slices.DeleteFunc(was, func(o *fstore.ViewVersion) bool { return o == v })
			}
		}
		for i := range max(len(was), len(is)) {
			d := ViewDifference{View: name}
			var a, b *fstore.ViewVersion
			if i < len(was) {
				a, d.Old = was[i], was[i].Ref.Version
			}
			if i < len(is) {
				b, d.New = is[i], is[i].Ref.Version
			}
			if d.Fields = definition.CompareVersions(ctx, engine, a, b); d.Fields == nil {
				d.Fields = []definition.FieldChange{}
			}
			out = append(out, d)
		}
	}
	return out
}

// sameVersion reports whether two versions give the same values, by their fingerprints and by their definitions. In
// the lock of another build the two may disagree.
func sameVersion(ctx context.Context, engine *offline.Engine, a, b *fstore.ViewVersion) bool {
	return a.Fingerprint == b.Fingerprint &&
		!slices.ContainsFunc(definition.CompareVersions(ctx, engine, a, b), func(c definition.FieldChange) bool { return c.Counts })
}

func versionsOf(views []*fstore.ViewVersion, name string) []*fstore.ViewVersion {
	return slices.DeleteFunc(slices.Clone(views), func(v *fstore.ViewVersion) bool { return v.Ref.Name != name })
}
