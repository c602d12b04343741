package definition

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// features is what a reference names: some features of a view, or of an on-demand view.
type features struct {
	view     *view
	onDemand *onDemandView
	features []string // in declared order
}

// featuresOf finds the features that a reference at a place names. in is what the reference is part of. It returns nil for
// a reference that is wrong, and reports it.
func (c *checker) featuresOf(at Text, ref fstore.FeatureRef, in string) *features {
	v, o := c.views[ref.View], c.onDemand[ref.View]
	if v != nil {
		o = nil // that both have the name is reported
	}
	var kind string
	var all []fstore.Feature
	switch {
	case v == nil && o == nil && c.sources[ref.View] != nil:
		c.problems.add(at.Pos, "name a feature_view that reads it", "%s is a source, not a feature_view", ref.View)
		return nil
	case v == nil && o == nil:
		c.problems.add(at.Pos, c.suggest(ref.View, maps.Keys(c.views), maps.Keys(c.onDemand)), "there is no feature_view or on_demand_view %q", ref.View)
		return nil
	case o != nil:
		kind, all = "on_demand_view", o.def.View.Features
	case v.def.Offline:
		c.problems.add(at.Pos, "remove online: false from the view, or the view from "+in, "feature_view %s has online: false", ref.View)
		return nil
	default:
		kind, all = "feature_view", v.def.Features
	}
	of := &fstore.View{Features: all}
	switch {
	case ref.Feature == "*":
		return &features{v, o, of.FeatureNames()}
	case of.Feature(ref.Feature) == nil:
		c.problems.add(at.Pos, of.FeatureHint(ref.Feature), "%s %s has no feature %q", kind, ref.View, ref.Feature)
		return nil
	}
	return &features{v, o, []string{ref.Feature}}
}

// hasKeys reports keys beside a reference to an on-demand view.
func (c *checker) hasKeys(at Text, keys []Pair) bool {
	if keys == nil {
		return false
	}
	pos := at.Pos
	if len(keys) > 0 {
		pos = keys[0].Key.Pos
	}
	view, _, _ := strings.Cut(at.Value, ".")
	c.problems.add(pos, "state them in its uses", "on_demand_view %s has no keys of its own", view)
	return true
}

// columns are the columns that labels and requests must have, by name.
type columns map[string]labelColumn

type labelColumn struct {
	typ     fstore.Type
	of      string // the view
	request bool   // of an on-demand view; otherwise it is a key of a view
}

// what names the column for messages.
func (l labelColumn) what() string {
	if l.request {
		return "request column of " + l.of
	}
	return "key column of " + l.of
}

func (l labelColumn) typed() string {
	if l.request {
		return fmt.Sprintf("the %s request column of %s", l.typ, l.of)
	}
	return fmt.Sprintf("the %s key of %s", l.typ, l.of)
}

// keyColumns reads the mapping from the join keys of a view to columns, and adds the columns.
func (c *checker) keyColumns(at Text, mapping []Pair, v *view, into columns) (map[string]string, bool) {
	var keys map[string]string
	for _, p := range mapping {
		if !slices.ContainsFunc(v.def.Keys, func(k fstore.Field) bool { return k.Name == p.Key.Value }) {
			names := make([]string, len(v.def.Keys))
			for i, k := range v.def.Keys {
				names[i] = k.Name
			}
			c.problems.add(p.Key.Pos, fstore.DidYouMean(p.Key.Value, names), "feature_view %s has no join key %q", v.def.Name, p.Key.Value)
			return nil, false
		}
		if p.Value.Value != "" && p.Value.Value != p.Key.Value {
			if keys == nil {
				keys = map[string]string{}
			}
			keys[p.Key.Value] = p.Value.Value
		}
	}
	return keys, c.joinKeys(at, v.def.Name, bind(v.def.Keys, keys), into, "")
}

// joinKeys adds the columns that hold the join keys of a view. It returns false, and reports it, if one has two types. hint
// says how to name another column; by default, beside the reference.
func (c *checker) joinKeys(at Text, view string, keys []fstore.KeyBinding, into columns, hint string) bool {
	for _, k := range keys {
		is := labelColumn{typ: k.Key.Type, of: view}
		have, seen := into[k.Column]
		if seen && have.typ != is.typ && have.typ != fstore.Invalid {
			hint = cmp.Or(hint, fmt.Sprintf("keys: {%s: %s_of_%s}", k.Key.Name, k.Key.Name, view))
			c.problems.add(at.Pos, hint, "column %s is %s and %s", k.Column, have.typed(), is.typed())
			return false
		}
		if !seen {
			into[k.Column] = is
		}
	}
	return true
}

func bound(keys map[string]string, key string) string {
	if col, ok := keys[key]; ok {
		return col
	}
	return key
}

func bind(keys []fstore.Field, columns map[string]string) []fstore.KeyBinding {
	out := make([]fstore.KeyBinding, len(keys))
	for i, k := range keys {
		out[i] = fstore.KeyBinding{Key: k, Column: bound(columns, k.Name)}
	}
	return out
}

// parseFeatureRef reads view.feature or view.* from a definition of a kind.
func parseFeatureRef(s, kind string) (fstore.FeatureRef, error) {
	viewName, feature, found := strings.Cut(s, ".")
	if strings.Contains(viewName, "@") {
		return fstore.FeatureRef{}, fstore.Errorf(fstore.ErrDefinition, "%q names a version", s).WithHint("name the view alone: %s uses the versions at head, and its own versions pin them", kind)
	}
	if !found || feature == "" || fstore.CheckName(viewName) != nil || feature != "*" && fstore.CheckName(feature) != nil {
		return fstore.FeatureRef{}, fstore.Errorf(fstore.ErrDefinition, "%q is not a reference to a feature", s).WithHint("write view.feature, or view.* for every feature of a view")
	}
	return fstore.FeatureRef{View: viewName, Feature: feature}, nil
}
