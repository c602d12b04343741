package registry

import (
	"cmp"
	"fmt"
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
	RequestColumn InterfacePart = "request column" // unless it is a key column as well
	ServiceOutput InterfacePart = "output"
)

func (c InterfaceChange) String() string {
	switch column := c.Part != ServiceOutput; {
	case c.Old == "" && column && c.Breaking:
		return fmt.Sprintf("callers must also send %s %s (%s)", c.Part, c.Name, c.New)
	case c.Old == "" && column:
		return fmt.Sprintf("callers may also send %s %s (%s)", c.Part, c.Name, c.New)
	case c.Old == "":
		return fmt.Sprintf("output %s (%s) is added", c.Name, c.New)
	case c.New == "" && column:
		return fmt.Sprintf("%s %s (%s) is no longer needed", c.Part, c.Name, c.Old)
	case c.New == "":
		return fmt.Sprintf("output %s (%s) is removed", c.Name, c.Old)
	}
	return fmt.Sprintf("%s %s changes from %s to %s", c.Part, c.Name, c.Old, c.New)
}

// Breaking lists whom the plan breaks: the callers of services, and those that send a column that nothing will need.
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
		out = append(out, "callers that send column "+name)
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
			accepted = interfaceChanges(before.serviceList(serving), before.serviceList(head))
		}
		for _, c := range interfaceChanges(before.serviceList(serving), after.serviceList(next)) {
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

// interfaceChanges returns what callers see change from one version of a service to another: the columns that they send,
// then outputs.
func interfaceChanges(old, next *fstore.FeatureList) []InterfaceChange {
	var out []InterfaceChange
	was, is := sentColumns(old), sentColumns(next)
	for _, name := range union(was, is) {
		from, to := was[name], is[name]
		part := cmp.Or(to.part, from.part)
		if from.part == KeyColumn {
			part = KeyColumn
		}
		c := InterfaceChange{Part: part, Name: name, Old: from.text(), New: to.text()}
		if c.Old != c.New {
			// a column that goes is ignored as long as anything needs it: see forgottenColumns
			c.Breaking = to.part != "" && (from.part != "" && from.typ != to.typ || to.required && !from.required)
			out = append(out, c)
		}
	}
	had, has := outputTypes(old), outputTypes(next)
	for _, name := range union(had, has) {
		c := InterfaceChange{Part: ServiceOutput, Name: name, Old: had[name], New: has[name], Breaking: had[name] != ""}
		if c.Old != c.New {
			out = append(out, c)
		}
	}
	return out
}

// sentColumn is a column that callers of a service send.
type sentColumn struct {
	part     InterfacePart // empty: there is no such column
	typ      fstore.Type
	required bool
}

// text is the type, and whether the column may be left out.
func (c sentColumn) text() string {
	switch {
	case c.part == "":
		return ""
	case c.required:
		return c.typ.String()
	}
	return c.typ.String() + ", optional"
}

// sentColumns returns the columns that callers of a list send. A request column that is a key column too is listed as
// such.
func sentColumns(list *fstore.FeatureList) map[string]sentColumn {
	out := map[string]sentColumn{}
	for _, c := range list.RequestColumns() {
		out[c.Name] = sentColumn{RequestColumn, c.Type, c.Default == nil}
	}
	for _, k := range list.KeyColumns() {
		out[k.Name] = sentColumn{KeyColumn, k.Type, true}
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

// forgottenColumns returns the columns that requests may carry before a plan and not after it. Callers may send any of
// them, so where something serves that breaks them.
func forgottenColumns(before, after *state) []string {
	served := 0
	for _, names := range before.serving {
		served += len(names)
	}
	if served == 0 {
		return nil
	}
	var out []string
	kept := after.sentColumns(after.head)
	for _, name := range sortedKeys(before.sentColumns(before.head)) {
		if !kept[name] {
			out = append(out, name)
		}
	}
	return out
}

// SentColumns returns the names of the columns that any request may carry: the key columns and request columns that a
// live version of a view or an on-demand view, a head or serving version of a service, or a pin needs. A caller can so
// send a new column before it is needed, and go on sending one for as long as anything needs it.
func (rev *Revision) SentColumns() map[string]bool {
	return rev.state.sentColumns(rev.state.head, rev.state.serving)
}

// sentColumns returns the columns that these versions and the pins need.
func (s *state) sentColumns(versions ...map[Kind]map[string]int) map[string]bool {
	out := map[string]bool{}
	add := func(uses []definition.ServiceUse, onDemand []*fstore.OnDemandVersion, request map[string]string) {
		for _, u := range uses {
			for _, k := range u.Keys {
				out[k.Column], out[k.Key.Name] = true, true
			}
		}
		for _, v := range onDemand {
			for _, c := range v.View.Request {
				out[c.Name], out[cmp.Or(request[c.Name], c.Name)] = true, true
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
		for name, version := range v[KindOnDemand] {
			behind := s.reach(fstore.ViewRef{Name: name, Version: version})
			add(behind.uses, behind.onDemand, nil)
		}
		for name, version := range v[KindService] {
			if service := s.services[fstore.ViewRef{Name: name, Version: version}]; service != nil {
				add(service.Uses, s.onDemandVersions(service.OnDemand), service.Service.Request)
			}
		}
	}
	for _, m := range s.models {
		add(m.Uses, s.onDemandVersions(m.OnDemand), m.Request)
	}
	return out
}
