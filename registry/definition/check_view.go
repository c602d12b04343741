package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// readViews reads what views declare. Their inputs are checked afterwards, once all names are known.
func (c *checker) readViews() {
	places := map[string]fstore.Pos{}
	for i := range c.repo.Views {
		spec := &c.repo.Views[i]
		if !c.name(spec.Name) || c.isDuplicate("feature_view", spec.Name, places) {
			continue
		}
		v := &view{spec: spec, def: fstore.View{
			Name: spec.Name.Value, SQLFile: spec.SQL.Value, Source: spec.Source.Value,
			Event: spec.Event.Value, Created: spec.Created.Value, Offline: spec.Online.given() && !spec.Online.Value,
			Entities: []string{}, Keys: []fstore.Field{}, Inputs: []string{}, Drift: c.driftRule(spec.Drift, fstore.Invalid), Meta: meta(spec.MetaSpec),
		}, ok: true}
		c.views[v.def.Name] = v
		if s := c.sources[v.def.Name]; s != nil {
			c.problems.add(spec.Name.Pos, "SQL reads both by name: rename one", "feature_view %s has the name of a source, at %s", v.def.Name, s.spec.Name.Pos)
		}
		c.viewKeys(v)
		c.viewSchedule(v)
		c.viewFeatures(v)
	}
}

// viewKeys works out the union of the entities' join keys.
func (c *checker) viewKeys(v *view) {
	from := map[string]string{}
	for i, t := range v.spec.Entities {
		if t.Value == "" {
			continue
		}
		e := c.entities[t.Value]
		switch {
		case e == nil:
			c.problems.add(t.Pos, c.suggest(t.Value, maps.Keys(c.entities)), "unknown entity %q", t.Value)
			v.ok = false
			continue
		case slices.ContainsFunc(v.spec.Entities[:i], func(o Text) bool { return o.Value == t.Value }):
			c.problems.add(t.Pos, "", "entity %s is listed twice", t.Value)
			continue
		}
		v.ok = v.ok && e.ok
		v.def.Entities = append(v.def.Entities, t.Value)
		for _, k := range e.def.JoinKeys {
			j := slices.IndexFunc(v.def.Keys, func(f fstore.Field) bool { return f.Name == k.Name })
			if j < 0 {
				v.def.Keys = append(v.def.Keys, k)
				from[k.Name] = t.Value
			} else if have := v.def.Keys[j]; have.Type != k.Type {
				c.problems.add(t.Pos, "give the key one type in both", "join key %s is %s in entity %s and %s in %s", k.Name, have.Type, from[k.Name], k.Type, t.Value)
				v.ok = false
			}
		}
	}
	fstore.SortFields(v.def.Keys)
}

func (c *checker) viewFeatures(v *view) {
	switch {
	case v.spec.Aggregations != nil:
		c.aggregations(v)
		return
	case v.spec.Features == nil:
		c.problems.add(v.spec.Pos, "features, or aggregations for windows, in the order that view.* gives", "a feature_view has no features")
	case len(v.spec.Features) == 0:
		c.problems.add(v.spec.Pos, "features: [{name: order_value, type: float64}]", "feature_view %s has no features", v.def.Name)
	}
	seen := map[string]fstore.Pos{}
	for _, spec := range v.spec.Features {
		t, ok := c.typ(spec.Type)
		if !c.name(spec.Name) || c.isDuplicate("feature", spec.Name, seen) {
			v.ok = false
			continue
		}
		f := fstore.Feature{Name: spec.Name.Value, Type: t, Column: spec.Column.Value, Meta: meta(spec.MetaSpec)}
		if f.Column == "" {
			f.Column = f.Name
		}
		if ok {
			f.Default = c.defaultValue(spec.Default, t)
			f.Expect = c.featureExpectations(spec.Expect, &v.def, f.Name, t)
			f.Drift = c.driftRule(spec.Drift, t)
		}
		v.ok = v.ok && ok
		if slices.ContainsFunc(v.def.Keys, func(k fstore.Field) bool { return k.Name == f.Name }) {
			c.problems.add(spec.Name.Pos, fmt.Sprintf("{name: %s_value, column: %s, …}", f.Name, f.Column), "feature %s has the name of a join key", f.Name)
		}
		v.def.Features = append(v.def.Features, f)
	}
}

// viewSchedule reads ttl and publish.
func (c *checker) viewSchedule(v *view) {
	v.def.TTL = c.duration(v.spec.TTL)
	if v.def.TTL != nil && *v.def.TTL == 0 {
		c.problems.add(v.spec.TTL.Pos, "leave it out if values never expire", "ttl is 0")
	}
	spec := v.spec.Publish
	if spec == nil {
		return
	}
	p := &fstore.Publish{}
	for _, part := range []struct {
		text Text
		into *fstore.Duration
	}{{spec.Every, &p.Every}, {spec.Offset, &p.Offset}, {spec.Delay, &p.Delay}} {
		if d := c.duration(part.text); d != nil {
			*part.into = *d
		} else if part.text.given() {
			return
		}
	}
	switch {
	case !spec.Every.given():
		return
	case p.Every == 0:
		c.problems.add(spec.Every.Pos, "for example 1d", "publish: every is 0")
		return
	case p.Offset >= p.Every:
		c.problems.add(spec.Offset.Pos, "between 0s and every; "+p.Offset.String()+" counts as "+fstore.Duration(int64(p.Offset)%int64(p.Every)).String(),
			"publish: offset %s is not shorter than every %s", p.Offset, p.Every)
	}
	if v.def.TTL != nil && *v.def.TTL < p.Delay {
		c.problems.add(v.spec.TTL.Pos, "a ttl longer than the delay, usually also longer than every", "ttl %s is shorter than publish's delay %s: no value would ever be young enough", v.def.TTL, p.Delay)
	}
	v.def.Publish = p
}

