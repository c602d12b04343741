package scaffold

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
)

// conversion is definitions made from a Feast repo.
type conversion struct {
	Converted
	from     *feastRepo
	docs     []string
	taken    map[string]bool        // names of sources and views
	entities map[string]string      // by Feast's name
	columns  map[string]string      // by Feast's name of a key or a feature
	sources  map[string]string      // by what Feast says of a source
	views    map[string]*feastView  // by Feast's name
	names    map[string]string      // of the views, likewise
	keys     map[string]fstore.Type // of the join keys, by Feast's name
}

// newConversion converts what a Feast repo has registered.
func newConversion(from *feastRepo) *conversion {
	c := &conversion{
		from: from, taken: map[string]bool{}, entities: map[string]string{}, columns: map[string]string{}, sources: map[string]string{},
		views: map[string]*feastView{}, names: map[string]string{}, keys: map[string]fstore.Type{},
	}
	c.Feast = from.Feast
	slices.SortFunc(from.Views, func(a, b feastView) int { return strings.Compare(a.Name, b.Name) })
	c.addEntities()
	for i := range from.Views {
		c.addView(&from.Views[i])
	}
	for _, name := range from.OnDemand {
		c.note("on-demand feature view %s: Python is not carried over; write it as an on_demand_view, in CEL (docs/on-demand.md)", name)
	}
	for i := range from.Services {
		c.addService(&from.Services[i])
	}
	return c
}

func (c *conversion) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// name returns fstore's name for an object of Feast, and notes it if it is another.
func (c *conversion) name(kind, name string, taken map[string]bool) string {
	own := uniqueName(ownName(name), taken)
	if own != name {
		c.note("%s %s is named %s here: names have lower-case letters, digits and _", kind, name, own)
	}
	return own
}

// addEntities adds an entity for each of Feast's. Its type is stated, or that of the key in the views.
func (c *conversion) addEntities() {
	for _, v := range c.from.Views {
		for _, k := range v.Keys {
			if t := feastType(k.Type); t.IsKey() && c.keys[k.Name] == fstore.Invalid {
				c.keys[k.Name] = t
			}
		}
	}
	taken := map[string]bool{}
	for _, e := range c.from.Entities {
		t := feastType(e.Type)
		if !t.IsKey() {
			t = c.keys[e.Key]
		}
		guessed := ""
		if !t.IsKey() {
			t, guessed = fstore.String, " # guessed: Feast does not say; check"
		}
		name := c.name("entity", e.Name, taken)
		c.entities[e.Name] = name
		c.Entities = append(c.Entities, name)
		c.docs = append(c.docs, fmt.Sprintf("kind: entity\nname: %s\njoin_keys: [{name: %s, type: %s}]%s\n%s", name, c.column(e.Key), t, guessed, e.about()))
	}
}

// column returns fstore's name for a column of Feast's.
func (c *conversion) column(name string) string {
	own, ok := c.columns[name]
	if !ok {
		own = ownName(name)
		c.columns[name] = own
		if own != name {
			c.note("column %s is named %s here: names have lower-case letters, digits and _", name, own)
		}
	}
	return own
}

// addView adds a view and its source, or says why not.
func (c *conversion) addView(v *feastView) {
	if why := v.cannot(); why != "" {
		c.note("%s %s: %s", v.Kind, v.Name, why)
		return
	}
	var features strings.Builder
	count := 0
	for _, f := range v.Features {
		t := feastType(f.Type)
		if t == fstore.Invalid {
			c.note("feature %s:%s: fstore has no type for Feast's %s", v.Name, f.Name, f.Type)
			continue
		}
		if strings.TrimSuffix(f.Type, "_LIST") == "JSON" {
			c.note("feature %s:%s: JSON is a string here", v.Name, f.Name)
		}
		count++
		fmt.Fprintf(&features, "  - {name: %s, type: %s%s}\n", c.column(f.Name), t, described(f.Description))
	}
	if count == 0 {
		c.note("%s %s: it has no feature of a type that fstore has", v.Kind, v.Name)
		return
	}
	source := c.source(v)
	name := c.name("view", v.Name, c.taken)
	c.views[v.Name], c.names[v.Name] = v, name
	c.Views = append(c.Views, name)
	var entities []string
	for _, e := range v.Entities {
		entities = append(entities, c.entities[e])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "kind: feature_view\nname: %s\nentities: [%s]\nsource: %s\n", name, strings.Join(entities, ", "), source)
	if v.TTL > 0 {
		fmt.Fprintf(&b, "ttl: %s\n", fstore.Duration(time.Duration(v.TTL*1e6)*time.Microsecond))
	}
	b.WriteString("features:\n" + features.String() + v.about())
	c.docs = append(c.docs, b.String())
	if v.Kind == "LabelView" {
		c.note("LabelView %s is a feature view here: the newest label wins", v.Name)
	}
	if v.Source.Through != "" {
		c.note("%s %s: what a %s writes is not carried over; the view reads its batch source", v.Kind, v.Name, v.Source.Through)
	}
	if !v.Online {
		c.note("%s %s has online=False, and is materialized here if it is used; online: false keeps it out of services", v.Kind, v.Name)
	}
}

// cannot says why a view is not carried over.
func (v *feastView) cannot() string {
	s := &v.Source
	switch {
	case v.Transformed:
		return "its transformation or aggregation is not carried over; write it as SQL or as aggregations"
	case s.Kind != "FileSource":
		return fmt.Sprintf("a %s is not carried over; write its rows as Parquet", s.Kind)
	case strings.Contains(s.Path, "://"):
		return s.Path + " is not a file of this machine; copy it"
	case s.Format == "DeltaFormat":
		return "Delta tables are not carried over; write the rows as Parquet"
	}
	return ""
}

