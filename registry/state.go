package registry

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// Kind is the kind of a definition, as YAML writes it.
type Kind string

// The kinds of definitions.
const (
	KindEntity   Kind = "entity"
	KindSource   Kind = "source"
	KindView     Kind = "feature_view"
	KindOnDemand Kind = "on_demand_view"
	KindService  Kind = "feature_service"
)

// state is what the registry holds for a project, read in one transaction.
type state struct {
	revision int64
	entities map[string]fstore.Entity
	sources  map[string]fstore.Source
	head     map[Kind]map[string]int // versions of views, on-demand views and services in head
	serving  map[Kind]map[string]int

	headViews    map[string]*fstore.ViewVersion // with the descriptions and the order of head
	headOnDemand map[string]*fstore.OnDemandVersion
	headServices map[string]*definition.ServiceVersion
	views        map[fstore.ViewRef]*fstore.ViewVersion
	onDemand     map[fstore.ViewRef]*fstore.OnDemandVersion // no reference is also one of views
	services     map[fstore.ViewRef]*definition.ServiceVersion

	models  map[fstore.ModelRef]*ModelVersion
	aliases map[fstore.ModelRef]string // model and alias → version
}

func newState() *state {
	versions := func() map[Kind]map[string]int {
		return map[Kind]map[string]int{KindView: {}, KindOnDemand: {}, KindService: {}}
	}
	return &state{
		entities: map[string]fstore.Entity{}, sources: map[string]fstore.Source{}, head: versions(), serving: versions(),
		headViews: map[string]*fstore.ViewVersion{}, headOnDemand: map[string]*fstore.OnDemandVersion{}, headServices: map[string]*definition.ServiceVersion{},
		views: map[fstore.ViewRef]*fstore.ViewVersion{}, onDemand: map[fstore.ViewRef]*fstore.OnDemandVersion{}, services: map[fstore.ViewRef]*definition.ServiceVersion{},
		models: map[fstore.ModelRef]*ModelVersion{}, aliases: map[fstore.ModelRef]string{},
	}
}

func readState(ctx context.Context, tx record.Tx) (*state, error) {
	s := newState()
	var p record.Project
	if known, err := tx.Get(ctx, &p); err != nil || !known {
		return s, err
	}
	s.revision = p.Revision
	for _, read := range []func(context.Context, record.Tx) error{s.readVersions, s.readHead, s.readExpected, s.readModels, s.readServing} {
		if err := read(ctx, tx); err != nil {
			return nil, err
		}
	}
	s.unlog()
	return s, s.check()
}

// unlog carries over from head which request columns the served log does not keep: it holds for the earlier versions too, which models
// are pinned to. A column that an earlier version keeps out stays out of its answers.
func (s *state) unlog() {
	for ref, v := range s.onDemand {
		head := s.headOnDemand[ref.Name]
		if head == nil {
			continue
		}
		for i := range v.View.Request {
			c := &v.View.Request[i]
			at := slices.IndexFunc(head.View.Request, func(h fstore.RequestColumn) bool { return h.Name == c.Name })
			if at < 0 {
				continue
			}
			c.Unlogged = head.View.Request[at].Unlogged || c.Unlogged && ref.Version != head.Ref.Version
		}
	}
}

func (s *state) readVersions(ctx context.Context, tx record.Tx) error {
	for r, err := range records[record.Version](ctx, tx) {
		if err != nil {
			return err
		}
		ref := fstore.ViewRef{Name: r.Name, Version: r.Version}
		switch Kind(r.Kind) {
		case KindView:
			s.views[ref], err = decodeView(ref, r.Definition)
		case KindOnDemand:
			s.onDemand[ref], err = decodeOnDemand(ref, r.Definition)
		case KindService:
			s.services[ref], err = decodeService(ref, r.Definition)
		case KindEntity, KindSource:
			fallthrough // have no versions
		default:
			err = corrupt("version %s is of kind %q", ref, r.Kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *state) readHead(ctx context.Context, tx record.Tx) error {
	for r, err := range records[record.Head](ctx, tx) {
		if err != nil {
			return err
		}
		ref := fstore.ViewRef{Name: r.Name, Version: r.Version}
		switch kind := Kind(r.Kind); kind {
		case KindEntity:
			var e fstore.Entity
			if err = decode(kind, r.Name, r.Definition, &e); err == nil {
				err = another(kind, r.Name, e.Name)
			}
			s.entities[r.Name] = e
		case KindSource:
			var src fstore.Source
			if err = decode(kind, r.Name, r.Definition, &src); err == nil {
				err = another(kind, r.Name, src.Name)
			}
			s.sources[r.Name] = src
		case KindView:
			s.head[kind][r.Name] = r.Version
			s.headViews[r.Name], err = decodeView(ref, r.Definition)
		case KindOnDemand:
			s.head[kind][r.Name] = r.Version
			s.headOnDemand[r.Name], err = decodeOnDemand(ref, r.Definition)
		case KindService:
			s.head[kind][r.Name] = r.Version
			s.headServices[r.Name], err = decodeService(ref, r.Definition)
		default:
			err = corrupt("%s is of kind %q", r.Name, r.Kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *state) readServing(ctx context.Context, tx record.Tx) error {
	for r, err := range records[record.Serving](ctx, tx) {
		if err != nil {
			return err
		}
		serving := s.serving[Kind(r.Kind)]
		if serving == nil {
			return corrupt("%s serves, and is of kind %q", r.Name, r.Kind)
		}
		serving[r.Name] = r.Version
	}
	return nil
}

func decodeView(ref fstore.ViewRef, text string) (*fstore.ViewVersion, error) {
	v := &fstore.ViewVersion{}
	if err := decode(KindView, ref.String(), text, v); err != nil {
		return nil, err
	}
	if err := another(KindView, ref.String(), v.Ref.String()); err != nil {
		return nil, err
	}
	return v, another(KindView, ref.Name, v.View.Name)
}

func decodeOnDemand(ref fstore.ViewRef, text string) (*fstore.OnDemandVersion, error) {
	v := &fstore.OnDemandVersion{}
	if err := decode(KindOnDemand, ref.String(), text, v); err != nil {
		return nil, err
	}
	if err := another(KindOnDemand, ref.String(), v.Ref.String()); err != nil {
		return nil, err
	}
	return v, another(KindOnDemand, ref.Name, v.View.Name)
}

func decodeService(ref fstore.ViewRef, text string) (*definition.ServiceVersion, error) {
	v := &definition.ServiceVersion{}
	if err := decode(KindService, ref.String(), text, v); err != nil {
		return nil, err
	}
	return v, another(KindService, ref.String(), v.Ref.String())
}

func decode(kind Kind, name, text string, into any) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return corrupt("the definition of %s %s: %s", kind, name, err)
	}
	return nil
}

// another returns ErrCorrupt for a record that holds the definition of something else, unless the names are the same.
func another(kind Kind, name, got string) error {
	if name == got {
		return nil
	}
	return corrupt("the definition of %s %s is that of %q", kind, name, got)
}

func corrupt(format string, args ...any) error {
	return fstore.Errorf(fstore.ErrCorrupt, "the registry is damaged: "+format, args...).WithHint("restore it from a backup")
}
