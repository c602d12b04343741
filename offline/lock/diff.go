package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Differences is what differs between two training sets, the definitions of views aside. What is the same is not in it.
type Differences struct {
	About    []Difference       `json:"about"`    // what made them, from which registry, when they end
	Settings []Difference       `json:"settings"` // of the engine and the file
	Labels   []Difference       `json:"labels"`   // where they come from, and how many they are
	Features []Difference       `json:"features"` // the list of features: which view gives each, and by which keys
	Inputs   []InputDifference  `json:"inputs"`   // files that were read
	Columns  []ColumnDifference `json:"columns"`  // of the training sets: schema and values
}

// Difference is a thing that is not the same in both; one that is not there is "".
type Difference struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// InputDifference is a file that was read for one of them only, or had another content.
type InputDifference struct {
	Source string `json:"source,omitempty"` // empty: the labels
	Path   string `json:"path"`
	Change string `json:"change"`         // added, removed, changed or moved
	From   string `json:"from,omitempty"` // where it was, if it has moved
}

// Compare says what differs between two training sets.
func Compare(old, now *Lock) *Differences {
	d := &Differences{Features: compareFeatures(old, now), Inputs: compareInputs(old, now), Columns: CompareColumns(&old.Output, &now.Output)}
	d.About = compare(nil, "fstore", old.Build.Fstore, now.Build.Fstore)
	d.About = compare(d.About, "duckdb", old.Build.DuckDB, now.Build.DuckDB)
	d.About = compare(d.About, "platform", old.Build.Platform, now.Build.Platform)
	d.About = compare(d.About, "time zone data", old.Build.Zones, now.Build.Zones)
	d.About = compare(d.About, "unicode", old.Build.Unicode, now.Build.Unicode)
	d.About = compare(d.About, "project", old.Registry.Project, now.Registry.Project)
	d.About = compare(d.About, "revision", strconv.FormatInt(old.Registry.Revision, 10), strconv.FormatInt(now.Registry.Revision, 10))
	d.About = compare(d.About, "git revision", old.Registry.GitRevision, now.Registry.GitRevision)
	d.About = compare(d.About, "service", service(old), service(now))
	d.About = compare(d.About, "known by", fstore.FormatTime(old.AsOf), fstore.FormatTime(now.AsOf))
	d.Labels = compare(nil, "query", old.Labels.SQL, now.Labels.SQL)
	d.Labels = compare(d.Labels, "timestamp", old.Labels.Timestamp, now.Labels.Timestamp)
	d.Labels = compare(d.Labels, "target", strings.Join(old.Labels.Targets, ", "), strings.Join(now.Labels.Targets, ", "))
	d.Labels = compare(d.Labels, "request columns", old.RequestText(), now.RequestText())
	d.Labels = compare(d.Labels, "sample", old.Labels.Sample.String(), now.Labels.Sample.String())
	d.Labels = compare(d.Labels, "rows", strconv.FormatInt(old.Labels.Rows, 10), strconv.FormatInt(now.Labels.Rows, 10))
	d.Labels = compare(d.Labels, "found in the served log", old.Served.String(), now.Served.String())
	d.Settings = CompareSettings(old.Settings, now.Settings)
	return d
}

func compare(to []Difference, name, old, now string) []Difference {
	if to == nil {
		to = []Difference{}
	}
	if old != now {
		to = append(to, Difference{name, old, now})
	}
	return to
}

func service(l *Lock) string {
	if l.Service == nil {
		return ""
	}
	return l.Service.String()
}

// compareFeatures compares the lists of features by output name, and then their order.
func compareFeatures(old, now *Lock) []Difference {
	texts := func(l *Lock) (names []string, from map[string]string) {
		from = map[string]string{}
		for _, f := range l.Features {
			text := f.View.String() + "." + f.Feature
			for _, k := range l.keys(&f) {
				if k.Column != k.Key.Name {
					text += " by " + k.Key.Name + " = " + k.Column
				}
			}
			names, from[f.Name] = append(names, f.Name), text
		}
		return names, from
	}
	was, oldFrom := texts(old)
	is, newFrom := texts(now)
	out := []Difference{}
	for _, name := range was {
		out = compare(out, name, oldFrom[name], newFrom[name])
	}
	for _, name := range is {
		if oldFrom[name] == "" {
			out = append(out, Difference{name, "", newFrom[name]})
		}
	}
	common := func(names []string, other map[string]string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return other[name] == "" })
	}
	return compare(out, "order", fmt.Sprint(common(was, newFrom)), fmt.Sprint(common(is, oldFrom)))
}

