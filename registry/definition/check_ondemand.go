package definition

import (
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// onDemandView is an on-demand view while it is checked.
type onDemandView struct {
	spec    *OnDemandViewSpec
	def     fstore.OnDemandVersion
	inputs  map[string]int    // index into def.Inputs by name
	taken   map[string]string // what has a name in expressions
	keys    columns           // the columns of labels and requests that it needs
	unknown []string          // names of uses that are wrong
	checked progress          // state of the walk over the on-demand views that it reads
}

// readOnDemand reads what on-demand views declare. Their uses and expressions are checked afterwards, once all names are
// known.
func (c *checker) readOnDemand() {
	places := map[string]fstore.Pos{}
	for i := range c.repo.OnDemand {
		spec := &c.repo.OnDemand[i]
		if !c.name(spec.Name) || c.isDuplicate("on_demand_view", spec.Name, places) {
			continue
		}
		name := spec.Name.Value
		o := &onDemandView{spec: spec, inputs: map[string]int{}, taken: map[string]string{}, keys: columns{}}
		o.def.Ref.Name = name
		o.def.View = fstore.OnDemandView{Name: name, Drift: c.driftRule(spec.Drift, fstore.Invalid), Meta: meta(spec.MetaSpec)}
		c.onDemand[name] = o
		if v := c.views[name]; v != nil {
			c.problems.add(spec.Name.Pos, "services name both: rename one", "on_demand_view %s has the name of a feature_view, at %s", name, v.spec.Name.Pos)
		} else if s := c.sources[name]; s != nil {
			c.problems.add(spec.Name.Pos, "rename one", "on_demand_view %s has the name of a source, at %s", name, s.spec.Name.Pos)
		}
		c.requestColumns(o)
		c.computedFeatures(o)
	}
}

// requestColumns reads the columns that callers send. One whose type is wrong has none, so that it is reported once.
func (c *checker) requestColumns(o *onDemandView) {
	seen := map[string]fstore.Pos{}
	for _, spec := range o.spec.Request {
		t, ok := c.typ(spec.Type)
		if !c.name(spec.Name) || c.isDuplicate("request column", spec.Name, seen) || !c.take(o, spec.Name, "request column") {
			continue
		}
		col := fstore.RequestColumn{
			Name: spec.Name.Value, Type: t, Description: strings.TrimSpace(spec.Description.Value), Unlogged: spec.Log.given() && !spec.Log.Value,
		}
		if ok && string(spec.Default.JSON) == "null" {
			c.problems.add(spec.Default.Pos, "leave it out: without a default, callers must send the column, and may send null", "default is null")
		} else if ok {
			col.Default = c.defaultValue(spec.Default, t)
		}
		o.def.View.Request = append(o.def.View.Request, col)
		o.keys[col.Name] = labelColumn{typ: t, of: o.def.View.Name, request: true}
	}
}

// computedFeatures reads the features. One whose type or expression is missing is kept, so that it is reported once.
func (c *checker) computedFeatures(o *onDemandView) {
	if o.spec.Features != nil && len(o.spec.Features) == 0 {
		c.problems.add(o.spec.Pos, `features: [{name: hour, type: int64, expression: "hour(at)"}]`, "on_demand_view %s has no features", o.def.View.Name)
	}
	seen := map[string]fstore.Pos{}
	for _, spec := range o.spec.Features {
		t, ok := c.typ(spec.Type)
		if !c.name(spec.Name) || c.isDuplicate("feature", spec.Name, seen) || !c.take(o, spec.Name, "feature") {
			continue
		}
		f := fstore.Feature{Name: spec.Name.Value, Type: t, Expression: strings.TrimRight(spec.Expression.Value, " \n\t"), Meta: meta(spec.MetaSpec)}
		if ok {
			f.Default = c.defaultValue(spec.Default, t)
			f.Drift = c.driftRule(spec.Drift, t)
		}
		o.def.View.Features = append(o.def.View.Features, f)
	}
}

// take records that expressions read something by a name. It returns false, and reports it, if they cannot.
func (c *checker) take(o *onDemandView, t Text, what string) bool {
	switch other, taken := o.taken[t.Value]; {
	case t.Value == "at":
		c.problems.add(t.Pos, "give it another name", "a %s cannot be named at: in expressions, at is the time of the row", what)
		return false
	case !ondemand.IsName(t.Value):
		c.problems.add(t.Pos, "give it another name", "a %s cannot be named %s: it is a reserved word in expressions", what, t.Value)
		return false
	case taken:
		name := what + " " + t.Value
		if kind, place, ok := strings.Cut(what, " in "); ok {
			name = kind + " " + t.Value + " in " + place
		}
		c.problems.add(t.Pos, "rename one of them", "%s has the name of a %s", name, other)
		return false
	}
	o.taken[t.Value] = what
	return true
}
