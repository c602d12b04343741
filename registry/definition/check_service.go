package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

func (c *checker) checkServices() {
	places := map[string]fstore.Pos{}
	for i := range c.repo.Services {
		spec := &c.repo.Services[i]
		if !c.name(spec.Name) || c.isDuplicate("feature_service", spec.Name, places) {
			continue
		}
		if spec.Features != nil && len(spec.Features) == 0 {
			c.problems.add(spec.Pos, "features: [view.*]", "feature_service %s has no features", spec.Name.Value)
		}
		b := &serviceBuilder{c: c, names: map[string]Text{}, columns: map[string]labelColumn{}}
		b.out.Ref.Name = spec.Name.Value
		b.out.Service = fstore.Service{Name: spec.Name.Value, Meta: meta(spec.MetaSpec)}
		for _, ref := range spec.Features {
			b.add(ref)
		}
		for name, t := range b.names {
			if col, ok := b.columns[name]; ok {
				c.problems.add(t.Pos, fmt.Sprintf("{ref: %s, as: %s_value}", t.Value, name), "output %s has the name of the key column of %s", name, col.view)
			}
		}
		c.services = append(c.services, b.out)
	}
}

// serviceBuilder resolves the entries of one service.
type serviceBuilder struct {
	c       *checker
	out     ServiceVersion
	names   map[string]Text        // output name → the ref that yields it
	columns map[string]labelColumn // columns that labels and requests must have
}

type labelColumn struct {
	typ  fstore.Type
	view string
}

func (b *serviceBuilder) add(spec RefSpec) {
	c := b.c
	if !spec.Ref.given() || spec.Ref.Value == "" {
		return
	}
	ref, err := parseFeatureRef(spec.Ref.Value)
	if err != nil {
		c.problems.addError(spec.Ref.Pos, err)
		return
	}
	v := c.views[ref.View]
	switch {
	case v == nil:
		c.problems.add(spec.Ref.Pos, c.suggest(ref.View, maps.Keys(c.views)), "unknown feature_view %q", ref.View)
		return
	case v.def.Offline:
		c.problems.add(spec.Ref.Pos, "remove online: false from the view, or the view from the service", "feature_view %s has online: false", ref.View)
		return
	}
	features := v.def.Features
	if ref.Feature != "*" {
		f := v.def.Feature(ref.Feature)
		if f == nil {
			c.problems.add(spec.Ref.Pos, v.def.FeatureHint(ref.Feature), "feature_view %s has no feature %q", ref.View, ref.Feature)
			return
		}
		features = []fstore.Feature{*f}
	}
	ref.As, ref.Prefix = spec.As.Value, spec.Prefix.Value
	if ref.Feature == "*" && spec.As.given() {
		c.problems.add(spec.As.Pos, "prefix: …, or name the features one by one", "as names a single feature, not %s", spec.Ref.Value)
		return
	}
	var ok bool
	if ref.Keys, ok = b.keyColumns(spec, v); !ok {
		return
	}
	use := b.use(v, ref.Keys)
	b.out.Service.Features = append(b.out.Service.Features, ref)
	for _, f := range features {
		b.output(spec, ref, f.Name, use)
	}
}

// keyColumns reads the mapping from join keys to columns.
func (b *serviceBuilder) keyColumns(spec RefSpec, v *view) (map[string]string, bool) {
	var keys map[string]string
	for _, p := range spec.Keys {
		if !slices.ContainsFunc(v.def.Keys, func(k fstore.Field) bool { return k.Name == p.Key.Value }) {
			names := make([]string, len(v.def.Keys))
			for i, k := range v.def.Keys {
				names[i] = k.Name
			}
			b.c.problems.add(p.Key.Pos, fstore.DidYouMean(p.Key.Value, names), "feature_view %s has no join key %q", v.def.Name, p.Key.Value)
			return nil, false
		}
		if p.Value.Value != "" && p.Value.Value != p.Key.Value {
			if keys == nil {
				keys = map[string]string{}
			}
			keys[p.Key.Value] = p.Value.Value
		}
	}
	for _, k := range v.def.Keys {
		name := bound(keys, k.Name)
		have, seen := b.columns[name]
		if seen && have.typ != k.Type {
			b.c.problems.add(spec.Ref.Pos, fmt.Sprintf("keys: {%s: %s_of_%s}", k.Name, k.Name, v.def.Name),
				"column %s is the %s key of %s and the %s key of %s", name, have.typ, have.view, k.Type, v.def.Name)
			return nil, false
		}
		b.columns[name] = labelColumn{k.Type, v.def.Name}
	}
	return keys, true
}

func bound(keys map[string]string, key string) string {
	if col, ok := keys[key]; ok {
		return col
	}
	return key
}

// use returns the index of the view's look-up by these key columns and adds the look-up if it is new.
func (b *serviceBuilder) use(v *view, keys map[string]string) int {
	bindings := bind(v.def.Keys, keys)
	for i, u := range b.out.Uses {
		if u.View.Name == v.def.Name && slices.Equal(u.Keys, bindings) {
			return i
		}
	}
	b.out.Uses = append(b.out.Uses, ServiceUse{View: fstore.ViewRef{Name: v.def.Name}, Keys: bindings})
	return len(b.out.Uses) - 1
}

func bind(keys []fstore.Field, columns map[string]string) []fstore.KeyBinding {
	out := make([]fstore.KeyBinding, len(keys))
	for i, k := range keys {
		out[i] = fstore.KeyBinding{Key: k, Column: bound(columns, k.Name)}
	}
	return out
}

func (b *serviceBuilder) output(spec RefSpec, ref fstore.FeatureRef, feature string, use int) {
	name := feature
	if ref.As != "" {
		name = ref.As
	}
	name = ref.Prefix + name
	pos, full := spec.Ref.Pos, ref.View+"."+feature
	if err := fstore.CheckName(name); err != nil {
		if spec.As.given() {
			pos = spec.As.Pos
		} else if spec.Prefix.given() {
			pos = spec.Prefix.Pos
		}
		b.c.problems.addError(pos, err)
		return
	}
	if first, clash := b.names[name]; clash {
		fix := fmt.Sprintf("{ref: %s, as: %s_%s}", full, ref.View, feature)
		if ref.Feature == "*" {
			fix = fmt.Sprintf("{ref: %s.*, prefix: %s_}", ref.View, ref.View)
		}
		b.c.problems.add(pos, fix, "two features are named %s: %s and %s", name, first.Value, full)
		return
	}
	b.names[name] = Text{Value: full, Pos: pos}
	b.out.Outputs = append(b.out.Outputs, fstore.FeatureOutput{As: name, Use: use, Feature: feature})
}

// parseFeatureRef reads view.feature or view.* from a service.
func parseFeatureRef(s string) (fstore.FeatureRef, error) {
	viewName, feature, found := strings.Cut(s, ".")
	if strings.Contains(viewName, "@") {
		return fstore.FeatureRef{}, fstore.Errorf(fstore.ErrDefinition, "%q names a version", s).WithHint("name the view alone: a feature_service uses the versions at head, and its own versions pin them")
	}
	if !found || feature == "" || fstore.CheckName(viewName) != nil || feature != "*" && fstore.CheckName(feature) != nil {
		return fstore.FeatureRef{}, fstore.Errorf(fstore.ErrDefinition, "%q is not a reference to a feature", s).WithHint("write view.feature, or view.* for every feature of a view")
	}
	return fstore.FeatureRef{View: viewName, Feature: feature}, nil
}
