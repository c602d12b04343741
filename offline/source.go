package offline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// source is a source whose files have been looked at.
type source struct {
	def         *fstore.Source
	files       []string
	stamps      []stamp               // of the files, before anything was read of them
	partitioned bool                  // folders such as day=2011-12-09 are columns
	checked     bool                  // for times that the engine reads inexactly
	raw         []fstore.EngineColumn // columns as the files have them
	columns     []fstore.EngineColumn // columns as SQL sees them
}

// cut limits what a computation may see. The zero cut sees everything.
type cut struct {
	visible *time.Time // rows visible at this instant only
	known   *time.Time // rows created later do not exist
}

// source looks at the files of a source: it reads their footers, not their rows.
func (s *session) source(ctx context.Context, def *fstore.Source) (*source, error) {
	key, err := json.Marshal(def)
	if err != nil {
		return nil, err
	}
	if src, ok := s.sources[string(key)]; ok {
		return src, nil
	}
	src, err := s.look(ctx, def)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", def.Name, err)
	}
	s.sources[string(key)] = src
	return src, nil
}

func (s *session) look(ctx context.Context, def *fstore.Source) (*source, error) {
	src := &source{def: def}
	var err error
	if src.files, err = s.sourceFiles(ctx, def); err != nil {
		return nil, err
	}
	for _, file := range src.files {
		st, err := stampOf(file)
		if err != nil {
			return nil, err
		}
		src.stamps = append(src.stamps, st)
	}
	if src.raw, err = s.describe(ctx, "SELECT *\nFROM "+src.read()); err != nil {
		return nil, s.unreadable(ctx, src, err)
	}
	if err := s.partitions(ctx, src); err != nil {
		return nil, err
	}
	if err := s.checkFiles(ctx, src); err != nil {
		return nil, s.unreadable(ctx, src, err)
	}
	if err := src.rename(); err != nil {
		return nil, err
	}
	for _, name := range []string{def.Event, def.Created} {
		if err := src.checkTime(name); err != nil {
			return nil, err
		}
	}
	return src, nil
}

// sourceFiles returns the files of a source: those that its path matches, or those that a lock names.
func (s *session) sourceFiles(ctx context.Context, def *fstore.Source) ([]string, error) {
	if s.pinned == nil {
		return s.files(ctx, def.Path)
	}
	p := s.pinned.of(def)
	if p == nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock does not say which files it had")
	}
	return p.use, nil
}

