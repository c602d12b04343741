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
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/sqltype"
)

// source is a source whose footers have been read.
type source struct {
	def         *fstore.Source
	files       []string
	stamps      []trainset.Stamp // of the files, before anything was read from them
	shapes      []*shape         // of each file
	folders     [][]folderValue  // of each file, if columns come from folders such as day=2011-12-09
	partitioned bool             // there are such columns
	lenient     bool             // files may lack any column, because a lock names the files
	checked     bool             // checkNanos has passed
	columns     []*sourceColumn  // the files' columns in their order, then the folders'
}

// sourceColumn is a column of a source over all its files.
type sourceColumn struct {
	file       string // its name in the files
	name       string // its name in SQL, after renaming
	folder     bool   // it comes from folders
	types      []fstore.ColumnType
	dayFolder  string          // the first file whose folder names a day
	missing    []string        // files that lack it
	unreadable *fstore.Error   // why it cannot be read; nil: it can be
	sql        *sqlColumn      // nil: not determined yet
	empty      map[string]bool // by type, where that was asked: whether all files with this type have only nulls
}

// cut limits what a computation may see. The zero cut sees everything.
type cut struct {
	visible *time.Time // rows visible at this instant only
	known   *time.Time // rows created later do not exist
	order   order      // in which SQL sees the rows
}

// source reads the footers of a source's files, not their rows.
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
	src := &source{def: def, lenient: s.pinned != nil}
	var err error
	if src.files, err = s.sourceFiles(ctx, def); err != nil {
		return nil, err
	}
	for _, file := range src.files {
		st, err := s.stamp(ctx, file)
		if err != nil {
			return nil, err
		}
		src.stamps = append(src.stamps, st)
	}
	s.early.Start(src.files, src.stamps)
	if src.shapes, err = s.shapes(ctx, src.files); err != nil {
		return nil, s.unreadable(ctx, src, err)
	}
	src.fileColumns()
	if err := s.folderColumns(src); err != nil {
		return nil, err
	}
	if err := src.rename(); err != nil {
		return nil, err
	}
	src.optional()
	for _, c := range src.columns {
		src.findUnreadable(c)
	}
	for _, name := range []string{def.Event, def.Created} {
		if err := s.checkTime(ctx, src, name); err != nil {
			return nil, err
		}
	}
	return src, src.checkDays()
}

// stamp describes a file before anything is read from it. If a lock will name the file, no later change escapes the stamp.
func (s *session) stamp(ctx context.Context, path string) (trainset.Stamp, error) {
	if s.locks {
		return s.e.digests.Stamp(ctx, path)
	}
	return trainset.NewStamp(path)
}

// sourceFiles returns the files of a source: the files that its path matches, or the files that a lock names.
func (s *session) sourceFiles(ctx context.Context, def *fstore.Source) ([]string, error) {
	if s.pinned == nil {
		return s.files(ctx, def.Path)
	}
	p := s.pinned.Source(def)
	if p == nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock does not say which files it had")
	}
	return p.Use, nil
}

// rename gives the columns the names that SQL sees.
func (src *source) rename() error {
	from := make([]string, 0, len(src.def.Rename))
	for name := range src.def.Rename {
		from = append(from, name)
	}
	sort.Strings(from)
	for _, name := range from {
		i := slices.IndexFunc(src.columns, func(c *sourceColumn) bool { return c.file == name })
		if i < 0 {
			return fstore.Errorf(fstore.ErrInvalid, "rename: the files have no column %s", name).WithHint("%s", otherNames(name, src.names()))
		}
		src.columns[i].name = src.def.Rename[name]
	}
	for i, c := range src.columns {
		for _, o := range src.columns[:i] {
			if strings.EqualFold(o.name, c.name) && (c.name != c.file || o.name != o.file) {
				return fstore.Errorf(fstore.ErrInvalid, "there are two columns named %s", c.name).WithHint("rename one of them to another name")
			}
		}
	}
	return nil
}

// names returns the names of the columns as SQL sees them.
func (src *source) names() []string {
	out := make([]string, 0, len(src.columns))
	for _, c := range src.columns {
		out = append(out, c.name)
	}
	return out
}

// otherNames suggests names instead of a name that does not exist.
func otherNames(name string, all []string) string {
	for _, other := range all {
		if strings.EqualFold(other, name) {
			return "it is written " + other + ": names of columns match exactly, case included"
		}
	}
	return "the columns are " + strings.Join(all, ", ")
}

