package project

import (
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// Listed is a short form of a definition in head.
type Listed struct {
	Name    string `json:"name"`
	Version int    `json:"version,omitempty"` // in head
	Serving *int   `json:"serving,omitempty"` // 0: none yet; nil: the kind has none
	fstore.Meta
	Entities []string               `json:"entities,omitempty"`
	Keys     []fstore.Field         `json:"keys,omitempty"`
	Request  []fstore.RequestColumn `json:"request_columns,omitempty"` // of an on-demand view or a service: what callers send beside the keys
	Features []string               `json:"features,omitempty"`
	Path     string                 `json:"path,omitempty"`

	Event     string            `json:"event_timestamp,omitempty"` // of a source; empty: it is static
	Created   string            `json:"created_timestamp,omitempty"`
	Available *fstore.Available `json:"available,omitempty"`
	TTL       *fstore.Duration  `json:"ttl,omitempty"` // of a view
	Publish   *fstore.Publish   `json:"publish,omitempty"`
	Offline   bool              `json:"offline,omitempty"`

	Published *time.Time `json:"published,omitempty"` // of a view: the serving version's; absent: unknown, or not published
}

// List returns the definitions of a kind, named as for Find, or none for an unknown kind.
func (g Graph) List(kind string) []Listed {
	out := []Listed{}
	switch {
	case IsKind(kind, registry.KindEntity):
		for _, e := range g.Entities() {
			out = append(out, Listed{Name: e.Name, Meta: e.Meta, Keys: e.JoinKeys})
		}
	case IsKind(kind, registry.KindSource):
		for _, s := range g.Sources() {
			l := Listed{Name: s.Name, Meta: s.Meta, Path: s.Path, Event: s.Event, Created: s.Created}
			if !s.Static() {
				l.Available = &s.Available
			}
			out = append(out, l)
		}
	case IsKind(kind, registry.KindView):
		for _, v := range g.Views() {
			l := Listed{
				Name: v.Ref.Name, Version: v.Ref.Version, Serving: &v.Serving, Meta: v.View.Meta, Entities: v.View.Entities, Keys: v.View.Keys,
				TTL: v.View.TTL, Publish: v.View.Publish, Offline: v.View.Offline,
			}
			l.Features = v.View.FeatureNames()
			if f := g.publication(v.Ref.Name, v.Serving); f != nil && !f.Published.IsZero() {
				l.Published = &f.Published
			}
			out = append(out, l)
		}
	case IsKind(kind, registry.KindOnDemand):
		for _, v := range g.OnDemand() {
			l := Listed{Name: v.Ref.Name, Version: v.Ref.Version, Serving: &v.Serving, Meta: v.View.Meta}
			for _, f := range v.View.Features {
				l.Features = append(l.Features, f.Name)
			}
			l.sent(g.describeOnDemand(v.Ref))
			out = append(out, l)
		}
	case IsKind(kind, registry.KindService):
		for _, s := range g.Services() {
			l := Listed{Name: s.Ref.Name, Version: s.Ref.Version, Serving: &s.Serving, Meta: s.Service.Meta}
			for _, o := range s.Outputs {
				l.Features = append(l.Features, o.Name())
			}
			if list, err := g.HeadService(s.Ref.Name); err == nil {
				l.sent(list.Describe())
			}
			out = append(out, l)
		}
	}
	return out
}

// sent adds what callers send.
func (l *Listed) sent(d *fstore.Description) {
	if d != nil {
		l.Keys, l.Request = d.KeyColumns, d.Request
	}
}
