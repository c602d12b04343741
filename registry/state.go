package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// Kind is the kind of a definition, as YAML writes it.
type Kind string

// The kinds of definitions.
const (
	KindEntity  Kind = "entity"
	KindSource  Kind = "source"
	KindView    Kind = "feature_view"
	KindService Kind = "feature_service"
)

// state is what the registry holds for a project, read in one transaction.
type state struct {
	revision int64
	entities map[string]fstore.Entity
	sources  map[string]fstore.Source
	head     map[Kind]map[string]int // versions of views and services in head
	serving  map[Kind]map[string]int

	headViews    map[string]*fstore.ViewVersion // with the descriptions and the order of head
	headServices map[string]*definition.ServiceVersion
	views        map[fstore.ViewRef]*fstore.ViewVersion
	services     map[fstore.ViewRef]*definition.ServiceVersion

	models  map[fstore.ModelRef]*ModelVersion
	aliases map[fstore.ModelRef]string // model and alias → version
}

func readState(ctx context.Context, tx record.Tx) (*state, error) {
	s := &state{
		entities: map[string]fstore.Entity{}, sources: map[string]fstore.Source{},
		head:      map[Kind]map[string]int{KindView: {}, KindService: {}},
		serving:   map[Kind]map[string]int{KindView: {}, KindService: {}},
		headViews: map[string]*fstore.ViewVersion{}, headServices: map[string]*definition.ServiceVersion{},
		views: map[fstore.ViewRef]*fstore.ViewVersion{}, services: map[fstore.ViewRef]*definition.ServiceVersion{},
		models: map[fstore.ModelRef]*ModelVersion{}, aliases: map[fstore.ModelRef]string{},
	}
	var p record.Project
	if known, err := tx.Get(ctx, &p); err != nil || !known {
		return s, err
	}
	s.revision = p.Revision
	for _, read := range []func(context.Context, record.Tx) error{s.readVersions, s.readHead, s.readModels, s.readServing} {
		if err := read(ctx, tx); err != nil {
			return nil, err
		}
	}
	return s, s.check()
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

// check returns ErrCorrupt unless every version that the state refers to is there.
func (s *state) check() error {
	for _, versions := range []map[Kind]map[string]int{s.head, s.serving} {
		for name, version := range versions[KindView] {
			if err := s.hasView(fstore.ViewRef{Name: name, Version: version}); err != nil {
				return err
			}
		}
		for name, version := range versions[KindService] {
			if ref := (fstore.ViewRef{Name: name, Version: version}); s.services[ref] == nil {
				return corrupt("there is no definition of %s %s", KindService, ref)
			}
		}
	}
	for ref, service := range s.services {
		if err := s.checkUses(KindService, ref, service.Uses, service.Outputs); err != nil {
			return err
		}
	}
	for ref, m := range s.models {
		if err := s.checkUses("model", ref, m.Uses, m.Outputs); err != nil {
			return err
		}
	}
	return nil
}

// checkUses checks what a service or a model refers to.
func (s *state) checkUses(kind Kind, ref fmt.Stringer, uses []definition.ServiceUse, outputs fstore.Outputs) error {
	for _, u := range uses {
		if err := s.hasView(u.View); err != nil {
			return err
		}
	}
	for _, o := range outputs {
		switch o := o.(type) {
		case fstore.FeatureOutput:
			if o.Use < 0 || o.Use >= len(uses) || s.views[uses[o.Use].View].View.Feature(o.Feature) == nil {
				return corrupt("output %s of %s %s reads no feature of a view that it uses", o.Name(), kind, ref)
			}
		case fstore.OnDemandOutput: // to come
		}
	}
	return nil
}

func (s *state) hasView(ref fstore.ViewRef) error {
	if s.views[ref] == nil {
		return corrupt("there is no definition of %s %s", KindView, ref)
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

// live returns the view versions that must be fresh online, with the reasons: head and serving versions of views, those
// that head and serving versions of services use, and those pinned to models.
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
	for _, versions := range []map[string]int{s.head[KindService], s.serving[KindService]} {
		for name, version := range versions {
			ref := fstore.ViewRef{Name: name, Version: version}
			if service := s.services[ref]; service != nil {
				for _, u := range service.Uses {
					add(u.View, "feature_service "+ref.String())
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

// latest returns the highest version number that a name has ever had.
func (s *state) latest(kind Kind, name string) int {
	n := 0
	switch kind {
	case KindView:
		for ref := range s.views {
			if ref.Name == name {
				n = max(n, ref.Version)
			}
		}
	case KindService:
		for ref := range s.services {
			if ref.Name == name {
				n = max(n, ref.Version)
			}
		}
	case KindEntity, KindSource: // have no versions
	}
	return n
}
