package registry

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// differ compares two states object by object.
type differ struct {
	ctx           context.Context //nolint:containedctx // lives as long as one comparison
	before, after *state
	prints        *definition.Fingerprinter
	fresh         map[Kind]map[string]bool
}

func (f *differ) changes() []Change {
	var out []Change
	for _, name := range union(f.before.entities, f.after.entities) {
		old, now := f.before.entities[name], f.after.entities[name]
		out = f.add(out, Change{Kind: KindEntity, Name: name}, old, now, old.Name != "", now.Name != "", definition.EntityFields(&old), definition.EntityFields(&now))
	}
	for _, name := range union(f.before.sources, f.after.sources) {
		old, now := f.before.sources[name], f.after.sources[name]
		out = f.add(out, Change{Kind: KindSource, Name: name}, old, now, old.Name != "", now.Name != "", definition.SourceFields(&old), definition.SourceFields(&now))
	}
	for _, name := range union(f.before.headViews, f.after.headViews) {
		old, now := f.before.headViews[name], f.after.headViews[name]
		c := f.versions(KindView, name)
		out = f.add(out, c, old, now, old != nil, now != nil, definition.ViewFields(old), definition.ViewFields(now))
	}
	for _, name := range union(f.before.headOnDemand, f.after.headOnDemand) {
		old, now := f.before.headOnDemand[name], f.after.headOnDemand[name]
		c := f.versions(KindOnDemand, name)
		out = f.add(out, c, old, now, old != nil, now != nil, definition.OnDemandFields(old, f.before.versions()), definition.OnDemandFields(now, f.after.versions()))
	}
	for _, name := range union(f.before.headServices, f.after.headServices) {
		old, now := f.before.headServices[name], f.after.headServices[name]
		c := f.versions(KindService, name)
		if now != nil {
			c.Request = f.after.serviceList(now).Describe().Request
		}
		out = f.add(out, c, old, now, old != nil, now != nil, definition.ServiceFields(old), definition.ServiceFields(now))
	}
	return out
}

func union[V any](a, b map[string]V) []string {
	names := maps.Clone(a)
	if names == nil {
		names = map[string]V{}
	}
	maps.Copy(names, b)
	return slices.Sorted(maps.Keys(names))
}

// versions says which version a view or service had and gets.
func (f *differ) versions(kind Kind, name string) Change {
	c := Change{Kind: kind, Name: name, From: f.before.head[kind][name], To: f.after.head[kind][name]}
	switch {
	case c.To == 0:
	case f.fresh[kind][name]:
		c.Version = NewVersion
	case c.From == c.To:
		c.Version = SameVersion
	default:
		c.Version = EarlierVersion
	}
	return c
}

// add appends the change of one object, if it changed.
func (f *differ) add(out []Change, c Change, old, now any, had, has bool, was, is definition.Fields) []Change {
	switch {
	case !had:
		c.Action = Add
	case !has:
		c.Action = Remove
	case reflect.DeepEqual(old, now):
		return out
	default:
		c.Action = Modify
		c.Fields = f.prints.Compare(f.ctx, was, is)
		if len(c.Fields) == 0 && c.From == c.To {
			return out
		}
	}
	if c.Action != Add {
		c.Dependents = f.dependents(c.Kind, c.Name)
	}
	return append(out, c)
}

// dependents names what reads or uses a definition before or after the change, directly or through others.
func (f *differ) dependents(kind Kind, name string) []string {
	users := map[Kind]map[string]bool{KindView: {}, KindOnDemand: {}, KindService: {}}
	for _, s := range []*state{f.before, f.after} {
		for v, version := range s.headViews {
			if (kind != KindView || v != name) && readsObject(version, kind, name) {
				users[KindView][v] = true
			}
		}
		reads := func(uses []definition.ServiceUse, onDemand []*fstore.OnDemandVersion) bool {
			return slices.ContainsFunc(uses, func(u definition.ServiceUse) bool {
				return users[KindView][u.View.Name] || kind == KindView && u.View.Name == name
			}) || slices.ContainsFunc(onDemand, func(v *fstore.OnDemandVersion) bool { return kind == KindOnDemand && v.Ref.Name == name })
		}
		for v, version := range s.headOnDemand {
			behind := s.reach(version.Ref)
			if (kind != KindOnDemand || v != name) && reads(behind.uses, behind.onDemand) {
				users[KindOnDemand][v] = true
			}
		}
		for service, version := range s.headServices {
			if reads(version.Uses, s.onDemandVersions(version.OnDemand)) {
				users[KindService][service] = true
			}
		}
	}
	var out []string
	for _, kind := range []Kind{KindView, KindOnDemand, KindService} {
		for _, user := range sortedKeys(users[kind]) {
			out = append(out, fmt.Sprintf("%s %s", kind, user))
		}
	}
	return out
}

func readsObject(v *fstore.ViewVersion, kind Kind, name string) bool {
	switch kind {
	case KindEntity:
		return slices.Contains(v.View.Entities, name)
	case KindSource:
		return v.Source(name) != nil
	case KindView:
		return slices.ContainsFunc(v.Views, func(u fstore.View) bool { return u.Name == name })
	case KindOnDemand, KindService: // no view reads one
	}
	return false
}
