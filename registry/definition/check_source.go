package definition

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

func (c *checker) readEntities() {
	places := map[string]fstore.Pos{}
	for i := range c.repo.Entities {
		spec := &c.repo.Entities[i]
		if !c.name(spec.Name) || c.isDuplicate("entity", spec.Name, places) {
			continue
		}
		e := &entity{def: fstore.Entity{Name: spec.Name.Value, Meta: meta(spec.MetaSpec)}, ok: true}
		c.entities[e.def.Name] = e
		if spec.JoinKeys != nil && len(spec.JoinKeys) == 0 {
			c.problems.add(spec.Pos, "join_keys: [{name: customer_id, type: int64}]; a view without keys has entities: []", "entity %s has no join keys", e.def.Name)
		}
		seen := map[string]fstore.Pos{}
		for _, k := range spec.JoinKeys {
			t, ok := c.typ(k.Type)
			if ok && !t.IsKey() {
				c.problems.add(k.Type.Pos, "one of bool, int32, int64, string, bytes, timestamp", "a join key cannot be %s", t)
				ok = false
			}
			if !c.name(k.Name) || c.isDuplicate("join key", k.Name, seen) || !ok {
				e.ok = false
				continue
			}
			e.def.JoinKeys = append(e.def.JoinKeys, fstore.Field{Name: k.Name.Value, Type: t})
		}
		e.ok = e.ok && len(e.def.JoinKeys) > 0
	}
}

// isDuplicate records a name and reports it as a problem if it was recorded before.
func (c *checker) isDuplicate(what string, t Text, places map[string]fstore.Pos) bool {
	if first, ok := places[t.Value]; ok {
		c.problems.add(t.Pos, "rename one of them, or remove it", "%s %s is defined twice, first at %s", what, t.Value, first)
		return true
	}
	places[t.Value] = t.Pos
	return false
}

func (c *checker) readSources() {
	places := map[string]fstore.Pos{}
	for i := range c.repo.Sources {
		spec := &c.repo.Sources[i]
		if !c.name(spec.Name) || c.isDuplicate("source", spec.Name, places) {
			continue
		}
		s := &source{spec: spec, ok: true, def: fstore.Source{
			Name: spec.Name.Value, Path: spec.Path.Value,
			Event: spec.Event.Value, Created: spec.Created.Value, Meta: meta(spec.MetaSpec),
		}}
		c.sources[s.def.Name] = s
		before := len(c.problems)
		c.sourceTimes(s)
		c.sourceRename(s)
		c.sourceOptional(s)
		s.ok = len(c.problems) == before
		c.sourceFiles(s)
		c.sourceExpectations(s)
	}
}

// sourceFiles finds the columns of a source's files.
func (c *checker) sourceFiles(s *source) {
	if s.def.Path == "" {
		return // reported by the loader
	}
	if _, err := fstore.Expand(s.def.Path, c.repo.lookup); err != nil {
		var e *fstore.Error
		errors.As(err, &e) // it always is one
		c.unchecked.add(s.spec.Path.Pos, e.Hint, "source %s and the views that read it are not checked: %s", s.def.Name, e.Message)
		return
	}
	c.sourceColumns(s)
}

// sourceTimes reads the times of a source: event, created and availability.
func (c *checker) sourceTimes(s *source) {
	spec := s.spec
	if s.def.Static() && spec.Event.given() {
		return // the text is wrong, and reported
	}
	if s.def.Static() {
		const hint = "name event_timestamp, or leave this out: without one the source is a static table"
		if spec.Created.given() {
			c.problems.add(spec.Created.Pos, hint, "source %s has created_timestamp but no event_timestamp", s.def.Name)
		}
		if spec.Availability.given() {
			c.problems.add(spec.Availability.Pos, hint, "source %s has availability but no event_timestamp", s.def.Name)
		}
		return
	}
	stated, ok := c.availability(spec.Availability)
	switch {
	case ok && stated.Created && s.def.Created == "":
		c.problems.add(spec.Availability.Pos, "name created_timestamp, or write event or event + 2h", "availability is created but the source names no created_timestamp")
	case ok:
		s.def.Available = stated
	default:
		s.def.Available = fstore.Available{Created: s.def.Created != ""}
	}
}