// keys returns the key columns by which a feature is looked up; none if it is computed on demand.
func (l *Lock) keys(f *Feature) []fstore.KeyBinding {
	if f.Use == nil {
		return nil
	}
	return l.Uses[*f.Use].Keys
}

// compareInputs compares the files that were read, source by source.
func compareInputs(old, now *Lock) []InputDifference {
	out := []InputDifference{}
	was, is := old.filesBySource(), now.filesBySource()
	for _, source := range slices.Compact(slices.Sorted(slices.Values(append(keysOf(was), keysOf(is)...)))) {
		gone, come := map[string]string{}, map[string]string{} // by content: a file of one of them only
		for path, sha := range was[source] {
			if is[source][path] == "" {
				gone[sha] = path
			}
		}
		var found []InputDifference
		for path, sha := range is[source] {
			before := was[source][path]
			switch {
			case before == sha:
			case before != "":
				found = append(found, InputDifference{source, path, "changed", ""})
			case gone[sha] != "":
				found = append(found, InputDifference{source, path, "moved", gone[sha]})
				come[sha] = path
			default:
				found = append(found, InputDifference{source, path, "added", ""})
			}
		}
		for path, sha := range was[source] {
			if is[source][path] == "" && (come[sha] == "" || gone[sha] != path) {
				found = append(found, InputDifference{source, path, "removed", ""})
			}
		}
		slices.SortFunc(found, func(a, b InputDifference) int { return cmp.Compare(a.Path, b.Path) })
		out = append(out, found...)
	}
	return out
}

// filesBySource returns the digests of all files that were read, by source and path; the labels' source is "".
func (l *Lock) filesBySource() map[string]map[string]string {
	out := map[string]map[string]string{}
	add := func(source string, f File) {
		if out[source] == nil {
			out[source] = map[string]string{}
		}
		out[source][f.Path] = f.SHA256
	}
	if l.Labels.File != nil {
		add("", *l.Labels.File)
	}
	if l.Served != nil {
		for _, f := range l.Served.Files {
			add(ServedLog, f)
		}
	}
	for _, s := range l.Sources {
		for _, f := range s.Files {
			add(s.Name, f)
		}
	}
	return out
}

func keysOf[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// CompareSettings returns the settings that differ, by name.
func CompareSettings(old, new []Setting) []Difference {
	out := []Difference{}
	value := func(of []Setting, name string) string {
		i := slices.IndexFunc(of, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			return ""
		}
		return of[i].Value
	}
	for _, s := range old {
		if v := value(new, s.Name); v != s.Value {
			out = append(out, Difference{s.Name, s.Value, v})
		}
	}
	for _, s := range new {
		if value(old, s.Name) == "" && s.Value != "" {
			out = append(out, Difference{s.Name, "", s.Value})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// CompareColumns returns the columns in which two training sets differ: by position, type or values. For values it
// says how their statistics differ.
func CompareColumns(old, new *Output) []ColumnDifference {
	out := []ColumnDifference{}
	place := func(o *Output, name string) int {
		return slices.IndexFunc(o.Columns, func(c Column) bool { return c.Name == name })
	}
	for i, was := range old.Columns {
		j := place(new, was.Name)
		if j < 0 {
			out = append(out, ColumnDifference{Name: was.Name, What: "it was removed"})
			continue
		}
		is := new.Columns[j]
		switch {
		case is.Type != was.Type:
			out = append(out, ColumnDifference{Name: was.Name, What: was.Type + " became " + is.Type})
		case is.Content != was.Content:
			out = append(out, ColumnDifference{Name: was.Name, What: "values: " + against(&was.Statistics, &is.Statistics), Values: true})
		case i != j:
			out = append(out, ColumnDifference{Name: was.Name, What: fmt.Sprintf("column %d became column %d", i+1, j+1)})
		}
	}
	for _, is := range new.Columns {
		if place(old, is.Name) < 0 {
			out = append(out, ColumnDifference{Name: is.Name, What: "it is new"})
		}
	}
	return out
}

// ColumnDifference is a column that differs between two training sets.
type ColumnDifference struct {
	Name string `json:"name"`
	What string `json:"what"`
	Rows int64  `json:"rows,omitempty"` // number of rows that differ, if both files could be compared

	Values bool `json:"-"` // the values differ
}
