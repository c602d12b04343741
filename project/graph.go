package project

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// Graph shows the registered definitions and what reads what.
type Graph struct {
	*registry.Revision
	published *Freshness // see Publications; nil: not asked for, or the store cannot be reached
}

// Graph reads the registry as it is now.
func (p *Project) Graph(ctx context.Context) (Graph, error) {
	rev, err := p.Revision(ctx)
	return Graph{Revision: rev}, err
}

// publicationsTimeout bounds what a list waits for a store.
const publicationsTimeout = 2 * time.Second

// Publications returns the graph with what the online store has of the live views: List and Table show it. If the store cannot be
// read, it returns the graph without that and the error.
func (p *Project) Publications(ctx context.Context, g Graph) (Graph, error) {
	if g.Number == 0 {
		return g, nil
	}
	store, err := p.openedStore()
	if err != nil {
		return g, err
	}
	ctx, cancel := context.WithTimeout(ctx, publicationsTimeout)
	defer cancel()
	g.published, err = freshness(ctx, g.Revision, store, p.now())
	return g, err
}

// publication returns the freshness of the version of a view that serves, or nil if it is not known.
func (g Graph) publication(name string, serving int) *ViewFreshness {
	if g.published == nil {
		return nil
	}
	for i := range g.published.Views {
		if v := &g.published.Views[i]; v.View == (fstore.ViewRef{Name: name, Version: serving}) {
			return v
		}
	}
	return nil
}

// Definition is a definition in the registry and its users. One of Entity, Source, View,
// OnDemand and Service is set.
type Definition struct {
	Kind     registry.Kind              `json:"kind"`
	Name     string                     `json:"name"`
	Version  int                        `json:"version,omitempty"`
	Serving  int                        `json:"serving,omitempty"`  // 0: none yet
	Versions []int                      `json:"versions,omitempty"` // of a view or an on-demand view: all versions
	UsedBy   []string                   `json:"used_by"`            // kind and name, or reference
	Entity   *fstore.Entity             `json:"entity,omitempty"`
	Source   *fstore.Source             `json:"source,omitempty"`
	View     *fstore.ViewVersion        `json:"view,omitempty"`
	OnDemand *fstore.OnDemandVersion    `json:"on_demand,omitempty"`
	Service  *definition.ServiceVersion `json:"service,omitempty"`

	Interface *fstore.Description `json:"interface,omitempty"` // of an on-demand view or a service: its columns and outputs
}

// ShownKinds are the kinds of definitions that Find finds.
var ShownKinds = []registry.Kind{registry.KindEntity, registry.KindSource, registry.KindView, registry.KindOnDemand, registry.KindService}

// IsKind reports whether typed means a kind: view, views and feature_view all mean the same kind, and so do on_demand,
// on_demand_view and on_demand_views.
func IsKind(typed string, k registry.Kind) bool {
	typed = strings.TrimSuffix(typed, "s")
	switch typed {
	case "entitie":
		typed = "entity"
	case "on_demand":
		typed = "on_demand_view"
	}
	return strings.TrimPrefix(string(k), "feature_") == strings.TrimPrefix(typed, "feature_")
}

// Find returns the definitions with a name, of one kind unless kind is empty. A reference without a version means the
// version in head.
func (g Graph) Find(kind string, ref fstore.ViewRef) []Definition {
	var out []Definition
	wanted := func(k registry.Kind) bool { return kind == "" || IsKind(kind, k) }
	if wanted(registry.KindEntity) && ref.Version == 0 {
		for _, e := range g.Entities() {
			if e.Name == ref.Name {
				out = append(out, Definition{Kind: registry.KindEntity, Name: e.Name, Entity: &e, UsedBy: g.usersOfEntity(e.Name)})
			}
		}
	}
	if wanted(registry.KindSource) && ref.Version == 0 {
		for _, s := range g.Sources() {
			if s.Name == ref.Name {
				out = append(out, Definition{Kind: registry.KindSource, Name: s.Name, Source: &s, UsedBy: g.usersOfInput(s.Name)})
			}
		}
	}
	if wanted(registry.KindView) {
		if v := g.findView(ref); v != nil {
			out = append(out, *v)
		}
	}
	if wanted(registry.KindOnDemand) {
		if v := g.findOnDemand(ref); v != nil {
			out = append(out, *v)
		}
	}
	if wanted(registry.KindService) {
		out = append(out, g.findService(ref)...)
	}
	return out
}

func (g Graph) findService(ref fstore.ViewRef) (out []Definition) {
	for _, s := range g.Services() {
		if s.Ref.Name != ref.Name || ref.Version != 0 && ref.Version != s.Ref.Version {
			continue
		}
		d := Definition{Kind: registry.KindService, Name: ref.Name, Version: s.Ref.Version, Serving: s.Serving, Service: &s.ServiceVersion, UsedBy: []string{}}
		if list, err := g.ServiceVersion(s.Ref); err == nil {
			d.Interface = list.Describe()
		}
		out = append(out, d)
	}
	return out
}

