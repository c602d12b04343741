package fstore

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Output is one output column of a feature list. It is a closed sum type: only this package implements it. Most code
// needs only the methods. Code that depends on how a value is made switches on the implementation;
// TestSwitchesOverOutputs fails if such a switch omits one.
type Output interface {
	// Name is the output's name in the answer, unique in the list.
	Name() string

	// definition returns the output's type, default and description in a list, or nil if there is no such feature.
	definition(l *FeatureList) *Feature
	// describe says where the value comes from.
	describe(l *FeatureList) FeatureDescription
}

// FeatureOutput is a feature of a view, unchanged.
type FeatureOutput struct {
	As      string `json:"name"`    // output name
	Use     int    `json:"use"`     // index into the uses of its list
	Feature string `json:"feature"` // name in the view
}

// Name is the output's name in the answer.
func (o FeatureOutput) Name() string { return o.As }

func (o FeatureOutput) definition(l *FeatureList) *Feature {
	if v := l.Uses[o.Use].Version; v != nil {
		return v.View.Feature(o.Feature)
	}
	return nil
}

func (o FeatureOutput) describe(l *FeatureList) FeatureDescription {
	return describeFeature(o.As, o.definition(l), l.Uses[o.Use].Version.Ref)
}

// OnDemandOutput is a feature of an on-demand view.
type OnDemandOutput struct {
	As       string `json:"name"`      // output name
	OnDemand int    `json:"on_demand"` // index into the on-demand views of its list
	Feature  string `json:"feature"`   // name in the view
}

// Name is the output's name in the answer.
func (o OnDemandOutput) Name() string { return o.As }

func (o OnDemandOutput) definition(l *FeatureList) *Feature {
	if v := l.OnDemand[o.OnDemand]; v != nil {
		return v.Feature(o.Feature)
	}
	return nil
}

func (o OnDemandOutput) describe(l *FeatureList) FeatureDescription {
	return describeFeature(o.As, o.definition(l), l.OnDemand[o.OnDemand].Ref)
}

func describeFeature(as string, f *Feature, view ViewRef) FeatureDescription {
	return FeatureDescription{Name: as, Type: f.Type, View: view, Feature: f.Name, Description: f.Description}
}

// Outputs is an ordered list of outputs. In JSON an output is an object whose keys tell its kind.
type Outputs []Output

// UnmarshalJSON reads outputs. It returns ErrInvalid for an output of an unknown kind.
func (o *Outputs) UnmarshalJSON(b []byte) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(b, &elements); err != nil || elements == nil {
		*o = nil
		return err
	}
	*o = make(Outputs, 0, len(elements))
	for i, raw := range elements {
		out, err := decodeOutput(raw)
		if err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		*o = append(*o, out)
	}
	return nil
}

func decodeOutput(raw json.RawMessage) (Output, error) {
	var kind struct {
		OnDemand *int   `json:"on_demand"`
		Feature  string `json:"feature"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil, err
	}
	switch {
	case kind.Feature == "":
		return nil, Errorf(ErrInvalid, "%.200s is not a feature of a view: a newer fstore may have written it", bytes.TrimSpace(raw))
	case kind.OnDemand != nil:
		var o OnDemandOutput
		err := json.Unmarshal(raw, &o)
		return o, err
	}
	var o FeatureOutput
	err := json.Unmarshal(raw, &o)
	return o, err
}
