package registry

import (
	"fmt"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// check returns ErrCorrupt unless every version that the state refers to is there, and has what is read of it.
func (s *state) check() error {
	for _, versions := range []map[Kind]map[string]int{s.head, s.serving} {
		for kind, names := range versions {
			for name, version := range names {
				if err := s.has(kind, fstore.ViewRef{Name: name, Version: version}); err != nil {
					return err
				}
			}
		}
	}
	for ref, v := range s.onDemand {
		if err := s.checkOnDemand(ref, v); err != nil {
			return err
		}
	}
	for ref, service := range s.services {
		if err := s.checkList(KindService, ref, service.Uses, service.OnDemand, service.Outputs); err != nil {
			return err
		}
	}
	for ref, m := range s.models {
		if err := s.checkList("model", ref, m.Uses, m.OnDemand, m.Outputs); err != nil {
			return err
		}
	}
	return nil
}

// has returns ErrCorrupt unless a version is there.
func (s *state) has(kind Kind, ref fstore.ViewRef) error {
	found := false
	switch kind {
	case KindView:
		found = s.views[ref] != nil
	case KindOnDemand:
		found = s.onDemand[ref] != nil
	case KindService:
		found = s.services[ref] != nil
	case KindEntity, KindSource: // have no versions
	}
	if !found {
		return corrupt("there is no definition of %s %s", kind, ref)
	}
	return nil
}

// checkOnDemand checks what an on-demand view reads.
func (s *state) checkOnDemand(ref fstore.ViewRef, v *fstore.OnDemandVersion) error {
	if s.views[ref] != nil {
		return corrupt("%s is a %s and a %s", ref, KindView, KindOnDemand)
	}
	for _, in := range v.Inputs {
		if err := s.has(inputKind(&in), in.Ref); err != nil {
			return err
		}
		for _, name := range in.Features {
			if s.feature(in.Ref, name) == nil {
				return corrupt("%s %s reads %s.%s, which is not there", KindOnDemand, ref, in.Ref, name)
			}
		}
	}
	all := s.reach(ref).onDemand
	if !inOrder(all) {
		return corrupt("%s %s reads itself", KindOnDemand, ref)
	}
	return nil
}

// feature returns a feature of a view or an on-demand view, or nil.
func (s *state) feature(ref fstore.ViewRef, name string) *fstore.Feature {
	if v := s.views[ref]; v != nil {
		return v.View.Feature(name)
	}
	if v := s.onDemand[ref]; v != nil {
		return v.Feature(name)
	}
	return nil
}

// inOrder reports whether each on-demand view comes after those that it reads.
func inOrder(versions []*fstore.OnDemandVersion) bool {
	seen := map[fstore.ViewRef]bool{}
	for _, v := range versions {
		for _, in := range v.Inputs {
			if in.OnDemand && !seen[in.Ref] {
				return false
			}
		}
		seen[v.Ref] = true
	}
	return true
}

// checkList checks what a service or a model refers to.
func (s *state) checkList(kind Kind, ref fmt.Stringer, uses []definition.ServiceUse, onDemand []fstore.ViewRef, outputs fstore.Outputs) error {
	for _, u := range uses {
		if err := s.has(KindView, u.View); err != nil {
			return err
		}
	}
	for _, v := range onDemand {
		if err := s.has(KindOnDemand, v); err != nil {
			return err
		}
	}
	if !inOrder(s.onDemandVersions(onDemand)) {
		return corrupt("%s %s lacks an on-demand view that another one reads", kind, ref)
	}
	for _, need := range s.reach(onDemand...).uses {
		if !hasUse(uses, need) {
			return corrupt("%s %s does not look up %s, which an on-demand view reads", kind, ref, need.View)
		}
	}
	for _, o := range outputs {
		var f *fstore.Feature
		switch o := o.(type) {
		case fstore.FeatureOutput:
			if o.Use >= 0 && o.Use < len(uses) {
				f = s.feature(uses[o.Use].View, o.Feature)
			}
		case fstore.OnDemandOutput:
			if o.OnDemand >= 0 && o.OnDemand < len(onDemand) {
				f = s.feature(onDemand[o.OnDemand], o.Feature)
			}
		}
		if f == nil {
			return corrupt("output %s of %s %s reads no feature of a view that it uses", o.Name(), kind, ref)
		}
	}
	return nil
}
