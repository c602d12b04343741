package definition

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// maxInputs bounds the features that the uses of one on-demand view name: view.* by thousands of roles is millions.
const maxInputs = 20_000

// checkOnDemand checks the uses and the expressions of an on-demand view, after those of the on-demand views that it
// reads.
func (c *checker) checkOnDemand(o *onDemandView) {
	if o.checked == done {
		return
	}
	o.checked = underway
	c.path = append(c.path, o.def.View.Name)
	features := 0
	for i := range o.spec.Uses {
		spec := &o.spec.Uses[i]
		if features > maxInputs {
			c.problems.add(spec.Pos, "name the features that the expressions read one by one, or split the view", "the uses name more than %d features", maxInputs)
			o.unknown = append(o.unknown, spec.name())
			break
		}
		in, ok := c.use(o, spec)
		if !ok || !c.addInput(o, spec, in) {
			o.unknown = append(o.unknown, spec.name())
			continue
		}
		features += len(in.Features)
	}
	c.featureNames(o)
	c.expressions(o)
	c.path = c.path[:len(c.path)-1]
	o.checked = done
	c.ordered = append(c.ordered, o)
}

// name returns the name by which expressions read what a use names.
func (s *UseSpec) name() string {
	view, _, _ := strings.Cut(s.Ref.Value, ".")
	view, _, _ = strings.Cut(view, "@")
	return cmp.Or(s.As.Value, view)
}

// use resolves one entry of uses.
func (c *checker) use(o *onDemandView, spec *UseSpec) (in fstore.OnDemandInput, ok bool) {
	if spec.Ref.Value == "" {
		return in, false // reported by the loader
	}
	ref, err := parseFeatureRef(spec.Ref.Value, "an on_demand_view")
	if err != nil {
		c.problems.addError(spec.Ref.Pos, err)
		return in, false
	}
	if up := c.onDemand[ref.View]; up != nil && c.views[ref.View] == nil {
		if up.checked == underway {
			cycle := append(slices.Clone(c.path[slices.Index(c.path, ref.View):]), ref.View)
			c.problems.add(spec.Ref.Pos, "move what both need to a view that both read", "on-demand views form a cycle: %s", strings.Join(cycle, " → "))
			return in, false
		}
		c.checkOnDemand(up)
	}
	from := c.featuresOf(spec.Ref, ref, "uses")
	if from == nil {
		return in, false
	}
	in = fstore.OnDemandInput{Name: spec.name(), Ref: fstore.ViewRef{Name: ref.View}, Features: from.features}
	if in.OnDemand = from.onDemand != nil; in.OnDemand {
		ok = !c.hasKeys(spec.Ref, spec.Keys)
	} else if ref.Keys, ok = c.keyColumns(spec.Ref, spec.Keys, from.view, o.keys); ok {
		in.Keys = bind(from.view.def.Keys, ref.Keys)
	}
	ref.As = spec.As.Value
	o.def.View.Uses = append(o.def.View.Uses, ref)
	return in, ok
}

// addInput adds what a use gives to expressions. Several uses may name features of one view by the same keys. It returns
// false, and reports it, if expressions cannot read it by its name.
func (c *checker) addInput(o *onDemandView, spec *UseSpec, in fstore.OnDemandInput) bool {
	at := spec.Ref
	if spec.As.given() {
		at = spec.As
	}
	i, again := o.inputs[in.Name]
	if !again {
		if spec.As.given() && !c.name(spec.As) || !c.take(o, Text{Value: in.Name, Pos: at.Pos}, "view in uses") {
			return false
		}
		o.inputs[in.Name] = len(o.def.Inputs)
		in.Features = slices.Clone(in.Features)
		o.def.Inputs = append(o.def.Inputs, in)
		return true
	}
	have := &o.def.Inputs[i]
	if have.Ref != in.Ref || !slices.Equal(have.Keys, in.Keys) {
		c.problems.add(at.Pos, "give it another name with as", "two uses are named %s", in.Name)
		return false
	}
	for _, f := range in.Features {
		if slices.Contains(have.Features, f) {
			c.problems.add(spec.Ref.Pos, "remove one of them", "%s.%s is listed twice", in.Name, f)
			return true
		}
	}
	have.Features = append(have.Features, in.Features...)
	return true
}

