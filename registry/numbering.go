package registry

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// numbering finds the version of every view, on-demand view and service.
type numbering struct {
	ctx    context.Context //nolint:containedctx // lives as long as one plan
	before *state
	prints *definition.Fingerprinter
	target []object
	fresh  map[Kind]map[string]bool
}

// number returns the state that an apply would leave. Names that stay go on serving what they serve.
func (n *numbering) number(d *definition.Definitions) (*state, error) {
	n.fresh = map[Kind]map[string]bool{KindView: {}, KindOnDemand: {}, KindService: {}}
	after := newState()
	after.views, after.onDemand, after.services = maps.Clone(n.before.views), maps.Clone(n.before.onDemand), maps.Clone(n.before.services)
	after.models, after.aliases = n.before.models, n.before.aliases
	for _, e := range d.Entities {
		after.entities[e.Name] = e
		n.target = append(n.target, object{kind: KindEntity, name: e.Name, definition: e})
	}
	for _, s := range d.Sources {
		after.sources[s.Name] = s
		n.target = append(n.target, object{kind: KindSource, name: s.Name, definition: s})
	}
	for i := range d.Views {
		v := d.Views[i]
		if err := n.view(&v); err != nil {
			return nil, err
		}
		after.head[KindView][v.Ref.Name], after.headViews[v.Ref.Name] = v.Ref.Version, &v
		if after.views[v.Ref] == nil {
			after.views[v.Ref] = &v
		}
		if !v.View.Offline {
			n.serve(KindView, v.Ref.Name, after)
		}
	}
	for i := range d.OnDemand {
		v, err := n.onDemand(d.OnDemand[i], after)
		if err != nil {
			return nil, err
		}
		after.head[KindOnDemand][v.Ref.Name], after.headOnDemand[v.Ref.Name] = v.Ref.Version, v
		if after.onDemand[v.Ref] == nil {
			after.onDemand[v.Ref] = v
		}
		n.serve(KindOnDemand, v.Ref.Name, after)
	}
	for i := range d.Services {
		s := n.service(d.Services[i], after)
		after.head[KindService][s.Ref.Name], after.headServices[s.Ref.Name] = s.Ref.Version, s
		if after.services[s.Ref] == nil {
			after.services[s.Ref] = s
		}
		n.serve(KindService, s.Ref.Name, after)
	}
	return after, nil
}

// serve lets a name go on serving what it serves.
func (n *numbering) serve(kind Kind, name string, after *state) {
	if version := n.before.serving[kind][name]; version > 0 {
		after.serving[kind][name] = version
	}
}

// next gives a reference without a version the number after those of a state, and reports whether it did.
func (n *numbering) next(kind Kind, ref *fstore.ViewRef, in *state) (fresh bool) {
	if fresh = ref.Version == 0; fresh {
		ref.Version = in.latest(kind, ref.Name) + 1
	}
	n.fresh[kind][ref.Name] = fresh
	return fresh
}

// view gives a view the number of the version with its fingerprint, or the next one.
func (n *numbering) view(v *fstore.ViewVersion) error {
	for _, ref := range versionsOf(n.before.views, v.Ref.Name, n.before.head[KindView][v.Ref.Name]) {
		stored := n.before.views[ref]
		same := stored.Fingerprint == v.Fingerprint
		if !same {
			again, err := n.prints.View(n.ctx, stored)
			if n.ctx.Err() != nil {
				return n.ctx.Err()
			}
			same = err == nil && again == v.Fingerprint // SQL that no longer parses is different SQL
		}
		if same {
			v.Ref, v.Fingerprint = ref, stored.Fingerprint
			break
		}
	}
	fresh := n.next(KindView, &v.Ref, n.before)
	n.target = append(n.target, object{KindView, v.Ref.Name, v.Ref.Version, fresh, v.Fingerprint, v})
	return nil
}

