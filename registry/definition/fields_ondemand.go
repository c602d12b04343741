package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// OnDemandFields lists the fields of a version of an on-demand view, whose expressions are compared over what it reads. It
// returns nil for nil.
func OnDemandFields(v *fstore.OnDemandVersion, in Versions) Fields {
	if v == nil {
		return nil
	}
	var l Fields
	for _, c := range v.View.Request {
		l.request(c)
	}
	for i := range v.Inputs {
		l.use(&v.Inputs[i])
	}
	meanings := meaningsOf(v, in)
	for i, f := range v.View.Features {
		const added, gone = "the view has one more feature", "the view no longer has the feature"
		l.part("features."+f.Name+".type", f.Type.String(), "the feature has another type", added, gone)
		l.add(field{
			path: "features." + f.Name + ".expression", value: f.Expression, meaning: meanings[i], counts: true,
			why: "the feature is computed in another way", as: asMeaning, added: added, gone: gone,
		})
		if f.Default != nil {
			l.counts("features."+f.Name+".default", string(f.Default.AppendJSON(nil, 0)), "it replaces null")
		}
		l.drift("features."+f.Name+".", f.Drift)
		l.meta("features."+f.Name+".", f.Meta)
	}
	names := (&fstore.View{Features: v.View.Features}).FeatureNames()
	l.add(field{path: "features order", value: strings.Join(names, ", "), why: "features are found by name", as: asOrder})
	l.drift("", v.View.Drift)
	l.meta("", v.View.Meta)
	return l
}

func (l *Fields) request(c fstore.RequestColumn) {
	const added, gone = "callers send one more column", "callers no longer send the column"
	l.part("request."+c.Name+".type", c.Type.String(), "the request column has another type", added, gone)
	if c.Default != nil {
		l.counts("request."+c.Name+".default", string(c.Default.AppendJSON(nil, 0)), "it replaces null, and callers need not send the column")
	}
	if c.Unlogged {
		l.silent("request."+c.Name+".log", "false", "it decides what the served log keeps, of all versions")
	}
	l.silent("request."+c.Name+".description", c.Description, forPeople)
}

// use lists what an on-demand view reads: a view by key columns, whose name in expressions does not count.
func (l *Fields) use(in *fstore.OnDemandInput) {
	path := "uses." + in.Ref.Name + byColumns(in.Keys)
	if !slices.ContainsFunc(*l, func(f field) bool { return f.path == path }) {
		l.part(path, in.Ref.String(), "the view reads another version", "the view reads one more view, or by other keys", "the view no longer reads it")
	}
	if in.Name != in.Ref.Name {
		l.silent(path+".as", in.Name, "it is a name in expressions")
	}
}

// byColumns says which columns hold keys, if their names differ.
func byColumns(keys []fstore.KeyBinding) string {
	text := ""
	for _, k := range keys {
		if k.Column != k.Key.Name {
			text += fmt.Sprintf(" by %s = %s", k.Key.Name, k.Column)
		}
	}
	return text
}

// meaningsOf returns the meanings of the features' expressions. They name views and not versions: those are fields of their
// own. An expression that does not compile means its text.
func meaningsOf(v *fstore.OnDemandVersion, in Versions) []string {
	out := make([]string, len(v.View.Features))
	program, err := compile(v, in)
	if err != nil {
		for i, f := range v.View.Features {
			out[i] = f.Expression
		}
		return out
	}
	names := make([]string, len(program.Inputs()))
	for i, read := range program.Inputs() {
		names[i] = read.Name
		if from, feature := ondemand.InputOf(v, read); from != nil {
			names[i] = from.Ref.Name + "." + feature + byColumns(from.Keys)
		}
	}
	for i := range out {
		out[i] = program.CanonicalOver(i, names)
	}
	return out
}

// compile compiles the expressions of an on-demand view over the versions that it reads.
func compile(v *fstore.OnDemandVersion, in Versions) (*ondemand.Program, error) {
	env, err := ondemand.EnvOf(in.list(v), v)
	if err != nil {
		return nil, err
	}
	program, problems := ondemand.Compile(env, ondemand.FeaturesOf(v.View.Features))
	switch {
	case problems != nil:
		return nil, problems[0]
	case program == nil:
		return nil, fstore.Errorf(fstore.ErrDefinition, "%s has a feature or a request column of an unknown type", v.Ref)
	}
	return program, nil
}

// requestMapping lists the names under which callers of a service send request columns.
func (l *Fields) requestMapping(mapping map[string]string) {
	for _, column := range slices.Sorted(maps.Keys(mapping)) {
		l.counts("request."+column, mapping[column], "callers send the column under another name")
	}
}