func (g Graph) findView(ref fstore.ViewRef) *Definition {
	view := g.View(ref)
	if view == nil {
		return nil
	}
	out := &Definition{Kind: registry.KindView, Name: ref.Name, Version: view.Ref.Version, View: view, UsedBy: g.usersOfInput(ref.Name)}
	for _, v := range g.Revision.Versions(ref.Name) {
		out.Versions = append(out.Versions, v.Ref.Version)
	}
	for _, head := range g.Views() {
		if head.Ref.Name != ref.Name {
			continue
		}
		out.Serving = head.Serving
		if head.Ref == view.Ref {
			out.View = &head.ViewVersion // with the current metadata
		}
	}
	out.UsedBy = append(out.UsedBy, g.usersOfVersion(view.Ref)...)
	return out
}

func (g Graph) findOnDemand(ref fstore.ViewRef) *Definition {
	version := g.OnDemandView(ref)
	if version == nil {
		return nil
	}
	out := &Definition{Kind: registry.KindOnDemand, Name: ref.Name, Version: version.Ref.Version, OnDemand: version, UsedBy: g.usersOfVersion(version.Ref)}
	for _, v := range g.OnDemandVersions(ref.Name) {
		out.Versions = append(out.Versions, v.Ref.Version)
	}
	for _, head := range g.Revision.OnDemand() {
		if head.Ref.Name == ref.Name {
			out.Serving = head.Serving
		}
		if head.Ref == version.Ref {
			out.OnDemand = &head.OnDemandVersion // with the current metadata
		}
	}
	out.Interface = g.describeOnDemand(version.Ref)
	return out
}

// describeOnDemand says what the features of a version of an on-demand view need.
func (g Graph) describeOnDemand(ref fstore.ViewRef) *fstore.Description {
	list, err := g.HeadFeatures([]string{ref.String() + ".*"})
	if err != nil {
		return nil
	}
	return list.Describe()
}

// usersOfVersion returns the on-demand views and services in head, and the models, that use a version of a view or of an
// on-demand view: a service or model also through on-demand views.
func (g Graph) usersOfVersion(ref fstore.ViewRef) []string {
	users := []string{}
	for _, v := range g.Revision.OnDemand() {
		if slices.ContainsFunc(v.Inputs, func(in fstore.OnDemandInput) bool { return in.Ref == ref }) {
			users = append(users, "on_demand_view "+v.Ref.String())
		}
	}
	uses := func(of []definition.ServiceUse, onDemand []fstore.ViewRef) bool {
		return slices.Contains(onDemand, ref) || slices.ContainsFunc(of, func(u definition.ServiceUse) bool { return u.View == ref })
	}
	for _, s := range g.Services() {
		if uses(s.Uses, s.OnDemand) {
			users = append(users, "feature_service "+s.Ref.String())
		}
	}
	for _, m := range g.Revision.Models() {
		if uses(m.Uses, m.OnDemand) {
			users = append(users, "model "+m.Ref.String())
		}
	}
	return users
}

// usersOfEntity returns the views that describe an entity.
func (g Graph) usersOfEntity(name string) []string {
	return g.viewsThat(func(v *fstore.View) bool { return slices.Contains(v.Entities, name) })
}

// usersOfInput returns the views that read a source or a view themselves.
func (g Graph) usersOfInput(name string) []string {
	return g.viewsThat(func(v *fstore.View) bool { return slices.Contains(v.Inputs, name) })
}

func (g Graph) viewsThat(uses func(*fstore.View) bool) []string {
	users := []string{}
	for _, v := range g.Views() {
		if uses(&v.View) {
			users = append(users, "feature_view "+v.Ref.String())
		}
	}
	return users
}

// Nearest suggests what a name or version that does not exist could mean.
func (g Graph) Nearest(kind string, ref fstore.ViewRef) string {
	if found := g.Find(kind, fstore.ViewRef{Name: ref.Name}); len(found) > 0 {
		d := found[0]
		switch {
		case len(d.Versions) > 0:
			return fmt.Sprintf("its versions are %s", strings.Trim(fmt.Sprint(d.Versions), "[]"))
		case d.Version > 0:
			return fmt.Sprintf("head has %s@%d: of services, only the version in head can be shown", d.Name, d.Version)
		}
		return withArticle(string(d.Kind)) + " has no versions: fstore show " + d.Name
	}
	if found := g.Find("", fstore.ViewRef{Name: ref.Name}); len(found) > 0 {
		kind := string(found[0].Kind)
		return fmt.Sprintf("%s is %s: fstore show %s/%[1]s", ref.Name, withArticle(kind), strings.TrimPrefix(kind, "feature_"))
	}
	if hint := fstore.DidYouMean(ref.Name, g.names()); strings.HasPrefix(hint, "did you mean") {
		return hint
	}
	return "fstore list shows what exists"
}

func withArticle(kind string) string {
	if kind == string(registry.KindEntity) || kind == string(registry.KindOnDemand) {
		return "an " + kind
	}
	return "a " + kind
}

// names returns the names of all definitions in head, in order.
func (g Graph) names() []string {
	var names []string
	for _, e := range g.Entities() {
		names = append(names, e.Name)
	}
	for _, s := range g.Sources() {
		names = append(names, s.Name)
	}
	for _, v := range g.Views() {
		names = append(names, v.Ref.Name)
	}
	for _, v := range g.Revision.OnDemand() {
		names = append(names, v.Ref.Name)
	}
	for _, s := range g.Services() {
		names = append(names, s.Ref.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