// source returns the name of a view's source, which it adds unless another view has it.
func (c *conversion) source(v *feastView) string {
	s := &v.Source
	id := fmt.Sprintf("%s\x00%s\x00%s\x00%v", s.Path, s.Event, s.Created, s.Rename)
	if name, ok := c.sources[id]; ok {
		return name
	}
	path := s.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.from.Repo, path)
	}
	called := s.Name
	if called == "" || strings.Contains(called, "/") { // Feast names a source by its path where it has no name
		called = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	name := uniqueName(ownName(called), c.taken)
	c.sources[id] = name
	c.Sources = append(c.Sources, name)
	var b strings.Builder
	fmt.Fprintf(&b, "kind: source\nname: %s\npath: %s\n", name, scalar(literal(offline.EscapePattern(path))))
	c.renames(&b, v)
	if s.Event != "" {
		fmt.Fprintf(&b, "event_timestamp: %s\n", c.column(s.Event))
	}
	if s.Created != "" {
		fmt.Fprintf(&b, "created_timestamp: %s\n", c.column(s.Created))
	}
	if s.Event != "" {
		b.WriteString("availability: event # as in Feast, which takes a row to be known at its event time\n")
	}
	if s.Created != "" {
		c.note("source %s: Feast uses %s to break ties alone. availability: created is stricter: training then sees a row only once it was written", name, s.Created)
	}
	c.docs = append(c.docs, b.String())
	return name
}

// renames writes the columns of a source that have other names in its files.
func (c *conversion) renames(b *strings.Builder, v *feastView) {
	rename := map[string]string{}
	mapped := map[string]bool{}
	for file, name := range v.Source.Rename {
		rename[file], mapped[name] = c.column(name), true
	}
	used := []string{v.Source.Event, v.Source.Created}
	for _, f := range slices.Concat(v.Keys, v.Features) {
		if feastType(f.Type) != fstore.Invalid {
			used = append(used, f.Name)
		}
	}
	for _, name := range used {
		if name == "" || mapped[name] {
			continue
		}
		if own := c.column(name); own != name {
			rename[name] = own
		}
	}
	if len(rename) == 0 {
		return
	}
	b.WriteString("rename:\n")
	for _, file := range slices.Sorted(maps.Keys(rename)) {
		fmt.Fprintf(b, "  %s: %s\n", scalar(file), rename[file])
	}
}

// addService adds a service with the features that have been carried over.
func (c *conversion) addService(s *feastService) {
	var lines []string
	for _, p := range s.Features {
		v := c.views[p.View]
		if v == nil {
			c.note("service %s: the features of %s are left out, as is the view", s.Name, p.View)
			continue
		}
		lines = append(lines, c.references(v, &p)...)
	}
	if len(lines) == 0 {
		c.note("service %s is left out: none of its features is carried over", s.Name)
		return
	}
	name := c.name("service", s.Name, map[string]bool{})
	c.Services = append(c.Services, name)
	c.docs = append(c.docs, fmt.Sprintf("kind: feature_service\nname: %s\nfeatures:\n%s%s", name, strings.Join(lines, ""), s.about()))
}

// references returns the features that a service takes from a view. A view under another name, or by other keys, has
// Feast's full names.
func (c *conversion) references(v *feastView, p *feastProjection) (lines []string) {
	var role []string
	for _, key := range slices.Sorted(maps.Keys(p.Keys)) {
		role = append(role, c.column(key)+": "+c.column(p.Keys[key]))
	}
	for _, f := range v.Features {
		if !slices.Contains(p.Features, f.Name) || feastType(f.Type) == fstore.Invalid {
			continue
		}
		ref := c.names[v.Name] + "." + c.column(f.Name)
		var more string
		if role != nil {
			more = ", keys: {" + strings.Join(role, ", ") + "}"
		}
		if p.Alias != "" && p.Alias != v.Name {
			more += ", as: " + ownName(p.Alias) + "__" + c.column(f.Name)
		}
		if more == "" {
			lines = append(lines, "  - "+ref+"\n")
		} else {
			lines = append(lines, "  - {ref: "+ref+more+"}\n")
		}
	}
	return lines
}

// about writes the description, the owner and the tags of an object.
func (n *feastNamed) about() string {
	var b strings.Builder
	for _, line := range []struct{ key, value string }{{"description", n.Description}, {"owner", n.Owner}} {
		if line.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", line.key, quotedText(line.value))
		}
	}
	if len(n.Tags) > 0 {
		b.WriteString("tags:\n")
		for _, key := range slices.Sorted(maps.Keys(n.Tags)) {
			fmt.Fprintf(&b, "  %s: %s\n", quotedText(key), quotedText(n.Tags[key]))
		}
	}
	return b.String()
}

func described(text string) string {
	if text == "" {
		return ""
	}
	return ", description: " + quotedText(text)
}

// quotedText writes a text as a value of YAML that is never read as a number or a variable.
func quotedText(s string) string { return literal(fmt.Sprintf("%q", s)) }

// text writes the definitions.
func (c *conversion) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Converted from the Feast repo %s (Feast %s). What could not be carried over:\n", commentText(c.from.Repo), commentText(c.Feast))
	if len(c.Notes) == 0 {
		b.WriteString("#   nothing\n")
	}
	for _, n := range c.Notes {
		b.WriteString("#   " + commentText(n) + "\n")
	}
	return b.String() + strings.Join(c.docs, "---\n")
}
