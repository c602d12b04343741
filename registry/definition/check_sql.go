package definition

import (
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// sqlView checks a view by SQL: what it reads, what the gate refuses, and what it yields.
func (c *checker) sqlView(v *view, path []string) {
	v.text = c.repo.sql[v.def.SQLFile]
	v.def.SQL = v.text
	tree, err := c.prints.gate.Parse(c.ctx, v.text)
	if err != nil {
		c.sqlError(v, err)
		return
	}
	v.query = tree.Inspect()
	for _, f := range v.query.Refused {
		c.problems.add(c.sqlPos(v, f.Offset), f.Hint, "%s", f.Message)
	}
	defer c.warnSQL(v)
	known := c.inputs(v, path)
	c.sqlTimes(v)
	columns, ok := c.relations(v)
	if !known || !ok || v.query.TooLarge {
		return
	}
	out, plan, err := c.engine.PlanSQL(c.ctx, v.text, columns)
	if err != nil {
		if len(v.query.Refused) == 0 { // otherwise it may be the same mistake again
			c.sqlError(v, err)
		}
		return
	}
	c.sqlOutputs(v, out)
	c.sqlPlan(v, plan, out)
}

func (c *checker) sqlPos(v *view, offset int) fstore.Pos {
	return fstore.PosIn(v.def.SQLFile, v.text, offset)
}

// sqlError reports what the engine says about SQL text.
func (c *checker) sqlError(v *view, err error) {
	if f, ok := c.prints.gate.Explain(c.ctx, v.text, err); ok {
		c.problems = append(c.problems, Problem{c.sqlPos(v, f.Offset), f.Message, f.Hint})
		return
	}
	c.engineError(fstore.Pos{File: v.def.SQLFile}, "", err)
}

// inputs resolves the tables that the SQL reads and checks the views among them. It returns false if one is unknown.
func (c *checker) inputs(v *view, path []string) bool {
	known := true
	if len(v.query.Tables) == 0 && len(v.query.Refused) == 0 {
		c.problems.add(fstore.Pos{File: v.def.SQLFile}, "from a source or a view", "the SQL reads no source and no view")
		return false
	}
	for _, t := range v.query.Tables {
		name := strings.ToLower(t.Name)
		up := c.views[name]
		switch {
		case c.onDemand[name] != nil && up == nil && c.sources[name] == nil:
			c.problems.add(c.sqlPos(v, t.Offset), "compute it in the query, or read the view in the uses of another on_demand_view", "on_demand_view %s has no rows that SQL could read", name)
			known = false
			continue
		case up == nil && c.sources[name] == nil:
			c.problems.add(c.sqlPos(v, t.Offset), c.suggest(name, maps.Keys(c.sources), maps.Keys(c.views)), "unknown source or view %q", t.Name)
			known = false
			continue
		case up != nil && up.checked == underway:
			cycle := append(slices.Clone(path[slices.Index(path, name):]), name)
			c.problems.add(c.sqlPos(v, t.Offset), "let one of them read sources instead", "views form a cycle: %s", strings.Join(cycle, " → "))
			known = false
			continue
		case up != nil && up.spec.Aggregations != nil:
			c.problems.add(c.sqlPos(v, t.Offset), "read its source", "feature_view %s has windows, which have no rows that SQL could read", t.Name)
			known = false
			continue
		case up != nil:
			c.checkView(up, path)
		}
		if !slices.Contains(v.def.Inputs, name) {
			v.def.Inputs = append(v.def.Inputs, name)
		}
	}
	slices.Sort(v.def.Inputs)
	return known
}

// sqlTimes works out when the rows of the SQL's output are true and when they become known.
func (c *checker) sqlTimes(v *view) {
	var timed, created []string
	lag := fstore.Duration(0)
	for _, name := range v.def.Inputs {
		event, available := c.timesOf(name)
		if event == "" {
			continue
		}
		timed = append(timed, name)
		if available.Created {
			created = append(created, name)
		}
		lag = max(lag, available.Lag)
	}
	if v.def.Static() {
		if !v.spec.Event.given() { // otherwise the text is wrong, and reported
			c.staticSQL(v, timed)
		}
		return
	}
	stated, ok := c.availability(v.spec.Availability)
	switch {
	case ok && stated.Created && v.def.Created == "":
		c.problems.add(v.spec.Availability.Pos, "name created_timestamp, or write event or event + 2h", "availability is created but the view names no created_timestamp")
	case ok:
		v.def.Available = stated
		if !stated.Created && stated.Lag < lag {
			c.warnings.add(v.spec.Availability.Pos, "availability: event + "+lag.String(), "availability is %s, but an input becomes known only after %s", stated, lag)
		} else if stated.IsEvent() && len(created) > 0 {
			c.warnings.add(v.spec.Availability.Pos, "yield a row for each state that became known, and name its created time as created_timestamp (docs/causality.md); or state the longest delay: event + 1d",
				"availability is event, but rows of %s become known at their created time: late rows would count before that", strings.Join(created, ", "))
		}
	case v.spec.Availability.given():
	case v.def.Created != "":
		v.def.Available = fstore.Available{Created: true}
	case len(created) > 0:
		c.problems.add(v.spec.Pos, "yield a row for each state that became known, and name its created time as created_timestamp (docs/causality.md); or state availability, such as event + 1d",
			"feature_view %s reads %s, whose rows become known at their created time, but declares no availability", v.def.Name, strings.Join(created, ", "))
	default:
		v.def.Available = fstore.Available{Lag: lag}
	}
}

// timesOf returns the event column and the availability of a source or view.
func (c *checker) timesOf(name string) (string, fstore.Available) {
	if up := c.views[name]; up != nil {
		return up.def.Event, up.def.Available
	}
	s := c.sources[name]
	return s.def.Event, s.def.Available
}

// staticSQL checks a view without an event time: it may read only static tables.
func (c *checker) staticSQL(v *view, timed []string) {
	if len(timed) > 0 {
		c.problems.add(v.spec.Pos, "event_timestamp: the column of the SQL's output with the event time",
			"feature_view %s names no event_timestamp, but reads %s, which has event times", v.def.Name, strings.Join(timed, ", "))
		return
	}
	for _, t := range []struct {
		key  string
		text Text
	}{{"created_timestamp", v.spec.Created}, {"availability", v.spec.Availability}} {
		if t.text.given() {
			c.problems.add(t.text.Pos, "name event_timestamp, or remove it", "%s without event_timestamp", t.key)
		}
	}
	c.staticView(v, "the SQL yields none")
}

// relations returns the inputs of a view with their columns, or false if the columns of one are unknown.
func (c *checker) relations(v *view) ([]fstore.Relation, bool) {
	var out []fstore.Relation
	for _, name := range v.def.Inputs {
		if up := c.views[name]; up != nil {
			if !up.ok {
				return nil, false
			}
			out = append(out, fstore.Relation{Name: name, Columns: Columns(&up.def)})
			continue
		}
		columns := c.sources[name].columns
		if columns == nil || slices.ContainsFunc(columns, func(col fstore.EngineColumn) bool { return col.Type == "" && col.Untyped == nil }) {
			return nil, false
		}
		out = append(out, fstore.Relation{Name: name, Columns: columns})
	}
	return out, true
}

// Columns returns the columns that SQL sees of a view: the keys, the event and created times under their declared
// names, and the features by name in their declared types.
func Columns(v *fstore.View) []fstore.EngineColumn {
	var out []fstore.EngineColumn
	add := func(name string, t fstore.Type) {
		if name != "" && column(out, name) == nil {
			out = append(out, fstore.EngineColumn{Name: name, Type: sqltype.Of(t)})
		}
	}
	for _, k := range v.Keys {
		add(k.Name, k.Type)
	}
	add(v.Event, fstore.Timestamp)
	add(v.Created, fstore.Timestamp)
	for _, f := range v.Features {
		add(f.Name, f.Type)
	}
	return out
}

// sqlOutputs checks the columns that the SQL yields.
func (c *checker) sqlOutputs(v *view, out []fstore.EngineColumn) {
	const from = "the SQL's output"
	for i, col := range out {
		if column(out[:i], col.Name) != nil && v.usesColumn(col.Name) {
			c.problems.add(fstore.Pos{File: v.def.SQLFile}, "rename one with AS", "the SQL yields two columns named %s", col.Name)
		}
	}
	for _, k := range v.def.Keys {
		c.output(v, out, from, v.spec.SQL.Pos, "join key "+k.Name, k.Name, k.Type)
	}
	if v.def.Event != "" {
		c.output(v, out, from, v.spec.Event.Pos, "event_timestamp", v.def.Event, fstore.Timestamp)
		if col := column(out, v.def.Event); col != nil && isDate(col.Type) {
			c.checkDay(v.spec.Event, v.spec.Availability, "")
		}
	}
	if v.def.Created != "" {
		c.output(v, out, from, v.spec.Created.Pos, "created_timestamp", v.def.Created, fstore.Timestamp)
	}
	if v.def.Windowed() {
		c.windowed(v, out)
		return
	}
	c.featureColumns(v, out, from)
}

// usesColumn reports whether the view uses a column of its SQL's output.
func (v *view) usesColumn(name string) bool {
	return strings.EqualFold(name, v.def.Event) || strings.EqualFold(name, v.def.Created) ||
		slices.ContainsFunc(v.def.Keys, func(k fstore.Field) bool { return strings.EqualFold(k.Name, name) }) ||
		slices.ContainsFunc(v.def.Features, func(f fstore.Feature) bool { return strings.EqualFold(f.Column, name) })
}

// warnSQL warns of SQL that runs but probably does not do what its author wants.
func (c *checker) warnSQL(v *view) {
	for _, f := range v.query.Doubts {
		c.warnings.add(c.sqlPos(v, f.Offset), f.Hint, "%s", f.Message)
	}
	if at, ok := v.query.OneRowPerKey(&v.def); ok {
		c.warnings.add(c.sqlPos(v, at), "yield a row per instant at which a value changes: group by the event time as well, or use windows over it",
			"the SQL yields one row per key, not a history: past values would be lost")
	}
}
