package registry

import (
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// live returns the view versions that must be fresh online, with the reasons: head and serving versions of views, those
// that head and serving versions of on-demand views and services use, and those pinned to models.
func (s *state) live() map[fstore.ViewRef][]string {
	out := map[fstore.ViewRef][]string{}
	add := func(ref fstore.ViewRef, why string) {
		if !slices.Contains(out[ref], why) {
			out[ref] = append(out[ref], why)
		}
	}
	for name, version := range s.head[KindView] {
		if !s.headViews[name].View.Offline {
			add(fstore.ViewRef{Name: name, Version: version}, "head")
		}
	}
	for name, version := range s.serving[KindView] {
		add(fstore.ViewRef{Name: name, Version: version}, "serving")
	}
	for _, versions := range []map[Kind]map[string]int{s.head, s.serving} {
		for _, kind := range []Kind{KindOnDemand, KindService} {
			for name, version := range versions[kind] {
				ref := fstore.ViewRef{Name: name, Version: version}
				for _, u := range s.usesOf(kind, ref) {
					add(u.View, string(kind)+" "+ref.String())
				}
			}
		}
	}
	for ref, m := range s.models {
		for _, u := range m.Uses {
			add(u.View, "model "+ref.String())
		}
	}
	return out
}

// usesOf returns the look-ups of views behind a version of an on-demand view or a service. A version that is not there
// has none.
func (s *state) usesOf(kind Kind, ref fstore.ViewRef) []definition.ServiceUse {
	if kind == KindOnDemand {
		return s.reach(ref).uses
	}
	if service := s.services[ref]; service != nil {
		return service.Uses
	}
	return nil
}

// latest returns the highest version number that a name has ever had. Views and on-demand views share their names, so
// they also share the numbers: a reference means one of them for ever.
func (s *state) latest(kind Kind, name string) int {
	if kind == KindService {
		return highest(s.services, name)
	}
	return max(highest(s.views, name), highest(s.onDemand, name))
}

func highest[V any](versions map[fstore.ViewRef]V, name string) int {
	n := 0
	for ref := range versions {
		if ref.Name == name {
			n = max(n, ref.Version)
		}
	}
	return n
}
