package registry

import (
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// reach is what on-demand views read, directly and through others.
type reach struct {
	of       *state
	uses     []definition.ServiceUse   // look-ups of views
	onDemand []*fstore.OnDemandVersion // each after those that it reads
	seen     map[fstore.ViewRef]bool
}

// reach returns versions of on-demand views and everything that they read. It leaves out what is not there.
func (s *state) reach(refs ...fstore.ViewRef) *reach {
	r := &reach{of: s, seen: map[fstore.ViewRef]bool{}}
	for _, ref := range refs {
		r.add(ref)
	}
	return r
}

func (r *reach) add(ref fstore.ViewRef) {
	v := r.of.onDemand[ref]
	if v == nil || r.seen[ref] {
		return
	}
	r.seen[ref] = true
	r.inputs(v)
	r.onDemand = append(r.onDemand, v)
}

func (r *reach) inputs(v *fstore.OnDemandVersion) {
	for _, in := range v.Inputs {
		if in.OnDemand {
			r.add(in.Ref)
			continue
		}
		if use := (definition.ServiceUse{View: in.Ref, Keys: in.Keys}); !hasUse(r.uses, use) {
			r.uses = append(r.uses, use)
		}
	}
}

// hasUse reports whether a look-up is one of several.
func hasUse(uses []definition.ServiceUse, use definition.ServiceUse) bool {
	return slices.ContainsFunc(uses, func(u definition.ServiceUse) bool { return u.View == use.View && slices.Equal(u.Keys, use.Keys) })
}

// viewUses resolves view versions. Those that are not there are nil.
func (s *state) viewUses(of []definition.ServiceUse) []fstore.ViewUse {
	var out []fstore.ViewUse
	for _, u := range of {
		out = append(out, fstore.ViewUse{Version: s.views[u.View], Keys: u.Keys})
	}
	return out
}

// onDemandVersions resolves versions of on-demand views. Those that are not there are left out.
func (s *state) onDemandVersions(refs []fstore.ViewRef) []*fstore.OnDemandVersion {
	var out []*fstore.OnDemandVersion
	for _, ref := range refs {
		if v := s.onDemand[ref]; v != nil {
			out = append(out, v)
		}
	}
	return out
}

// serviceList resolves a version of a service.
func (s *state) serviceList(v *definition.ServiceVersion) *fstore.FeatureList {
	return &fstore.FeatureList{
		Service: v.Ref, Uses: s.viewUses(v.Uses), OnDemand: s.onDemandVersions(v.OnDemand), Request: v.Service.Request, Outputs: v.Outputs,
	}
}

// versions finds what on-demand views and services read.
func (s *state) versions() definition.Versions {
	return definition.Versions{
		View:     func(ref fstore.ViewRef) *fstore.ViewVersion { return s.views[ref] },
		OnDemand: func(ref fstore.ViewRef) *fstore.OnDemandVersion { return s.onDemand[ref] },
	}
}