// featureNames reports features that have the name of a key column, which labels and requests have beside them.
func (c *checker) featureNames(o *onDemandView) {
	for _, f := range o.spec.Features {
		if col, ok := o.keys[f.Name.Value]; ok && !col.request {
			c.problems.add(f.Name.Pos, "give it another name", "feature %s has the name of the %s", f.Name.Value, col.what())
		}
	}
}

// expressions compiles the expressions of an on-demand view. Of its inputs, it keeps what the expressions read.
func (c *checker) expressions(o *onDemandView) {
	env, err := ondemand.EnvOf(c.versions().list(&o.def), &o.def)
	if err != nil {
		c.problems.addError(o.spec.Pos, err)
		return
	}
	env.Unknown = o.unknown
	program, problems := ondemand.Compile(env, ondemand.FeaturesOf(o.def.View.Features))
	texts := map[string]Text{}
	for _, f := range slices.Backward(o.spec.Features) {
		texts[f.Name.Value] = f.Expression
	}
	for _, p := range problems {
		if t := texts[p.Feature]; t.Value != "" { // otherwise the loader reports that it is missing
			c.problems.add(c.repo.within(t, p.Line, p.Col), p.Hint, "%s", p.Message)
		}
	}
	if program == nil {
		return
	}
	read := map[string]bool{}
	for _, in := range program.Inputs() {
		name, _, _ := strings.Cut(in.Name, ".")
		read[name], read[in.Name] = true, true
	}
	c.warnUnread(o, read)
	o.def.Inputs = slices.DeleteFunc(o.def.Inputs, func(in fstore.OnDemandInput) bool { return !read[in.Name] })
	for i := range o.def.Inputs {
		in := &o.def.Inputs[i]
		in.Features = slices.DeleteFunc(in.Features, func(f string) bool { return !read[in.Name+"."+f] })
	}
}

// warnUnread warns of uses and request columns that no expression reads.
func (c *checker) warnUnread(o *onDemandView, read map[string]bool) {
	for i := range o.spec.Uses {
		spec := &o.spec.Uses[i]
		_, feature, _ := strings.Cut(spec.Ref.Value, ".")
		switch name := spec.name(); {
		case !read[name]:
			c.warnings.add(spec.Pos, "remove it", "no expression reads %s", name)
		case feature != "*" && !read[name+"."+feature] && !c.onlyForEvent(o, name, read):
			c.warnings.add(spec.Pos, "remove it", "no expression reads %s.%s", name, feature)
		}
	}
	for _, spec := range o.spec.Request {
		if !read[spec.Name.Value] {
			c.warnings.add(spec.Pos, "remove it, so that callers need not send it", "no expression reads the request column %s", spec.Name.Value)
		}
	}
}

// onlyForEvent reports whether expressions read the event time of a view and none of its features: some use has to name
// the view.
func (c *checker) onlyForEvent(o *onDemandView, name string, read map[string]bool) bool {
	return !slices.ContainsFunc(o.def.Inputs[o.inputs[name]].Features, func(f string) bool { return read[name+"."+f] })
}

// versions finds the definitions that are being checked by name.
func (c *checker) versions() Versions {
	return Versions{
		View: func(r fstore.ViewRef) *fstore.ViewVersion {
			return &fstore.ViewVersion{Ref: r, View: c.views[r.Name].def}
		},
		OnDemand: func(r fstore.ViewRef) *fstore.OnDemandVersion { return &c.onDemand[r.Name].def },
	}
}
