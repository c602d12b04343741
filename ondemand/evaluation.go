package ondemand

import (
	"slices"

	"github.com/fstore-dev/fstore"
)

// Evaluation computes the on-demand features of a list. Training and serving look up what Lookups names, each in its own
// way, and call the same Eval. It is safe for concurrent use.
type Evaluation struct {
	list    *fstore.FeatureList
	lookups []Lookup
	request []fstore.RequestColumn // by the names under which callers send them
	sent    []sentColumn
	steps   []step // in the order in which they are computed
	outputs []Place
	results []result // of the computed outputs
}

// Lookup is what a list needs of a use of a view.
type Lookup struct {
	Use     int    // index into FeatureList.Uses
	Feature string // its name in the view; empty: the event time of the value, null unless there is one within the view's ttl
}

// Place says where the values of an output are: in the column of a look-up, or in one that Eval computes.
type Place struct {
	Computed bool
	Index    int // into Lookups, or into Evaluated.Columns
}

// step is the features of one on-demand view that the list needs.
type step struct {
	version *fstore.OnDemandVersion
	program *Program
	inputs  []place
}

// source says where an input of a program comes from.
type source uint8

const (
	fromLookup  source = iota // index: into Evaluation.lookups
	fromRequest               // index: into Evaluation.sent
	fromStep                  // index: an earlier step; column: of its program
	fromAt
)

type place struct {
	source        source
	index, column int
}

// sentColumn is a request column as one on-demand view declares it.
type sentColumn struct {
	index       int // into Evaluation.request
	typ         fstore.Type
	replacement *fstore.Value // for null; nil: none
}

// result is the column of a step's program that is an output.
type result struct {
	step, column int
	name         string
}

// NewEvaluation compiles what a list needs. The error is ErrInvalid if the list names something that its views do not have,
// and ErrDefinition if an expression does not compile. A checked definition has neither.
func NewEvaluation(list *fstore.FeatureList) (*Evaluation, error) {
	e := &Evaluation{list: list, request: list.RequestColumns()}
	needed := make([][]string, len(list.OnDemand)) // features, by on-demand view
	for _, o := range list.Outputs {
		switch o := o.(type) {
		case fstore.FeatureOutput:
			e.lookups = append(e.lookups, Lookup{o.Use, o.Feature})
		case fstore.OnDemandOutput:
			if o.OnDemand < 0 || o.OnDemand >= len(list.OnDemand) || list.OnDemand[o.OnDemand].Feature(o.Feature) == nil {
				return nil, fstore.Errorf(fstore.ErrInvalid, "output %s is no feature of an on-demand view of the list", o.As)
			}
			needed[o.OnDemand] = append(needed[o.OnDemand], o.Feature)
		}
	}
	programs := make([]*Program, len(list.OnDemand))
	for i, v := range slices.Backward(list.OnDemand) {
		var err error
		if programs[i], err = compileNeeded(list, i, needed[i]); err != nil {
			return nil, err
		}
		for _, in := range programs[i].Inputs() {
			input, feature := InputOf(v, in)
			if input != nil && input.OnDemand {
				up := slices.IndexFunc(list.OnDemand, func(u *fstore.OnDemandVersion) bool { return u.Ref == input.Ref })
				needed[up] = append(needed[up], feature)
			}
		}
	}
	for i, v := range list.OnDemand {
		if err := e.addStep(v, programs[i]); err != nil {
			return nil, err
		}
	}
	e.placeOutputs()
	return e, nil
}

// compileNeeded compiles the features of on-demand view i that are needed, with those of the same view that they use.
func compileNeeded(list *fstore.FeatureList, i int, needed []string) (*Program, error) {
	v := list.OnDemand[i]
	env, err := EnvOf(&fstore.FeatureList{Uses: list.Uses, OnDemand: list.OnDemand[:i]}, v)
	if err != nil {
		return nil, err
	}
	all, err := compileView(env, v.View.Features)
	if err != nil {
		return nil, err
	}
	keep := all.closure(needed)
	if !slices.Contains(keep, false) {
		return all, nil
	}
	var features []fstore.Feature
	for j, f := range v.View.Features {
		if keep[j] {
			features = append(features, f)
		}
	}
	return compileView(env, features)
}

