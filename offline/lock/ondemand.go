package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
	"github.com/fstore-dev/fstore/sqltype"
)

// Request is a request column and the label column that gave it.
type Request struct {
	Name   string      `json:"name" doc:"Name that the on-demand views declare."`
	Type   fstore.Type `json:"type" doc:"Its type."`
	Column string      `json:"column" doc:"Column of the labels; when the model is served, the name under which callers send it."`
	Absent bool        `json:"absent,omitempty" doc:"Whether the labels had no such column: it has a default, or no feature reads it."`
}

// Fault counts the labels for which an operator or function of an on-demand feature had no result for a reason, although it
// had its operands.
type Fault struct {
	View     fstore.ViewRef `json:"view" doc:"The on-demand view version."`
	Feature  string         `json:"feature" doc:"Name of the feature in the view."`
	Reason   string         `json:"reason" doc:"What went wrong, such as division by zero."`
	Rows     int64          `json:"rows" doc:"Number of labels."`
	FirstRow int64          `json:"first_row" doc:"The first of these labels, from 1."`
}

// Requests returns the request columns that a list's on-demand views declare, by name. Those for which absent returns true
// are not among the labels.
func Requests(list *fstore.FeatureList, absent func(column string) bool) []Request {
	var out []Request
	for _, v := range list.OnDemand {
		for _, c := range v.View.Request {
			r := Request{Name: c.Name, Type: c.Type, Column: list.Sent(c.Name)}
			if r.Absent = absent(r.Column); !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	slices.SortFunc(out, func(a, b Request) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type)) })
	return out
}

// onDemand returns the index of an on-demand view version, or -1.
func (l *Lock) onDemand(ref fstore.ViewRef) int {
	return slices.IndexFunc(l.OnDemand, func(v *fstore.OnDemandVersion) bool { return v.Ref == ref })
}

// checkOnDemandFeature returns an error unless an on-demand view of the lock has the feature.
func (l *Lock) checkOnDemandFeature(f *Feature) error {
	i := l.onDemand(f.View)
	if i < 0 {
		return fmt.Errorf("feature %s: it has no use, and there is no on-demand view %s", f.Name, f.View)
	}
	if in := l.OnDemand[i].Feature(f.Feature); in == nil || in.Type != f.Type {
		return fmt.Errorf("feature %s: %s has no feature %s of type %s", f.Name, f.View, f.Feature, f.Type)
	}
	return nil
}

// checkOnDemand returns an error unless every on-demand view version occurs once and its parts have names and types.
func (l *Lock) checkOnDemand() error {
	if i := slices.Index(l.OnDemand, nil); i >= 0 {
		return fmt.Errorf("on_demand: %d is null", i)
	}
	for i, v := range l.OnDemand {
		switch {
		case l.onDemand(v.Ref) != i || l.View(v.Ref) != nil:
			return fmt.Errorf("on_demand: %s is there twice", v.Ref)
		case v.Ref.Name != v.View.Name || v.Ref.Version < 1:
			return fmt.Errorf("on_demand: %s is called %s in its definition", v.Ref, v.View.Name)
		}
		if err := checkParts(v); err != nil {
			return fmt.Errorf("on-demand view %s: %w", v.Ref, err)
		}
	}
	if (len(l.OnDemand) > 0) != (l.Build.Zones != "" && l.Build.Unicode != "") {
		return fmt.Errorf("build: zones is %q and unicode %q, with %d on-demand views", l.Build.Zones, l.Build.Unicode, len(l.OnDemand))
	}
	return nil
}

