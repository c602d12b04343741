package scaffold

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
)

// proposal is the definitions proposed for files.
type proposal struct {
	entities []*guessedEntity
	sources  []*guessedSource
}

type guessedEntity struct {
	name, key string
	typ       fstore.Type
	from      string // the source that has the key
}

// guessedSource is a source and its views.
type guessedSource struct {
	name     string
	group    *fileGroup
	columns  []guessedColumn
	event    *guessedColumn
	created  *guessedColumn
	views    []guessedView
	problem  string   // why it is omitted
	leftOut  []string // columns that are not features, and why
	timeHint string   // of a static table: a column that may hold times, in a type without times
}

type guessedView struct {
	name     string
	keys     []guessedKey
	entities []string
	features []*guessedColumn
}

// propose guesses definitions for groups of files.
func propose(ctx context.Context, engine *offline.Engine, groups []*fileGroup) (*proposal, error) {
	p := &proposal{}
	names := map[string]bool{}
	for _, g := range groups {
		name := g.name
		if name == "" {
			name = "source"
		}
		s := &guessedSource{name: uniqueName(name, names), group: g}
		p.sources = append(p.sources, s)
		columns, err := engine.SourceColumns(ctx, &fstore.Source{Name: s.name, Path: g.path, Optional: g.optional})
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			s.problem = err.Error()
			continue
		}
		s.guess(columns)
		if _, err := engine.SourceColumns(ctx, s.definition()); err != nil && s.event != nil { // for example, a folder whose name is not a day
			s.event, s.created = nil, nil
		}
	}
	for _, s := range p.sources {
		if s.problem == "" {
			p.views(s, engine, names)
		}
	}
	return p, nil
}

// guess finds the times of a source, and says why other columns cannot be used.
func (s *guessedSource) guess(columns []fstore.EngineColumn) {
	s.columns = guessColumns(columns)
	for i := range s.columns {
		s.columns[i].optional = slices.Contains(s.group.optional, s.columns[i].file)
	}
	s.event, s.created = guessTimes(s.columns)
	for _, c := range s.columns {
		if s.event == nil && s.timeHint == "" && c.typ != fstore.Timestamp && rank(c.name, eventNames) >= 0 {
			s.timeHint = c.name + " is " + c.engine
		}
	}
}

// definition returns the proposed source.
func (s *guessedSource) definition() *fstore.Source {
	def := &fstore.Source{Name: s.name, Path: s.group.path, Rename: map[string]string{}}
	for _, c := range s.columns {
		if c.isRenamed() {
			def.Rename[c.file] = c.name
		}
		if c.optional {
			def.Optional = append(def.Optional, c.name)
		}
	}
	if s.event != nil {
		def.Event, def.Available = s.event.name, fstore.Available{Stated: s.event.dates}
	}
	if s.created != nil {
		def.Created, def.Available.Created = s.created.name, true
	}
	if s.event != nil && s.event.dates && s.created == nil {
		def.Available.Lag = oneDay
	}
	return def
}

// oneDay is the lag of rows that aggregate a day.
const oneDay = fstore.Duration(24 * time.Hour)

// views proposes a view for each key of a source. A static table gets only one view: by its own key, or by all keys
// together.
func (p *proposal) views(s *guessedSource, engine *offline.Engine, names map[string]bool) {
	keys := guessKeys(s.name, s.columns)
	keys = slices.DeleteFunc(keys, func(k guessedKey) bool { return k.column == s.event || k.column == s.created })
	features := s.features(keys)
	if len(keys) == 0 || len(features) == 0 {
		return
	}
	groups := [][]guessedKey{}
	if i := slices.IndexFunc(keys, func(k guessedKey) bool { return k.own }); s.event == nil && i >= 0 {
		groups = append(groups, keys[i:i+1])
	} else if s.event == nil {
		groups = append(groups, keys)
	} else {
		for i := range keys {
			groups = append(groups, keys[i:i+1])
		}
	}
	for _, group := range groups {
		v := guessedView{keys: group, features: features}
		for _, k := range group {
			v.entities = append(v.entities, p.entity(s, k, engine))
		}
		name := s.name + "_features"
		if len(groups) > 1 && v.entities[0] != singular(s.name) {
			name = v.entities[0] + "_" + s.name
		}
		v.name = uniqueName(name, names)
		s.views = append(s.views, v)
	}
}

// features returns the columns that are features, and says why the others are not.
func (s *guessedSource) features(keys []guessedKey) []*guessedColumn {
	var out []*guessedColumn
	for i := range s.columns {
		c := &s.columns[i]
		switch {
		case c == s.event || c == s.created || slices.ContainsFunc(keys, func(k guessedKey) bool { return k.column == c }):
		case c.typ == fstore.Invalid:
			s.leftOut = append(s.leftOut, c.name+": "+c.why)
		case c.folder && s.event != nil && rank(c.name, partitionTimes) >= 0:
			s.leftOut = append(s.leftOut, c.name+": a folder that says when, as "+s.event.name+" does")
		default:
			out = append(out, c)
		}
	}
	return out
}

// entity returns the name of a key's entity. Sources share it if the key's type is the same in both, or both are
// integers.
func (p *proposal) entity(s *guessedSource, k guessedKey, engine *offline.Engine) string {
	name := k.entity
	for _, e := range p.entities {
		switch {
		case e.key != k.column.name:
			continue
		case engine.Converts(k.column.engine, e.typ) && (e.typ == k.typ || e.typ == fstore.Int64):
			return e.name
		case e.typ == fstore.Int32 && k.typ == fstore.Int64:
			e.typ = fstore.Int64
			return e.name
		}
		name = k.entity + "_" + s.name
	}
	taken := map[string]bool{}
	for _, e := range p.entities {
		taken[e.name] = true
	}
	e := &guessedEntity{name: uniqueName(name, taken), key: k.column.name, typ: k.typ, from: s.name}
	p.entities = append(p.entities, e)
	return e.name
}

// missing says for which files no view is proposed, and why.
func (s *guessedSource) missing() string {
	switch {
	case s.problem != "":
		return fmt.Sprintf("%s is omitted: %s", s.name, strings.Join(strings.Fields(s.problem), " "))
	case len(s.views) > 0:
		return ""
	case len(guessKeys(s.name, slices.Clone(s.columns))) == 0:
		return fmt.Sprintf("no view of %s: no column looks like a key", s.name)
	}
	return fmt.Sprintf("no view of %s: it has no column for a feature besides keys and times", s.name)
}