// checkView checks the inputs and the output of a view, after those of the views that it reads. path lists the views
// that led here.
func (c *checker) checkView(v *view, path []string) {
	if v.checked == done {
		return
	}
	v.checked = underway
	switch {
	case v.spec.Source.given() && v.spec.SQL.given():
		c.problems.add(v.spec.Source.Pos, "keep one of them", "feature_view %s has both source and sql", v.def.Name)
	case v.spec.Source.given():
		c.sourceView(v)
	case v.spec.SQL.given():
		if v.def.SQLFile != "" {
			c.sqlView(v, append(slices.Clip(path), v.def.Name))
		}
	default:
		c.problems.add(v.spec.Pos, "source: NAME to take a source's columns as they are, or sql: "+exampleSQL(v.def.Name), "feature_view %s has neither source nor sql", v.def.Name)
	}
	c.viewExpectations(v)
	v.checked = done
}

// sourceView checks a view that takes a source's columns as they are.
func (c *checker) sourceView(v *view) {
	for _, t := range []struct {
		key  string
		text Text
	}{{"event_timestamp", v.spec.Event}, {"created_timestamp", v.spec.Created}, {"availability", v.spec.Availability}} {
		if t.text.Value != "" {
			c.problems.add(t.text.Pos, "remove it here; the source has its own", "%s beside source", t.key)
		}
	}
	name := v.spec.Source.Value
	s := c.sources[name]
	if s == nil {
		switch {
		case name == "": // reported
		case c.onDemand[name] != nil:
			c.problems.add(v.spec.Source.Pos, "name a source", "on_demand_view %s has no rows that a feature_view could read", name)
		case c.views[name] != nil:
			c.problems.add(v.spec.Source.Pos, name+" is a feature_view: read it in SQL", "unknown source %q", name)
		default:
			c.problems.add(v.spec.Source.Pos, c.suggest(name, maps.Keys(c.sources)), "unknown source %q", name)
		}
		return
	}
	v.def.Inputs = []string{name}
	v.def.Event, v.def.Created, v.def.Available = s.def.Event, s.def.Created, s.def.Available
	c.staticView(v, "source "+name+" is a static table")
	if s.columns == nil {
		return
	}
	for _, k := range v.def.Keys {
		c.output(v, s.columns, "source "+name, v.spec.Entities[0].Pos, "join key "+k.Name, k.Name, k.Type)
	}
	if v.def.Windowed() {
		c.windowed(v, s.columns)
		return
	}
	c.featureColumns(v, s.columns, "source "+name)
}

// staticView reports settings that a view without an event time cannot have.
func (c *checker) staticView(v *view, why string) {
	from := c.sources[v.def.Source]
	if v.spec.Event.given() || from != nil && from.spec.Event.given() {
		return // the view has an event time, or a mistake in it is reported
	}
	if v.def.Static() && v.spec.TTL.given() {
		c.problems.add(v.spec.TTL.Pos, "remove it", "ttl needs an event time, but %s", why)
	}
}

// featureColumns checks that the features' columns exist and convert.
func (c *checker) featureColumns(v *view, columns []fstore.EngineColumn, from string) {
	for _, f := range v.def.Features {
		i := slices.IndexFunc(v.spec.Features, func(s FeatureSpec) bool { return s.Name.Value == f.Name })
		pos := v.spec.Features[i].Name.Pos
		if v.spec.Features[i].Column.given() {
			pos = v.spec.Features[i].Column.Pos
		}
		c.output(v, columns, from, pos, "feature "+f.Name, f.Column, f.Type)
		if strings.EqualFold(f.Name, v.def.Event) && !strings.EqualFold(f.Column, v.def.Event) ||
			strings.EqualFold(f.Name, v.def.Created) && !strings.EqualFold(f.Column, v.def.Created) {
			c.problems.add(pos, "rename the feature", "feature %s has the name of a timestamp column of the view but is another column", f.Name)
		}
	}
}

// output checks one column that a view uses, and its type in every file.
func (c *checker) output(v *view, columns []fstore.EngineColumn, from string, pos fstore.Pos, what, name string, t fstore.Type) {
	i := slices.IndexFunc(columns, func(col fstore.EngineColumn) bool { return col.Name == name })
	if i < 0 {
		c.problems.add(pos, suggestColumn(name, columns), "%s: %s has no column %q", what, from, name)
		return
	}
	col := &columns[i]
	if col.Unreadable != nil {
		c.problems.add(pos, col.Unreadable.Hint, "%s: %s", what, col.Unreadable.Message)
		return
	}
	for _, in := range typesOf(col) {
		if t != fstore.Invalid && in.Type != "" && !c.converts(c.sources[v.def.Source], col.Name, in.Type, t) {
			c.problems.add(pos, c.typesFor(in.Type, strings.HasPrefix(what, "join key")), "%s: column %s is %s%s, which does not convert to %s", what, col.Name, in.Type, inFile(col, in), t)
			return
		}
	}
}

// typesFor says which types would fit a column.
func (c *checker) typesFor(engineType string, key bool) string {
	var fit []string
	for _, t := range fstore.Scalars() {
		if (t.IsKey() || !key) && sqltype.Parse(engineType).Converts(t) {
			fit = append(fit, t.String())
		}
	}
	for _, t := range fstore.Scalars() {
		if list := fstore.List(t); sqltype.Parse(engineType).Converts(list) && !key {
			fit = append(fit, list.String())
		}
	}
	if len(fit) == 0 {
		return "CAST it in SQL"
	}
	return "declare it " + strings.Join(fit, " or ") + ", or CAST it in SQL"
}
