package registry

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// FieldChange is one thing that a definition says differently.
type FieldChange struct {
	Field  string `json:"field"`         // for example features.order_value.type
	Old    string `json:"old,omitempty"` // empty where it was not there
	New    string `json:"new,omitempty"`
	Counts bool   `json:"counts"`        // it can change a value, so that a view or service gets a new version
	Why    string `json:"why,omitempty"` // why it counts, or why it does not
}

// differ compares two states object by object.
type differ struct {
	ctx           context.Context //nolint:containedctx // lives as long as one comparison
	before, after *state
	prints        *fingerprinter
	fresh         map[Kind]map[string]bool
}

func (f *differ) changes() []Change {
	var out []Change
	for _, name := range union(f.before.entities, f.after.entities) {
		old, now := f.before.entities[name], f.after.entities[name]
		out = f.add(out, Change{Kind: KindEntity, Name: name}, old, now, old.Name != "", now.Name != "", entityFields(&old), entityFields(&now))
	}
	for _, name := range union(f.before.sources, f.after.sources) {
		old, now := f.before.sources[name], f.after.sources[name]
		out = f.add(out, Change{Kind: KindSource, Name: name}, old, now, old.Name != "", now.Name != "", sourceFields(&old, "", true), sourceFields(&now, "", true))
	}
	for _, name := range union(f.before.headViews, f.after.headViews) {
		old, now := f.before.headViews[name], f.after.headViews[name]
		c := f.versions(KindView, name)
		out = f.add(out, c, old, now, old != nil, now != nil, viewVersionFields(old), viewVersionFields(now))
	}
	for _, name := range union(f.before.headServices, f.after.headServices) {
		old, now := f.before.headServices[name], f.after.headServices[name]
		c := f.versions(KindService, name)
		out = f.add(out, c, old, now, old != nil, now != nil, serviceFields(old), serviceFields(now))
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
func (f *differ) add(out []Change, c Change, old, now any, had, has bool, was, is []field) []Change {
	switch {
	case !had:
		c.Action = Add
	case !has:
		c.Action = Remove
	case reflect.DeepEqual(old, now):
		return out
	default:
		c.Action = Modify
		c.Fields = f.compare(was, is)
		if len(c.Fields) == 0 && c.From == c.To {
			return out
		}
	}
	if c.Action != Add {
		c.Dependents = f.dependents(c.Kind, c.Name)
	}
	return append(out, c)
}

// compare lists the fields that differ, in the order of the new definition, then what is gone.
func (f *differ) compare(was, is []field) []FieldChange {
	var out []FieldChange
	for _, now := range is {
		i := slices.IndexFunc(was, func(o field) bool { return o.path == now.path })
		switch {
		case i < 0:
			out = append(out, FieldChange{now.path, "", now.value, now.counts, now.why})
		case was[i].value != now.value:
			c := FieldChange{now.path, was[i].value, now.value, now.counts, now.why}
			switch {
			case now.as == asOrder && !sameNames(c.Old, c.New):
				continue
			case now.as == asSQL && f.sameSQL(c.Old, c.New):
				c.Counts, c.Why = false, "only layout, comments or the case of words differ"
			}
			out = append(out, c)
		}
	}
	for _, old := range was {
		if !slices.ContainsFunc(is, func(n field) bool { return n.path == old.path }) {
			out = append(out, FieldChange{old.path, old.value, "", old.counts, old.why})
		}
	}
	return out
}

// sameNames reports whether two lists hold the same names in any order.
func sameNames(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// sameSQL reports whether two texts are the same query.
func (f *differ) sameSQL(a, b string) bool {
	x, err := f.prints.gate.Parse(f.ctx, a)
	if err != nil {
		return false
	}
	y, err := f.prints.gate.Parse(f.ctx, b)
	return err == nil && reflect.DeepEqual(x.Canonical(), y.Canonical())
}

// dependents names what reads or uses a definition before or after the change, directly or through others.
func (f *differ) dependents(kind Kind, name string) []string {
	views, services := map[string]bool{}, map[string]bool{}
	for _, s := range []*state{f.before, f.after} {
		for v, version := range s.headViews {
			if (kind != KindView || v != name) && readsObject(version, kind, name) {
				views[v] = true
			}
		}
		for service, version := range s.headServices {
			for _, u := range version.Uses {
				if views[u.View.Name] && kind != KindView || kind == KindView && (u.View.Name == name || views[u.View.Name]) {
					services[service] = true
				}
			}
		}
	}
	var out []string
	for _, v := range slices.Sorted(maps.Keys(views)) {
		out = append(out, fmt.Sprintf("%s %s", KindView, v))
	}
	for _, s := range slices.Sorted(maps.Keys(services)) {
		out = append(out, fmt.Sprintf("%s %s", KindService, s))
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
	case KindService: // no view reads one
	}
	return false
}
