package project

import (
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// subjects returns what is monitored: each pinned model version; each service of head with views that none of its models uses; and,
// unless services are named, whatever else is live.
func (m *monitoring) subjects() ([]*MonitoredModel, error) {
	services, err := m.services()
	if err != nil {
		return nil, err
	}
	var out []*MonitoredModel
	pinned := map[string][]*MonitoredModel{}
	for _, v := range m.rev.Models() {
		if len(m.r.Services) > 0 && !slices.Contains(services, v.Service.Name) {
			continue
		}
		of := &MonitoredModel{Watched: registry.Watched{Service: v.Service.Name, Model: v.Ref.Name, Version: v.Ref.Version}}
		for _, ref := range usedViews(v) {
			of.add(m.rev.View(ref))
		}
		out, pinned[v.Service.Name] = append(out, of), append(pinned[v.Service.Name], of)
	}
	for _, name := range services {
		of := &MonitoredModel{Watched: registry.Watched{Service: name}}
		for _, list := range m.lists(name) {
			for _, u := range list.Uses {
				if !uses(pinned[name], u.Version.Ref) {
					of.add(u.Version)
				}
			}
		}
		if len(of.views) > 0 || len(pinned[name]) == 0 {
			out = append(out, of)
		}
	}
	if len(m.r.Services) == 0 {
		rest := &MonitoredModel{}
		for _, v := range m.rev.Live() {
			if !uses(out, v.Ref) {
				rest.add(v)
			}
		}
		out = append(out, rest)
	}
	for _, of := range out {
		of.Firing = []Firing{}
	}
	return out, nil
}

// services returns the names of the services that are monitored.
func (m *monitoring) services() ([]string, error) {
	var all []string
	for _, s := range m.rev.Services() {
		all = append(all, s.Ref.Name)
	}
	for _, name := range m.r.Services {
		if !slices.Contains(all, name) {
			hint := fstore.DidYouMean(name, all)
			if hint == "" {
				hint = "fstore list services shows what exists"
			}
			return nil, fstore.Errorf(fstore.ErrNotFound, "there is no feature_service %s", name).WithHint("%s", hint)
		}
	}
	if len(m.r.Services) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(m.r.Services))), nil
	}
	return all, nil
}

// lists returns the features of the head version and of the serving version of a service.
func (m *monitoring) lists(service string) []*fstore.FeatureList {
	var out []*fstore.FeatureList
	if list, err := m.rev.HeadService(service); err == nil {
		out = append(out, list)
	}
	if list, err := m.rev.ServingService(service); err == nil { // else nothing serves yet
		out = append(out, list)
	}
	return out
}

// dropEmpty removes the entry of what no service and no model uses if there is nothing.
func (m *monitoring) dropEmpty() {
	m.out.Models = slices.DeleteFunc(m.out.Models, func(of *MonitoredModel) bool {
		return of.Watched == registry.Watched{} && len(of.views) == 0 && of.Checks == CheckTally{} && len(of.Errors) == 0
	})
}

func (of *MonitoredModel) add(v *fstore.ViewVersion) {
	if !uses([]*MonitoredModel{of}, v.Ref) {
		of.views = append(of.views, v)
	}
}

// uses reports whether one of the models looks up a view version.
func uses(models []*MonitoredModel, ref fstore.ViewRef) bool {
	return slices.ContainsFunc(models, func(of *MonitoredModel) bool {
		return slices.ContainsFunc(of.views, func(v *fstore.ViewVersion) bool { return v.Ref == ref })
	})
}

// views returns the view versions of all models, once each.
func (m *monitoring) views() []*fstore.ViewVersion {
	all := &MonitoredModel{}
	for _, of := range m.out.Models {
		for _, v := range of.views {
			all.add(v)
		}
	}
	return all.views
}

// concerned returns the models for which a source or a view version matters: they look it up, or read it through another view. What
// nothing reads belongs to the last entry, which has what is live besides.
func (m *monitoring) concerned(kind registry.Kind, ref fstore.ViewRef) []*MonitoredModel {
	return m.orOthers(func(v *fstore.ViewVersion) bool {
		return kind == registry.KindView && v.Ref == ref || m.reads(v, kind, ref)
	})
}

// orOthers returns the models that look up a version of which something holds, or else the last entry.
func (m *monitoring) orOthers(holds func(*fstore.ViewVersion) bool) []*MonitoredModel {
	var out []*MonitoredModel
	for _, of := range m.out.Models {
		if slices.ContainsFunc(of.views, holds) {
			out = append(out, of)
		}
	}
	if rest := m.out.Models; len(out) == 0 && len(m.r.Services) == 0 {
		out = rest[len(rest)-1:]
	}
	return out
}

// reads reports whether a view version reads a source or a version of another view.
func (m *monitoring) reads(v *fstore.ViewVersion, kind registry.Kind, ref fstore.ViewRef) bool {
	if kind == registry.KindSource {
		return v.Source(ref.Name) != nil
	}
	return readsVersion(m.rev, v, ref)
}

// readsVersion reports whether a view version reads this version of another view.
func readsVersion(rev *registry.Revision, v *fstore.ViewVersion, ref fstore.ViewRef) bool {
	i := slices.IndexFunc(v.Views, func(in fstore.View) bool { return in.Name == ref.Name })
	return i >= 0 && upstreamVersion(rev, v, i).Ref == ref
}