// onDemand resolves what an on-demand view reads to the versions in head, and gives the view a number in the same way. A
// version that it had before is the same only if it reads the same versions.
func (n *numbering) onDemand(v fstore.OnDemandVersion, after *state) (*fstore.OnDemandVersion, error) {
	v.Inputs = slices.Clone(v.Inputs)
	for i := range v.Inputs {
		in := &v.Inputs[i]
		in.Ref.Version = after.head[inputKind(in)][in.Ref.Name]
	}
	var err error
	if v.Fingerprint, err = definition.OnDemandFingerprint(&v, after.versions()); err != nil {
		return nil, err
	}
	for _, ref := range versionsOf(n.before.onDemand, v.Ref.Name, n.before.head[KindOnDemand][v.Ref.Name]) {
		stored := n.before.onDemand[ref]
		same := stored.Fingerprint == v.Fingerprint
		if !same {
			again, err := definition.OnDemandFingerprint(stored, n.before.versions())
			same = err == nil && again == v.Fingerprint // an expression that no longer compiles is another one
		}
		if same && sameInputs(stored, &v) {
			v.Ref, v.Fingerprint = ref, stored.Fingerprint
			break
		}
	}
	fresh := n.next(KindOnDemand, &v.Ref, after)
	n.target = append(n.target, object{KindOnDemand, v.Ref.Name, v.Ref.Version, fresh, v.Fingerprint, &v})
	return &v, nil
}

func inputKind(in *fstore.OnDemandInput) Kind {
	if in.OnDemand {
		return KindOnDemand
	}
	return KindView
}

// sameInputs reports whether two on-demand views look up the same versions by the same keys, by whatever names.
func sameInputs(a, b *fstore.OnDemandVersion) bool {
	in := func(x *fstore.OnDemandInput, v *fstore.OnDemandVersion) bool {
		return slices.ContainsFunc(v.Inputs, func(y fstore.OnDemandInput) bool { return x.Ref == y.Ref && slices.Equal(x.Keys, y.Keys) })
	}
	for i := range a.Inputs {
		if !in(&a.Inputs[i], b) {
			return false
		}
	}
	for i := range b.Inputs {
		if !in(&b.Inputs[i], a) {
			return false
		}
	}
	return true
}

// versionsOf returns the stored versions of a name, head's first, then the newest.
func versionsOf[V any](stored map[fstore.ViewRef]V, name string, head int) []fstore.ViewRef {
	var refs []fstore.ViewRef
	for ref := range stored {
		if ref.Name == name {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b fstore.ViewRef) int {
		if a.Version == head || b.Version == head {
			return cmp.Compare(b2i(b.Version == head), b2i(a.Version == head))
		}
		return b.Version - a.Version
	})
	return refs
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// service resolves a service's views to their versions and gives the service a number in the same way.
func (n *numbering) service(s definition.ServiceVersion, after *state) *definition.ServiceVersion {
	s.Uses = slices.Clone(s.Uses)
	for i := range s.Uses {
		s.Uses[i].View.Version = after.head[KindView][s.Uses[i].View.Name]
	}
	s.OnDemand = slices.Clone(s.OnDemand)
	for i := range s.OnDemand {
		s.OnDemand[i].Version = after.head[KindOnDemand][s.OnDemand[i].Name]
	}
	s.Fingerprint = definition.ServiceFingerprint(&s, after.versions())
	head := n.before.head[KindService][s.Ref.Name]
	for ref, stored := range n.before.services {
		if ref.Name != s.Ref.Name || stored.Fingerprint != s.Fingerprint && definition.ServiceFingerprint(stored, after.versions()) != s.Fingerprint {
			continue
		}
		if s.Ref.Version == 0 || ref.Version == head || ref.Version > s.Ref.Version && s.Ref.Version != head {
			s.Ref.Version = ref.Version
		}
	}
	fresh := n.next(KindService, &s.Ref, n.before)
	if !fresh {
		s.Fingerprint = n.before.services[s.Ref].Fingerprint
	}
	n.target = append(n.target, object{KindService, s.Ref.Name, s.Ref.Version, fresh, s.Fingerprint, &s})
	return &s
}