func (c *checker) sourceRename(s *source) {
	targets := map[string]fstore.Pos{}
	for _, p := range s.spec.Rename {
		if p.Value.Value == "" {
			continue
		}
		if first, ok := targets[strings.ToLower(p.Value.Value)]; ok {
			c.problems.add(p.Value.Pos, "", "two columns are renamed to %s, the other at %s", p.Value.Value, first)
			continue
		}
		targets[strings.ToLower(p.Value.Value)] = p.Value.Pos
		if s.def.Rename == nil {
			s.def.Rename = map[string]string{}
		}
		s.def.Rename[p.Key.Value] = p.Value.Value
	}
}

// sourceOptional reads the columns that files may lack.
func (c *checker) sourceOptional(s *source) {
	for i, t := range s.spec.Optional {
		switch {
		case t.Value == "": // reported
		case slices.ContainsFunc(s.spec.Optional[:i], func(o Text) bool { return o.Value == t.Value }):
			c.problems.add(t.Pos, "", "optional column %s is listed twice", t.Value)
		case t.Value == s.def.Event:
			c.problems.add(t.Pos, "fstore never reads a row without an event time: add the column to the files", "event_timestamp %s cannot be optional", t.Value)
		default:
			s.def.Optional = append(s.def.Optional, t.Value)
		}
	}
	slices.Sort(s.def.Optional)
}

// fileColumn returns a column's name in the files.
func (s *source) fileColumn(name string) string {
	for from, to := range s.def.Rename {
		if to == name {
			return from
		}
	}
	return name
}

// raw returns the source without renames and times.
func (s *source) raw() fstore.Source {
	raw := s.def
	raw.Rename, raw.Event, raw.Created, raw.Available, raw.Optional = nil, "", "", fstore.Available{}, nil
	for _, name := range s.def.Optional {
		raw.Optional = append(raw.Optional, s.fileColumn(name))
	}
	return raw
}

// converts reports whether a column converts to a type, either by its engine type or because the files hold no value
// of that type. For columns of a query, s is nil.
func (c *checker) converts(s *source, column, engineType string, to fstore.Type) bool {
	if sqltype.Parse(engineType).Converts(to) {
		return true
	}
	if s == nil {
		return false
	}
	raw := s.raw()
	empty, err := c.engine.HasNoValues(c.ctx, &raw, s.fileColumn(column), engineType)
	if err != nil {
		c.engineError(s.spec.Path.Pos, "source "+s.def.Name+": ", err)
	}
	return empty || err != nil
}

// sourceColumns asks the engine for the columns of the files, without renames, and checks those that the source
// names.
func (c *checker) sourceColumns(s *source) {
	raw := s.raw()
	columns, err := c.engine.SourceColumns(c.ctx, &raw)
	if err != nil {
		c.engineError(s.spec.Path.Pos, "source "+s.def.Name+": ", err)
		s.ok = false
		return
	}
	before := len(c.problems)
	columns = c.renamed(s, columns)
	for i, col := range columns {
		if first := column(columns[:i], col.Name); first != nil && first.Unreadable == nil && col.Unreadable == nil {
			c.problems.add(s.spec.Path.Pos, "rename: {"+col.Name+": another_name}", "source %s has the columns %s and %s, which SQL cannot tell apart: it ignores case", s.def.Name, first.Name, col.Name)
		}
	}
	c.optionalColumns(s, columns)
	for _, t := range []Text{s.spec.Event, s.spec.Created} {
		if t.Value != "" && !s.def.Static() {
			c.sourceTime(s, columns, t)
		}
	}
	if len(c.problems) > before {
		s.ok = false
	}
	s.columns = columns
}

// sourceTime checks the column of an event or created time in every file.
func (c *checker) sourceTime(s *source, columns []fstore.EngineColumn, t Text) {
	i := slices.IndexFunc(columns, func(col fstore.EngineColumn) bool { return col.Name == t.Value })
	if i < 0 {
		c.problems.add(t.Pos, suggestColumn(t.Value, columns), "source %s has no column %q", s.def.Name, t.Value)
		return
	}
	col := &columns[i]
	if col.Unreadable != nil {
		c.problems.add(t.Pos, col.Unreadable.Hint, "source %s: %s", s.def.Name, col.Unreadable.Message)
		return
	}
	dayFile := ""
	for _, in := range typesOf(col) {
		switch {
		case in.Type != "" && !c.converts(s, t.Value, in.Type, fstore.Timestamp):
			c.problems.add(t.Pos, "a TIMESTAMP or a DATE", "column %s is %s%s, not an instant", t.Value, in.Type, inFile(col, in))
			return
		case isDate(in.Type):
			col.Dates = true
			if len(col.Types) > 1 {
				dayFile = in.File
			}
		}
	}
	if col.Dates && t == s.spec.Event {
		c.checkDay(t, s.spec.Availability, dayFile)
	}
	col.Type, col.Untyped = "TIMESTAMP", nil
}

