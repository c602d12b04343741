package fstore

import "slices"

// ViewExpectations are those of a view and of its features.
type ViewExpectations struct {
	View     []Expectation            `json:"view,omitempty"`
	Features map[string][]Expectation `json:"features,omitempty"` // by feature
}

// Expectations are those that belong to a version of a view: its own, those of its sources, and those of the views that it
// reads and that are kept offline, which no run of their own checks; and when the drift of its features is an alarm. They can
// change while the version stays, so the registry keeps them apart from it.
type Expectations struct {
	ViewExpectations
	Sources map[string][]Expectation    `json:"sources,omitempty"` // by source
	Views   map[string]ViewExpectations `json:"views,omitempty"`   // by upstream view
	Drift   *DriftRules                 `json:"drift,omitempty"`
}

// ExpectationsOf returns the expectations of a version's definition.
func ExpectationsOf(v *ViewVersion) Expectations {
	out := Expectations{ViewExpectations: expectationsOf(&v.View), Drift: DriftRulesOf(v.View.Drift, v.View.Features)}
	for i := range v.Sources {
		if s := &v.Sources[i]; len(s.Expect) > 0 {
			put(&out.Sources, s.Name, s.Expect)
		}
	}
	for i := range v.Views {
		if up := expectationsOf(&v.Views[i]); v.Views[i].Offline && !up.Empty() {
			put(&out.Views, v.Views[i].Name, up)
		}
	}
	return out
}

func expectationsOf(v *View) ViewExpectations {
	out := ViewExpectations{View: v.Expect}
	for i := range v.Features {
		if f := &v.Features[i]; len(f.Expect) > 0 {
			put(&out.Features, f.Name, f.Expect)
		}
	}
	return out
}

// put adds to a map, which may be nil.
func put[V any](to *map[string]V, name string, value V) {
	if *to == nil {
		*to = map[string]V{}
	}
	(*to)[name] = value
}

// With returns a copy of a version that has these expectations and no others.
func (x *Expectations) With(v *ViewVersion) *ViewVersion {
	out := *v
	out.View = x.with(v.View)
	out.View.Drift, out.View.Features = x.Drift.OfView(), x.Drift.With(out.View.Features)
	out.Sources, out.Views = slices.Clone(v.Sources), slices.Clone(v.Views)
	for i := range out.Sources {
		out.Sources[i].Expect = x.Sources[out.Sources[i].Name]
	}
	for i := range out.Views {
		up := x.Views[out.Views[i].Name]
		out.Views[i] = up.with(out.Views[i])
	}
	return &out
}

func (x *ViewExpectations) with(v View) View {
	v.Expect, v.Features = x.View, slices.Clone(v.Features)
	for i := range v.Features {
		v.Features[i].Expect = x.Features[v.Features[i].Name]
	}
	return v
}

// Empty reports whether there is no expectation.
func (x *ViewExpectations) Empty() bool { return len(x.View)+len(x.Features) == 0 }

// Empty reports whether there is nothing.
func (x *Expectations) Empty() bool {
	return x.ViewExpectations.Empty() && len(x.Sources)+len(x.Views) == 0 && x.Drift == nil
}

// EventColumn is what queries of bad rows call the event time of a view's row: event, unless a key or a feature has that name.
func (v *View) EventColumn() string {
	name := "event"
	for v.Feature(name) != nil || slices.ContainsFunc(v.Keys, func(k Field) bool { return k.Name == name }) {
		name = "_" + name
	}
	return name
}