// named returns the columns with the given names, event and created, each once and in the order of the source. It is an
// error if a column does not exist or cannot be read.
func (src *source) named(names ...string) ([]*sourceColumn, error) {
	want := map[string]bool{src.def.Event: true, src.def.Created: true}
	for _, name := range names {
		if !slices.ContainsFunc(src.columns, func(c *sourceColumn) bool { return c.name == name }) {
			return nil, fstore.Errorf(fstore.ErrInvalid, "there is no column %s", name).WithHint("%s", otherNames(name, src.names()))
		}
		want[name] = true
	}
	return src.selected(func(c *sourceColumn) bool { return want[c.name] })
}

// selected returns columns in the order of the source. It is an error if one cannot be read.
func (src *source) selected(wanted func(*sourceColumn) bool) ([]*sourceColumn, error) {
	var out []*sourceColumn
	for _, c := range src.columns {
		if !wanted(c) && !src.isTime(c) {
			continue
		}
		if c.unreadable != nil {
			return nil, fmt.Errorf("source %s: %w", src.def.Name, c.unreadable)
		}
		out = append(out, c)
	}
	return out, nil
}

// isTime reports whether a column is the event or created time.
func (src *source) isTime(c *sourceColumn) bool {
	return c.name != "" && (c.name == src.def.Event || c.name == src.def.Created)
}

// checkTime returns an error unless the column of an event or created time is there and holds times.
func (s *session) checkTime(ctx context.Context, src *source, name string) error {
	if name == "" {
		return nil
	}
	i := slices.IndexFunc(src.columns, func(c *sourceColumn) bool { return c.name == name })
	if i < 0 {
		return fstore.Errorf(fstore.ErrInvalid, "there is no column %s", name).WithHint("%s", otherNames(name, src.names()))
	}
	c := src.columns[i]
	if c.unreadable != nil {
		return c.unreadable
	}
	for _, t := range c.types {
		from := sqltype.Parse(t.Type)
		if from.Converts(fstore.Timestamp) {
			continue
		}
		empty, err := s.isEmpty(ctx, src, c, from)
		if err != nil {
			return err
		}
		if !empty {
			return fstore.Errorf(fstore.ErrInvalid, "column %s is %s%s, not a time", name, t.Type, c.inFile(t))
		}
	}
	return src.checkFolderTimes(c)
}

// checkDays returns an error if a file has days as event times and the definition does not say when in the day a row is
// known. A rebuild from a lock is not checked: it repeats what was done then.
func (src *source) checkDays() error {
	if src.lenient || src.def.Static() {
		return nil
	}
	i := slices.IndexFunc(src.columns, func(c *sourceColumn) bool { return c.name == src.def.Event })
	if file := src.columns[i].dayFile(); file != "" {
		return unstatedDay(src.def.Available, src.def.Event, file)
	}
	return nil
}

// dayFile returns the first file that has days in a column, if there is one.
func (c *sourceColumn) dayFile() string {
	i := slices.IndexFunc(c.types, func(t fstore.ColumnType) bool { return t.Type == "DATE" })
	if i >= 0 {
		return c.types[i].File
	}
	return c.dayFolder
}

// unstatedDay returns the error about days as event times, unless the definition states the availability.
func unstatedDay(a fstore.Available, column, file string) error {
	if !a.IsEvent() {
		return nil
	}
	if err := a.CheckDay(column, file); err != nil {
		return err.WithHint("%s; fstore apply then makes a new version. Or write the data with a TIMESTAMP", err.Hint)
	}
	return nil
}

// inFile names a file that has a column in a type, if other files have another type.
func (c *sourceColumn) inFile(t fstore.ColumnType) string {
	if len(c.types) < 2 {
		return ""
	}
	return " in " + t.File
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
	for _, sh := range src.distinctShapes() {
		for _, c := range src.columns {
			if !src.isTime(c) || sh.types[c.file].Name != "TIMESTAMP WITH TIME ZONE" {
				continue
			}
			units, err := timeUnits(sh.files[0])
			if err != nil {
				return err
			}
			if units[c.file] != zonedNanos {
				continue
			}
			for _, file := range sh.files {
				if err := checkNanos(ctx, file, c.file); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// distinctShapes returns the shapes of the files, each once, in their order.
func (src *source) distinctShapes() []*shape {
	var out []*shape
	seen := map[*shape]bool{}
	for _, sh := range src.shapes {
		if !seen[sh] {
			seen[sh], out = true, append(out, sh)
		}
	}
	return out
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

// named returns the index of the column that the engine finds by a name, in any case; -1 if there is none.
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
