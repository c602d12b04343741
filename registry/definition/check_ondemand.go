package definition

import (
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// onDemandView is an on-demand view while it is checked.
type onDemandView struct {
	spec    *OnDemandViewSpec
	def     fstore.OnDemandVersion
	checked progress // state of the walk over the on-demand views that it reads
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
		o := &onDemandView{spec: spec, def: fstore.OnDemandVersion{Ref: fstore.ViewRef{Name: spec.Name.Value}}}
		o.def.View = fstore.OnDemandView{Name: spec.Name.Value, Meta: meta(spec.MetaSpec)}
		c.onDemand[spec.Name.Value] = o
		if v := c.views[spec.Name.Value]; v != nil {
			c.problems.add(spec.Name.Pos, "services name both: rename one", "on_demand_view %s has the name of a feature_view, at %s", spec.Name.Value, v.spec.Name.Pos)
		} else if s := c.sources[spec.Name.Value]; s != nil {
			c.problems.add(spec.Name.Pos, "rename one", "on_demand_view %s has the name of a source, at %s", spec.Name.Value, s.spec.Name.Pos)
		}
		c.requestColumns(o)
		c.computedFeatures(o)
	}
}

func (c *checker) requestColumns(o *onDemandView) {
	seen := map[string]fstore.Pos{}
	for _, spec := range o.spec.Request {
		t, ok := c.typ(spec.Type)
		if !c.name(spec.Name) || c.isDuplicate("request column", spec.Name, seen) || !ok {
			continue
		}
		o.def.View.Request = append(o.def.View.Request, fstore.RequestColumn{
			Name: spec.Name.Value, Type: t, Default: c.defaultValue(spec.Default, t), Description: strings.TrimSpace(spec.Description.Value),
		})
	}
}

func (c *checker) computedFeatures(o *onDemandView) {
	if o.spec.Features != nil && len(o.spec.Features) == 0 {
		c.problems.add(o.spec.Pos, `features: [{name: hour, type: int64, expression: "hour(at)"}]`, "on_demand_view %s has no features", o.def.View.Name)
	}
	seen := map[string]fstore.Pos{}
	for _, spec := range o.spec.Features {
		t, ok := c.typ(spec.Type)
		if !c.name(spec.Name) || c.isDuplicate("feature", spec.Name, seen) || !ok || spec.Expression.Value == "" {
			continue
		}
		o.def.View.Features = append(o.def.View.Features, fstore.Feature{
			Name: spec.Name.Value, Type: t, Expression: strings.TrimRight(spec.Expression.Value, " \n\t"),
			Default: c.defaultValue(spec.Default, t), Meta: meta(spec.MetaSpec),
		})
	}
}

// checkOnDemand checks the uses and the expressions of an on-demand view. path has the on-demand views that led here.
func (c *checker) checkOnDemand(o *onDemandView, path []string) {
	if o.checked == done {
		return
	}
	o.checked = underway
	path = append(slices.Clip(path), o.def.View.Name)
	into := columns{}
	for _, col := range o.def.View.Request {
		into[col.Name] = labelColumn{typ: col.Type, of: o.def.View.Name, request: true}
	}
	for i := range o.spec.Uses {
		c.onDemandUse(o, &o.spec.Uses[i], path, into)
	}
	c.expressions(o)
	o.checked = done
	c.ordered = append(c.ordered, o)
}

// onDemandUse resolves one entry of uses.
func (c *checker) onDemandUse(o *onDemandView, spec *UseSpec, path []string, into columns) {
	if spec.Ref.Value == "" {
		return // reported by the loader
	}
	ref, err := parseFeatureRef(spec.Ref.Value)
	if err != nil {
		c.problems.addError(spec.Ref.Pos, err)
		return
	}
	if up := c.onDemand[ref.View]; up != nil {
		if up.checked == underway {
			cycle := append(slices.Clone(path[slices.Index(path, ref.View):]), ref.View)
			c.problems.add(spec.Ref.Pos, "move the features that one reads of the other to a third", "on-demand views form a cycle: %s", strings.Join(cycle, " → "))
			return
		}
		c.checkOnDemand(up, path)
	}
	from := c.featuresOf(spec.Ref, ref, "uses")
	if from == nil {
		return
	}
	ref.As = spec.As.Value
	in := fstore.OnDemandInput{Name: ref.View, Ref: fstore.ViewRef{Name: ref.View}, Features: from.features}
	if ref.As != "" {
		in.Name = ref.As
	}
	if from.onDemand != nil {
		in.OnDemand = true
		if spec.Keys != nil {
			c.problems.add(spec.Ref.Pos, "state the keys in the uses of "+ref.View, "on_demand_view %s has no keys of its own", ref.View)
			return
		}
	} else {
		var ok bool
		if ref.Keys, ok = c.keyColumns(spec.Ref, spec.Keys, from.view, into); !ok {
			return
		}
		in.Keys = bind(from.view.def.Keys, ref.Keys)
	}
	o.def.View.Uses = append(o.def.View.Uses, ref)
	c.addInput(o, spec, in)
}

// addInput adds what a use gives to expressions. Several uses may name features of one view by the same keys.
func (c *checker) addInput(o *onDemandView, spec *UseSpec, in fstore.OnDemandInput) {
	i := slices.IndexFunc(o.def.Inputs, func(have fstore.OnDemandInput) bool { return have.Name == in.Name })
	if i < 0 {
		o.def.Inputs = append(o.def.Inputs, in)
		return
	}
	have := &o.def.Inputs[i]
	if have.Ref != in.Ref || !slices.Equal(have.Keys, in.Keys) {
		c.problems.add(spec.Ref.Pos, "as: another_name", "two uses are named %s", in.Name)
		return
	}
	have.Features = slices.Clip(have.Features)
	for _, f := range in.Features {
		if !slices.Contains(have.Features, f) {
			have.Features = append(have.Features, f)
		}
	}
}

// expressions compiles the expressions of an on-demand view.
func (c *checker) expressions(o *onDemandView) {
	versions := Versions{
		View: func(r fstore.ViewRef) *fstore.ViewVersion {
			return &fstore.ViewVersion{Ref: r, View: c.views[r.Name].def}
		},
		OnDemand: func(r fstore.ViewRef) *fstore.OnDemandVersion { return &c.onDemand[r.Name].def },
	}
	env, err := ondemand.EnvOf(versions.list(&o.def), &o.def)
	if err != nil {
		c.problems.addError(o.spec.Pos, err)
		return
	}
	program, problems := ondemand.Compile(env, ondemand.FeaturesOf(o.def.View.Features))
	for _, p := range problems {
		i := slices.IndexFunc(o.spec.Features, func(f OnDemandFeatureSpec) bool { return f.Name.Value == p.Feature })
		c.problems.add(c.repo.within(o.spec.Features[i].Expression, p.Line, p.Col), p.Hint, "%s", p.Message)
	}
	if program == nil {
		return
	}
	read := map[string]bool{}
	for _, in := range program.Inputs() {
		name, _, _ := strings.Cut(in.Name, ".")
		read[name] = true
	}
	o.def.Inputs = slices.DeleteFunc(o.def.Inputs, func(in fstore.OnDemandInput) bool { return !read[in.Name] })
}
