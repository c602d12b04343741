package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// ServiceImpact says how a plan changes what callers of a serving service must send and what they get. The change
// takes effect when the new version begins to serve or, if the service is removed, with the apply.
type ServiceImpact struct {
	Service string            `json:"service"`
	From    int               `json:"from"`         // the version that serves now
	To      int               `json:"to,omitempty"` // the version that will; 0: the service is removed
	Changes []InterfaceChange `json:"changes"`
}

// InterfaceChange is one difference between two versions of a service as their callers see them.
type InterfaceChange struct {
	Part     InterfacePart `json:"part"`
	Name     string        `json:"name"`
	Old      string        `json:"old,omitempty"` // the type before; empty if it is new
	New      string        `json:"new,omitempty"` // the type afterwards; empty if it is removed
	Breaking bool          `json:"breaking"`      // a caller of the serving version can fail or miss something
}

// InterfacePart is a part of what callers see.
type InterfacePart string

// The parts.
const (
	KeyColumn     InterfacePart = "key column"
	ServiceOutput InterfacePart = "output"
)

func (c InterfaceChange) String() string {
	switch {
	case c.Old == "" && c.Part == KeyColumn:
		return fmt.Sprintf("callers must also send key column %s (%s)", c.Name, c.New)
	case c.Old == "":
		return fmt.Sprintf("output %s (%s) is added", c.Name, c.New)
	case c.New == "" && c.Part == KeyColumn:
		return fmt.Sprintf("key column %s (%s) is no longer needed", c.Name, c.Old)
	case c.New == "":
		return fmt.Sprintf("output %s (%s) is removed", c.Name, c.Old)
	}
	return fmt.Sprintf("%s %s changes from %s to %s", c.Part, c.Name, c.Old, c.New)
}

// Breaking lists whom the plan breaks: the callers of services, and those that send a key column.
func (p *Plan) Breaking() []string {
	var out, services []string
	for _, s := range p.Services {
		if s.Breaking() {
			services = append(services, fmt.Sprintf("%s@%d", s.Service, s.From))
		}
	}
	if len(services) > 0 {
		out = append(out, "callers of "+strings.Join(services, ", "))
	}
	for _, name := range p.Forgotten {
		out = append(out, "callers that send key column "+name)
	}
	return out
}

// Breaking reports whether a caller of the version that serves now can fail, or misses something.
func (s ServiceImpact) Breaking() bool {
	return s.To == 0 || slices.ContainsFunc(s.Changes, func(c InterfaceChange) bool { return c.Breaking })
}

// serviceImpacts compares what serves with what an apply would leave. A difference that head had already before the
// plan is left out: whoever applied it has accepted it.
func serviceImpacts(before, after *state) []ServiceImpact {
	var out []ServiceImpact
	for _, name := range sortedKeys(before.serving[KindService]) {
		at := func(version int) *definition.ServiceVersion {
			return before.services[fstore.ViewRef{Name: name, Version: version}]
		}
		serving, head := at(before.serving[KindService][name]), at(before.head[KindService][name])
		if serving == nil {
			continue
		}
		impact := ServiceImpact{Service: name, From: serving.Ref.Version}
		next := after.services[fstore.ViewRef{Name: name, Version: after.head[KindService][name]}]
		if next == nil {
			out = append(out, impact)
			continue
		}
		impact.To = next.Ref.Version
		var accepted []InterfaceChange
		if head != nil {
			accepted = interfaceChanges(serving, head, before.views)
		}
		for _, c := range interfaceChanges(serving, next, after.views) {
			if !slices.Contains(accepted, c) {
				impact.Changes = append(impact.Changes, c)
			}
		}
		if impact.Changes != nil {
			out = append(out, impact)
		}
	}
	return out
}

// interfaceChanges returns what callers see change from one version of a service to another: key columns, then outputs.
func interfaceChanges(old, next *definition.ServiceVersion, views map[fstore.ViewRef]*fstore.ViewVersion) []InterfaceChange {
	from, to := listOf(old, views), listOf(next, views)
	var out []InterfaceChange
	for _, part := range []struct {
		part     InterfacePart
		old, new map[string]string
	}{
		{KeyColumn, keyTypes(from), keyTypes(to)},
		{ServiceOutput, outputTypes(from), outputTypes(to)},
	} {
		all := maps.Clone(part.old)
		maps.Copy(all, part.new)
		for _, name := range sortedKeys(all) {
			c := InterfaceChange{Part: part.part, Name: name, Old: part.old[name], New: part.new[name]}
			if c.Old != c.New {
				// a key column that goes is ignored as long as anything needs it: see forgottenKeys
				c.Breaking = part.part == KeyColumn && c.New != "" || part.part == ServiceOutput && c.Old != ""
				out = append(out, c)
			}
		}
	}
	return out
}

// listOf returns the features of a service version. A view that the registry does not have is nil.
func listOf(s *definition.ServiceVersion, views map[fstore.ViewRef]*fstore.ViewVersion) *fstore.FeatureList {
	list := &fstore.FeatureList{Outputs: s.Outputs}
	for _, u := range s.Uses {
		list.Uses = append(list.Uses, fstore.ViewUse{Version: views[u.View], Keys: u.Keys})
	}
	return list
}

// keyTypes returns the types of the key columns that a list needs, by name.
func keyTypes(list *fstore.FeatureList) map[string]string {
	out := map[string]string{}
	for _, k := range list.KeyColumns() {
		out[k.Name] = k.Type.String()
	}
	return out
}

// outputTypes returns the types of a list's outputs, by name.
func outputTypes(list *fstore.FeatureList) map[string]string {
	out := map[string]string{}
	for i, o := range list.Outputs {
		if f := list.Feature(i); f != nil {
			out[o.Name()] = f.Type.String()
		}
	}
	return out
}

// forgottenKeys returns the key columns that requests may carry before a plan and not after it. Callers may send any of
// them, so where something serves that breaks them.
func forgottenKeys(before, after *state) []string {
	if len(before.serving[KindService])+len(before.serving[KindView]) == 0 {
		return nil
	}
	var out []string
	kept := after.keyColumns(after.head)
	for _, name := range sortedKeys(before.keyColumns(before.head)) {
		if !kept[name] {
			out = append(out, name)
		}
	}
	return out
}

// KeyColumns returns the names of the key columns that any request may carry: those that a live version of a view, a
// head or serving version of a service, or a pin needs. A caller can so send a new key before it is needed, and go on
// sending one for as long as anything needs it.
func (rev *Revision) KeyColumns() map[string]bool {
	return rev.state.keyColumns(rev.state.head, rev.state.serving)
}

// keyColumns returns the key columns that these versions and the pins need.
func (s *state) keyColumns(versions ...map[Kind]map[string]int) map[string]bool {
	out := map[string]bool{}
	uses := func(of []definition.ServiceUse) {
		for _, u := range of {
			for _, k := range u.Keys {
				out[k.Column], out[k.Key.Name] = true, true
			}
		}
	}
	for _, v := range versions {
		for name, version := range v[KindView] {
			if view := s.views[fstore.ViewRef{Name: name, Version: version}]; view != nil {
				for _, k := range view.View.Keys {
					out[k.Name] = true
				}
			}
		}
		for name, version := range v[KindService] {
			if service := s.services[fstore.ViewRef{Name: name, Version: version}]; service != nil {
				uses(service.Uses)
			}
		}
	}
	for _, m := range s.models {
		uses(m.Uses)
	}
	return out
}