func compileView(env Env, features []fstore.Feature) (*Program, error) {
	p, problems := Compile(env, FeaturesOf(features))
	switch {
	case problems != nil:
		return nil, problems[0]
	case p == nil:
		return nil, fstore.Errorf(fstore.ErrDefinition, "a feature or a request column has an unknown type")
	}
	return p, nil
}

// FeaturesOf returns the features of an on-demand view as Compile takes them.
func FeaturesOf(features []fstore.Feature) []Feature {
	out := make([]Feature, len(features))
	for i, f := range features {
		out[i] = Feature{f.Name, f.Type, f.Expression, f.Default}
	}
	return out
}

// closure reports for each feature whether it is one of these or one of them uses it.
func (p *Program) closure(names []string) []bool {
	keep := make([]bool, len(p.features))
	for i, f := range slices.Backward(p.features) {
		if keep[i] = keep[i] || slices.Contains(names, f.Name); keep[i] {
			p.roots[i].markFeatures(keep)
		}
	}
	return keep
}

func (n *node) markFeatures(used []bool) {
	if n.kind == featureNode {
		used[n.index] = true
	}
	for _, a := range n.args {
		a.markFeatures(used)
	}
}

// InputOf returns the input of an on-demand view that an expression reads, and the feature of it; no feature for the event
// time. It returns nil for a request column and for at.
func InputOf(v *fstore.OnDemandVersion, read Input) (from *fstore.OnDemandInput, feature string) {
	view, feature, ok := read.View()
	i := slices.IndexFunc(v.Inputs, func(in fstore.OnDemandInput) bool { return ok && in.Name == view })
	if i < 0 {
		return nil, ""
	}
	return &v.Inputs[i], feature
}

// EnvOf returns the names that the expressions of an on-demand view may use. The list has what the view reads: its view
// versions by its key columns, and the other on-demand views. The error is ErrInvalid if the list lacks one.
func EnvOf(list *fstore.FeatureList, v *fstore.OnDemandVersion) (Env, error) {
	env := Env{NoEvents: map[string]string{}}
	for _, c := range v.View.Request {
		env.Columns = append(env.Columns, Column{c.Name, c.Type})
	}
	for _, in := range v.Inputs {
		feature, none := featuresOfInput(list, &in, &env)
		for _, name := range in.Features {
			var f *fstore.Feature
			if feature != nil {
				f = feature(name)
			}
			if f == nil {
				return env, fstore.Errorf(fstore.ErrInvalid, "%s reads %s.%s, which the list does not have", v.Ref, in.Ref, name)
			}
			env.Columns = append(env.Columns, Column{in.Name + "." + name, f.Type})
		}
		if none != "" {
			env.NoEvents[in.Name] = none
		}
	}
	return env, nil
}

// featuresOfInput returns what finds the features of an input, nil if the list does not have it, and why the input has no
// event time. It adds the input to env.Events if it has one.
func featuresOfInput(list *fstore.FeatureList, in *fstore.OnDemandInput, env *Env) (feature func(string) *fstore.Feature, none string) {
	if in.OnDemand {
		if v := list.OnDemandVersion(in.Ref); v != nil {
			feature = v.Feature
		}
		return feature, "it is an on-demand view"
	}
	use := list.Use(in.Ref, in.Keys)
	if use < 0 {
		return nil, ""
	}
	switch v := &list.Uses[use].Version.View; {
	case v.Static():
		return v.Feature, "it is a static table"
	case v.Sawtooth():
		return v.Feature, "its windows end at the clock: use at"
	default:
		env.Events = append(env.Events, in.Name)
		return v.Feature, ""
	}
}

func (e *Evaluation) addStep(v *fstore.OnDemandVersion, p *Program) error {
	s := step{version: v, program: p}
	for _, in := range p.Inputs() {
		at, err := e.place(v, in)
		if err != nil {
			return err
		}
		s.inputs = append(s.inputs, at)
	}
	e.steps = append(e.steps, s)
	return nil
}

