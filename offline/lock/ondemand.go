package lock

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
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