// checkParts returns an error unless the request columns, inputs and features of an on-demand view have names, no two of a
// kind the same, and defaults of their types.
func checkParts(v *fstore.OnDemandVersion) error {
	seen := map[string]bool{}
	check := func(kind, name string, t fstore.Type, byDefault *fstore.Value) error {
		if err := fstore.CheckName(name); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		switch {
		case seen[kind+name]:
			return fmt.Errorf("%s %s is there twice", kind, name)
		case byDefault != nil && (byDefault.Type != t || byDefault.Len != 1 || byDefault.IsNull(0)):
			return fmt.Errorf("%s %s: its default is not %s", kind, name, t.WithArticle())
		}
		seen[kind+name] = true
		return nil
	}
	for _, c := range v.View.Request {
		if err := check("request column", c.Name, c.Type, c.Default); err != nil {
			return err
		}
	}
	for _, in := range v.Inputs {
		if err := check("input", in.Name, fstore.Invalid, nil); err != nil {
			return err
		}
	}
	for _, f := range v.View.Features {
		if err := check("feature", f.Name, f.Type, f.Default); err != nil {
			return err
		}
	}
	return nil
}

// checkRequest returns an error unless the expressions compile over what the lock has, and its request columns are those of
// the on-demand views, with the label columns that they need.
func (l *Lock) checkRequest() error {
	list := l.List()
	evaluation, err := ondemand.NewEvaluation(list)
	if err != nil {
		return fmt.Errorf("on_demand: %w", err)
	}
	labels := l.labelColumns()
	column := func(name string) *Column {
		i := slices.IndexFunc(labels, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return nil
		}
		return &labels[i]
	}
	if want := Requests(list, func(name string) bool { return column(name) == nil }); !slices.Equal(l.Request, want) {
		return fmt.Errorf("request: it has %v, and by the on-demand views and the labels it is %v", l.Request, want)
	}
	for i, r := range evaluation.RequestColumns() {
		readers, optional := evaluation.Readers(i)
		switch c := column(r.Name); {
		case readers == nil:
		case c == nil && !optional && l.Computed():
			return fmt.Errorf("request: the output has no column %s of labels, which %s needs", r.Name, readers[0])
		case c != nil && c.Statistics.Count > 0 && !sqltype.Parse(c.Type).Converts(r.Type):
			return fmt.Errorf("request: column %s of the labels is %s, and the request column is %s", r.Name, c.Type, r.Type)
		}
	}
	return l.checkFaults()
}

// checkFaults returns an error unless each fault is of a feature that the lock has, in rows that it has.
func (l *Lock) checkFaults() error {
	for _, f := range l.Faults {
		i := l.onDemand(f.View)
		if i < 0 || l.OnDemand[i].Feature(f.Feature) == nil {
			return fmt.Errorf("faults: there is no on-demand feature %s.%s", f.View, f.Feature)
		}
		if f.Rows < 1 || f.Rows > l.Output.Rows || f.FirstRow < 1 || f.FirstRow > l.Labels.Rows {
			return fmt.Errorf("faults: %s.%s has %d, the first in row %d of %d", f.View, f.Feature, f.Rows, f.FirstRow, l.Labels.Rows)
		}
	}
	return nil
}

// RequestText names the request columns with the label columns that gave them, such as "price = amount, tax (absent)".
func (l *Lock) RequestText() string {
	var out []string
	for _, r := range l.Request {
		text := r.Name
		if r.Column != r.Name {
			text += " = " + r.Column
		}
		if r.Absent {
			text += " (absent)"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// MovedWith returns which data of on-demand features another build has: "time zone data 2024a then, 2025c now". It returns the
// names of the features whose values may differ for that reason.
func (l *Lock) MovedWith(now *Build) (data string, features []string) {
	evaluation, err := ondemand.NewEvaluation(l.List())
	if err != nil {
		return "", nil
	}
	var moved ondemand.Data
	var said []string
	for _, d := range []struct {
		data      ondemand.Data
		name      string
		then, now string
	}{{ondemand.ZoneData, "time zone data", l.Build.Zones, now.Zones}, {ondemand.UnicodeData, "Unicode", l.Build.Unicode, now.Unicode}} {
		if d.then != d.now {
			moved, said = moved|d.data, append(said, d.name+" "+d.then+" then, "+d.now+" now")
		}
	}
	for name, d := range evaluation.Data() {
		if d&moved != 0 {
			features = append(features, name)
		}
	}
	return strings.Join(said, "; "), features
}