func (e *Evaluation) place(v *fstore.OnDemandVersion, in Input) (place, error) {
	if in.Kind == AtInput {
		return place{source: fromAt}, nil
	}
	from, feature := InputOf(v, in)
	switch {
	case from == nil:
		return e.placeRequest(v, in)
	case from.OnDemand:
		i := slices.IndexFunc(e.steps, func(s step) bool { return s.version.Ref == from.Ref })
		column := slices.IndexFunc(e.steps[i].program.features, func(f Feature) bool { return f.Name == feature })
		return place{fromStep, i, column}, nil
	}
	l := Lookup{e.list.Use(from.Ref, from.Keys), feature}
	i := slices.Index(e.lookups, l)
	if i < 0 {
		i, e.lookups = len(e.lookups), append(e.lookups, l)
	}
	return place{source: fromLookup, index: i}, nil
}

func (e *Evaluation) placeRequest(v *fstore.OnDemandVersion, in Input) (place, error) {
	declared := v.View.Request[slices.IndexFunc(v.View.Request, func(c fstore.RequestColumn) bool { return c.Name == in.Name })]
	sent := e.list.Sent(in.Name)
	c := sentColumn{slices.IndexFunc(e.request, func(c fstore.RequestColumn) bool { return c.Name == sent }), in.Type, declared.Default}
	if is := e.request[c.index].Type; is != in.Type {
		return place{}, fstore.Errorf(fstore.ErrInvalid, "request column %s is %s for one on-demand view and %s for %s", sent, is, in.Type, v.Ref)
	}
	i := slices.Index(e.sent, c)
	if i < 0 {
		i, e.sent = len(e.sent), append(e.sent, c)
	}
	return place{source: fromRequest, index: i}, nil
}

func (e *Evaluation) placeOutputs() {
	lookups := 0
	for _, o := range e.list.Outputs {
		switch o := o.(type) {
		case fstore.FeatureOutput:
			e.outputs = append(e.outputs, Place{Index: lookups})
			lookups++
		case fstore.OnDemandOutput:
			column := slices.IndexFunc(e.steps[o.OnDemand].program.features, func(f Feature) bool { return f.Name == o.Feature })
			e.outputs = append(e.outputs, Place{Computed: true, Index: len(e.results)})
			e.results = append(e.results, result{o.OnDemand, column, o.As})
		}
	}
}

// Lookups returns what must be looked up: first the outputs that are features of views, in their order, and then what
// expressions read besides. A feature has its default where it is missing or null.
func (e *Evaluation) Lookups() []Lookup { return e.lookups }

// Outputs says for each output of the list where its values are.
func (e *Evaluation) Outputs() []Place { return e.outputs }

// Versions returns the on-demand views that are evaluated, each after those that it reads.
func (e *Evaluation) Versions() []fstore.ViewRef {
	var out []fstore.ViewRef
	for _, s := range e.steps {
		if len(s.program.features) > 0 {
			out = append(out, s.version.Ref)
		}
	}
	return out
}

// RequestColumns returns the columns that callers send beside the keys, in the order in which Eval takes them.
func (e *Evaluation) RequestColumns() []fstore.RequestColumn { return e.request }

// Readers returns the features, as VIEW.feature, that read request column i, which callers must send unless optional. There
// are none if the list's outputs do not need the column.
func (e *Evaluation) Readers(i int) (features []string, optional bool) {
	optional = true
	for _, s := range e.steps {
		for j, in := range s.inputs {
			if in.source != fromRequest || e.sent[in.index].index != i {
				continue
			}
			optional = optional && e.sent[in.index].replacement != nil
			for _, f := range s.program.Readers(j) {
				features = append(features, s.version.Ref.Name+"."+f)
			}
		}
	}
	return features, optional
}

// HoursOfAt returns the features, as VIEW.feature, that read the hour, minute or second of at (see Program.HoursOfAt).
func (e *Evaluation) HoursOfAt() (features []string) {
	for _, s := range e.steps {
		for _, f := range s.program.HoursOfAt() {
			features = append(features, s.version.Ref.Name+"."+f)
		}
	}
	return features
}