// partitions adds the columns that folders such as day=2011-12-09 are, unless the files have them all themselves:
// the engine would take the folder's value and the file's statistics, and be wrong where they differ.
func (s *session) partitions(ctx context.Context, src *source) error {
	var in, out []string
	if s.pinned != nil && !s.pinned.of(src.def).Partitioned {
		return nil
	}
	for _, name := range s.e.partitions(src.files) {
		if named(src.raw, name) >= 0 {
			in = append(in, name)
		} else {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil
	}
	if len(in) > 0 {
		return fstore.Errorf(fstore.ErrInvalid, "column %s is in the files and in the names of their folders, and column %s in those names only", in[0], out[0]).
			WithHint("write the files with all columns of their folders, or with none")
	}
	src.partitioned = true
	columns, err := s.describe(ctx, "SELECT *\nFROM "+src.read())
	src.raw = columns
	return err
}

// read returns the FROM item of the source's files as they are.
func (src *source) read(options ...string) string {
	return readParquet(src.files, src.partitioned, options...)
}

// rename makes the columns that SQL sees from those of the files.
func (src *source) rename() error {
	have := map[string]bool{}
	for _, c := range src.raw {
		have[c.Name] = true
		name := c.Name
		if to, ok := src.def.Rename[c.Name]; ok {
			name = to
		}
		typ := c.Type
		if name == src.def.Event || name == src.def.Created {
			typ = "TIMESTAMP"
		}
		src.columns = append(src.columns, fstore.EngineColumn{Name: name, Type: typ})
	}
	from := make([]string, 0, len(src.def.Rename))
	for name := range src.def.Rename {
		from = append(from, name)
	}
	sort.Strings(from)
	for _, name := range from {
		if !have[name] {
			return fstore.Errorf(fstore.ErrInvalid, "rename: the files have no column %s", name).WithHint("they have %s", columnNames(src.raw))
		}
	}
	for i, c := range src.columns {
		if slices.ContainsFunc(src.columns[:i], func(o fstore.EngineColumn) bool { return strings.EqualFold(o.Name, c.Name) }) {
			return fstore.Errorf(fstore.ErrInvalid, "there are two columns named %s", c.Name).WithHint("rename one of them to another name")
		}
	}
	return nil
}

// checkTime returns an error unless the column of an event or created time is there and holds times.
func (src *source) checkTime(name string) error {
	if name == "" {
		return nil
	}
	i := columnIndex(src.columns, name)
	if i < 0 {
		return fstore.Errorf(fstore.ErrInvalid, "there is no column %s", name).WithHint("the columns are %s", columnNames(src.columns))
	}
	if !parseType(src.raw[i].Type).isTime() {
		return fstore.Errorf(fstore.ErrInvalid, "column %s is %s, not a time", name, src.raw[i].Type)
	}
	return nil
}

// checkNanos returns an error if the engine would read an event or created time inexactly.
func (s *session) checkNanos(ctx context.Context, def *fstore.Source) error {
	src, err := s.source(ctx, def)
	if err != nil || src.checked || def.Static() {
		return err
	}
	if err := src.checkNanos(ctx); err != nil {
		return fmt.Errorf("source %s: %w", def.Name, err)
	}
	src.checked = true
	return nil
}

func (src *source) checkNanos(ctx context.Context) error {
	for i, c := range src.columns {
		if (c.Name != src.def.Event && c.Name != src.def.Created) || src.raw[i].Type != "TIMESTAMP WITH TIME ZONE" {
			continue
		}
		for _, file := range src.files {
			units, err := timeUnits(file)
			if err != nil {
				return err
			}
			if units[src.raw[i].Name] != zonedNanos {
				continue
			}
			if err := checkNanos(ctx, file, src.raw[i].Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// sql returns the query that reads the source as SQL sees it: renamed, event and created in microseconds UTC,
// without rows whose event is null and without those the cut hides.
func (src *source) sql(c cut) string {
	columns := make([]string, 0, len(src.raw))
	for i, raw := range src.raw {
		x, name := ident(raw.Name), src.columns[i].Name
		if name == src.def.Event || name == src.def.Created {
			x = roundedUp(x, parseType(raw.Type))
		}
		if as := ident(name); as != x {
			x += " AS " + as
		}
		columns = append(columns, x)
	}
	q := "SELECT\n  " + list(columns) + "\nFROM " + src.read()
	if src.def.Static() {
		return q
	}
	event := ident(src.def.Event)
	where := append([]string{event + " IS NOT NULL"}, c.conditions(event, createdOr(src.def.Created, event), src.def.Available)...)
	return "SELECT *\nFROM (\n" + q + "\n)\nWHERE " + and(where)
}

// createdOr returns the created time of a row, its event time where there is none.
func createdOr(column, event string) string {
	if column == "" {
		return event
	}
	return "coalesce(" + ident(column) + ", " + event + ")"
}

// conditions returns what rows with an event and a created time must meet to be seen.
func (c cut) conditions(event, created string, a fstore.Available) []string {
	var out []string
	if c.visible != nil {
		out = append(out, event+" <= "+instant(*c.visible))
		if at := available(event, created, a); at != event {
			out = append(out, at+" <= "+instant(*c.visible))
		}
	}
	if c.known != nil && created != event {
		out = append(out, created+" <= "+instant(*c.known))
	}
	return out
}

// available returns when a row becomes available. A null created has been replaced by the event.
func available(event, created string, a fstore.Available) string {
	switch {
	case a.Created:
		return created
	case a.Lag == 0:
		return event
	}
	return event + " + " + interval(a.Lag)
}

// dropped counts the rows left out because their event is null.
func (s *session) dropped(ctx context.Context, src *source) (int64, error) {
	if src.def.Static() {
		return 0, nil
	}
	event := ident(src.raw[columnIndex(src.columns, src.def.Event)].Name)
	b, err := s.query(ctx, "SELECT count(*)\nFROM "+src.read()+"\nWHERE "+event+" IS NULL")
	if err != nil {
		return 0, err
	}
	return b.Columns[0].Int64s[0], nil
}

// readSources returns the sources the session has read, in name order.
func (s *session) readSources() []*source {
	out := make([]*source, 0, len(s.sources))
	for _, src := range s.sources {
		out = append(out, src)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].def.Name < out[j].def.Name })
	return out
}

// named returns the index of the column that the engine takes a name for, whatever its case; -1 if there is none.
func named(columns []fstore.EngineColumn, name string) int {
	return slices.IndexFunc(columns, func(c fstore.EngineColumn) bool { return strings.EqualFold(c.Name, name) })
}

// unused returns a name that no column has.
func unused(columns []fstore.EngineColumn, name string) string {
	for named(columns, name) >= 0 {
		name += "_"
	}
	return name
}

func columnIndex(columns []fstore.EngineColumn, name string) int {
	return slices.IndexFunc(columns, func(c fstore.EngineColumn) bool { return c.Name == name })
}

func columnNames(columns []fstore.EngineColumn) string {
	names := make([]string, 0, len(columns))
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}