// checkDay reports an event column that holds days if the definition states no availability.
func (c *checker) checkDay(event, availability Text, file string) {
	if err := (fstore.Available{Stated: availability.given()}).CheckDay(event.Value, file); err != nil {
		c.problems.addError(event.Pos, err)
	}
}

// optionalColumns warns of optional columns that no file has: they may be mistakes.
func (c *checker) optionalColumns(s *source, columns []fstore.EngineColumn) {
	var names []string
	for _, col := range columns {
		if len(col.Types) != 1 || col.Types[0].File != "" {
			names = append(names, col.Name)
		}
	}
	for _, t := range s.spec.Optional {
		if t.Value != "" && t.Value != s.def.Event && !slices.Contains(names, t.Value) {
			c.warnings.add(t.Pos, fstore.DidYouMean(t.Value, names), "no file of source %s has the optional column %s", s.def.Name, t.Value)
		}
	}
}

// typesOf returns every type that the column has in some file.
func typesOf(col *fstore.EngineColumn) []fstore.ColumnType {
	if col.Types != nil {
		return col.Types
	}
	return []fstore.ColumnType{{Type: col.Type}}
}

// inFile names the file in which a column has the type in, if other files have another type.
func inFile(col *fstore.EngineColumn, in fstore.ColumnType) string {
	if len(col.Types) < 2 {
		return ""
	}
	return " in " + in.File
}

// suggestColumn returns a hint for a name that no column has.
func suggestColumn(name string, columns []fstore.EngineColumn) string {
	if col := column(columns, name); col != nil {
		return fmt.Sprintf("did you mean %q?", col.Name)
	}
	return fstore.DidYouMean(name, columnNames(columns))
}

// renamed applies the source's renames to the columns of its files. A renamed column that no file has gets no type.
func (c *checker) renamed(s *source, files []fstore.EngineColumn) []fstore.EngineColumn {
	columns := slices.Clone(files)
	for _, p := range s.spec.Rename {
		i := slices.IndexFunc(files, func(col fstore.EngineColumn) bool { return col.Name == p.Key.Value })
		switch {
		case p.Value.Value == "":
		case i < 0:
			c.problems.add(p.Key.Pos, suggestColumn(p.Key.Value, files), "the files of source %s have no column %q", s.def.Name, p.Key.Value)
			columns = append(columns, fstore.EngineColumn{Name: p.Value.Value}) // so that this is reported once
		default:
			columns[i].Name = p.Value.Value
		}
	}
	return columns
}

// engineError reports an error of the engine at a place in a definition.
func (c *checker) engineError(pos fstore.Pos, what string, err error) {
	if c.ctx.Err() != nil {
		return
	}
	if errors.Is(err, fstore.ErrTooLarge) || errors.Is(err, fstore.ErrUnavailable) {
		c.failed = err
		return
	}
	var e *fstore.Error
	if errors.As(err, &e) {
		c.problems.add(pos, e.Hint, "%s%s", what, strings.TrimPrefix(e.Message, what))
		return
	}
	c.problems.add(pos, "", "%s%s", what, strings.TrimPrefix(firstLine(err.Error()), what))
}

func isDate(engineType string) bool { return strings.EqualFold(engineType, "DATE") }

// column returns the column with a name, ignoring case, or nil.
func column(columns []fstore.EngineColumn, name string) *fstore.EngineColumn {
	for i := range columns {
		if strings.EqualFold(columns[i].Name, name) {
			return &columns[i]
		}
	}
	return nil
}

func columnNames(columns []fstore.EngineColumn) []string {
	names := make([]string, len(columns))
	for i, col := range columns {
		names[i] = col.Name
	}
	slices.Sort(names)
	return names
}
