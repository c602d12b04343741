package fstore

import "slices"

// Description says what a list of features needs and returns.
type Description struct {
	KeyColumns []Field              `json:"key_columns"`               // the columns that labels and requests must have, by name
	Request    []RequestColumn      `json:"request_columns,omitempty"` // for on-demand features, the columns that are not key columns too; those without a default must be there
	Features   []FeatureDescription `json:"features"`                  // in the list's order
}

// FeatureDescription is a feature of a list: its output name and type, and where it comes from.
type FeatureDescription struct {
	Name        string  `json:"name"`
	Type        Type    `json:"type"`
	View        ViewRef `json:"view"`
	Feature     string  `json:"feature"` // its name in the view
	Description string  `json:"description,omitempty"`
}

// Describe returns what the list needs and returns.
func (l *FeatureList) Describe() *Description {
	d := &Description{KeyColumns: l.KeyColumns(), Features: make([]FeatureDescription, len(l.Outputs))}
	d.Request = slices.DeleteFunc(l.RequestColumns(), func(c RequestColumn) bool {
		return slices.ContainsFunc(d.KeyColumns, func(k Field) bool { return k.Name == c.Name })
	})
	for i, o := range l.Outputs {
		d.Features[i] = o.describe(l)
	}
	return d
}
