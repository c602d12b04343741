package fstore

import (
	"cmp"
	"slices"
)

// OnDemandView is a named group of features that are computed for each request: expressions over what the caller sends
// and over features of views (docs/on-demand.md). Its values are never stored.
type OnDemandView struct {
	Name     string          `json:"name"`
	Request  []RequestColumn `json:"request,omitempty"` // as declared
	Uses     []FeatureRef    `json:"uses,omitempty"`    // as declared; As is the name that expressions use for the view
	Features []Feature       `json:"features"`          // as declared: a feature may use those before it
	Drift    *DriftRule      `json:"-"`                 // of its features, kept apart from the definition; nil: the defaults
	Meta
}

// RequestColumn is a column that callers send beside the keys. In training it is a column of the labels.
type RequestColumn struct {
	Name        string `json:"name"`
	Type        Type   `json:"type"`
	Default     *Value `json:"default,omitempty"` // for null, and for a caller who does not send the column; nil: it must be sent
	Description string `json:"description,omitempty"`
	Unlogged    bool   `json:"unlogged,omitempty"` // the served log does not keep it
}

// Field returns the column's name and type.
func (c RequestColumn) Field() Field { return Field{c.Name, c.Type} }

// OnDemandVersion is an immutable version of an on-demand view, with the exact versions of the views that it reads.
type OnDemandVersion struct {
	Ref         ViewRef         `json:"ref"`
	Fingerprint string          `json:"fingerprint"` // hex sha256
	View        OnDemandView    `json:"view"`
	Inputs      []OnDemandInput `json:"inputs,omitempty"` // in the order of the view's uses
}

// Feature returns the feature of a name, or nil.
func (v *OnDemandVersion) Feature(name string) *Feature { return featureOf(v.View.Features, name) }

// OnDemandInput is a view, or another on-demand view, whose features the expressions of an on-demand view may read.
type OnDemandInput struct {
	Name     string       `json:"name"` // by which expressions read it: NAME.feature
	Ref      ViewRef      `json:"ref"`  // of a view, or of an on-demand view
	OnDemand bool         `json:"on_demand,omitempty"`
	Keys     []KeyBinding `json:"keys,omitempty"` // of a view: by key name
	Features []string     `json:"features"`       // those that may be read, in declared order
}

// RequestColumns returns the columns of a request, or of labels, that the list's on-demand views read, in name order: by
// the names under which callers send them. A column has a default if no view needs it, and is logged if every view lets it be.
func (l *FeatureList) RequestColumns() []RequestColumn {
	var out []RequestColumn
	for _, v := range l.OnDemand {
		for _, c := range v.View.Request {
			c.Name = l.Sent(c.Name)
			i := slices.IndexFunc(out, func(have RequestColumn) bool { return have.Name == c.Name })
			if i < 0 {
				out = append(out, c)
				continue
			}
			if c.Default == nil {
				out[i].Default = nil
			}
			out[i].Description = cmp.Or(out[i].Description, c.Description)
			out[i].Unlogged = out[i].Unlogged || c.Unlogged
		}
	}
	slices.SortFunc(out, func(a, b RequestColumn) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Columns returns the columns of a request, or of labels, that the list reads: those of keys and those of expressions, in name
// order. One that is both has the type of the key.
func (l *FeatureList) Columns() []Field {
	out := l.KeyColumns()
	keys := len(out)
	for _, c := range l.RequestColumns() {
		if !slices.ContainsFunc(out[:keys], func(f Field) bool { return f.Name == c.Name }) {
			out = append(out, c.Field())
		}
	}
	SortFields(out)
	return out
}

// Sent returns the name under which callers send a request column.
func (l *FeatureList) Sent(column string) string { return cmp.Or(l.Request[column], column) }

// Use returns the index of the look-up of a view version by certain key columns, or -1.
func (l *FeatureList) Use(ref ViewRef, keys []KeyBinding) int {
	return slices.IndexFunc(l.Uses, func(u ViewUse) bool { return u.Version.Ref == ref && slices.Equal(u.Keys, keys) })
}

// OnDemandVersion returns the version that a reference names, or nil.
func (l *FeatureList) OnDemandVersion(ref ViewRef) *OnDemandVersion {
	i := slices.IndexFunc(l.OnDemand, func(v *OnDemandVersion) bool { return v.Ref == ref })
	if i < 0 {
		return nil
	}
	return l.OnDemand[i]
}
