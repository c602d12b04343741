package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
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

	headViews    map[string]*fstore.ViewVersion // as head writes them: descriptions, order
	headServices map[string]*definition.ServiceVersion
	views        map[fstore.ViewRef]*fstore.ViewVersion
	services     map[fstore.ViewRef]*definition.ServiceVersion

	models  map[fstore.ModelRef]*ModelVersion
	aliases map[fstore.ModelRef]string // model and alias → version
}

func readState(ctx context.Context, tx *sql.Tx, project string) (*state, error) {
	s := &state{
		entities: map[string]fstore.Entity{}, sources: map[string]fstore.Source{},
		head:      map[Kind]map[string]int{KindView: {}, KindService: {}},
		serving:   map[Kind]map[string]int{KindView: {}, KindService: {}},
		headViews: map[string]*fstore.ViewVersion{}, headServices: map[string]*definition.ServiceVersion{},
		views: map[fstore.ViewRef]*fstore.ViewVersion{}, services: map[fstore.ViewRef]*definition.ServiceVersion{},
		models: map[fstore.ModelRef]*ModelVersion{}, aliases: map[fstore.ModelRef]string{},
	}
	err := tx.QueryRowContext(ctx, "select revision from projects where project = ?", project).Scan(&s.revision)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.readVersions(ctx, tx, project); err != nil {
		return nil, err
	}
	if err := s.readHead(ctx, tx, project); err != nil {
		return nil, err
	}
	if err := s.readModels(ctx, tx, project); err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, "select kind, name, version from serving where project = ?", project)
	if err != nil {
		return nil, err
	}
	return s, each(rows, func() error {
		var kind Kind
		var ref fstore.ViewRef
		if err := rows.Scan(&kind, &ref.Name, &ref.Version); err != nil {
			return err
		}
		s.serving[kind][ref.Name] = ref.Version
		return nil
	})
}

func (s *state) readVersions(ctx context.Context, tx *sql.Tx, project string) error {
	rows, err := tx.QueryContext(ctx, "select kind, name, version, definition from versions where project = ?", project)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var kind Kind
		var ref fstore.ViewRef
		var encoded []byte
		if err := rows.Scan(&kind, &ref.Name, &ref.Version, &encoded); err != nil {
			return err
		}
		if kind == KindView {
			s.views[ref] = &fstore.ViewVersion{}
			return decodeDefinition(kind, ref.String(), encoded, s.views[ref])
		}
		s.services[ref] = &definition.ServiceVersion{}
		return decodeDefinition(kind, ref.String(), encoded, s.services[ref])
	})
}

func (s *state) readHead(ctx context.Context, tx *sql.Tx, project string) error {
	rows, err := tx.QueryContext(ctx, "select kind, name, coalesce(version, 0), definition from head where project = ?", project)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var kind Kind
		var ref fstore.ViewRef
		var encoded []byte
		if err := rows.Scan(&kind, &ref.Name, &ref.Version, &encoded); err != nil {
			return err
		}
		switch kind {
		case KindEntity:
			var e fstore.Entity
			if err := decodeDefinition(kind, ref.Name, encoded, &e); err != nil {
				return err
			}
			s.entities[ref.Name] = e
		case KindSource:
			var src fstore.Source
			if err := decodeDefinition(kind, ref.Name, encoded, &src); err != nil {
				return err
			}
			s.sources[ref.Name] = src
		case KindView:
			s.head[kind][ref.Name] = ref.Version
			s.headViews[ref.Name] = &fstore.ViewVersion{}
			return decodeDefinition(kind, ref.Name, encoded, s.headViews[ref.Name])
		case KindService:
			s.head[kind][ref.Name] = ref.Version
			s.headServices[ref.Name] = &definition.ServiceVersion{}
			return decodeDefinition(kind, ref.Name, encoded, s.headServices[ref.Name])
		}
		return nil
	})
}

func decodeDefinition(kind Kind, name string, encoded []byte, into any) error {
	if err := json.Unmarshal(encoded, into); err != nil {
		return fstore.Errorf(fstore.ErrCorrupt, "the registry's %s %s: %s", kind, name, err)
	}
	return nil
}

// each calls f for every row.
func each(rows *sql.Rows, f func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// live returns the view versions that must be fresh online and why: head and serving versions of views, what head and
// serving versions of services use, and what is pinned to models.
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
