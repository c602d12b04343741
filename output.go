package fstore

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Output is one output column of a feature list. It is a closed sum type: only this package implements it, and
// FeatureOutput is the only implementation today. Most code needs only the methods. Code that depends on how a value
// is made switches on the implementation; TestSwitchesOverOutputs fails if such a switch omits one.
type Output interface {
	// Name is the output's name in the answer, unique in the list.
	Name() string
	// Reads returns the features from which the value is made.
	Reads() []UsedFeature

	// definition returns the output's type, default and description, given the uses of its list, or nil if there is
	// no such feature.
	definition(uses []ViewUse) *Feature
	// describe says where the value comes from.
	describe(uses []ViewUse) FeatureDescription
}

// UsedFeature is a feature of a view that a list looks up.
type UsedFeature struct {
	Use     int    // index of the use in its list
	Feature string // name in the view
}

// FeatureOutput is a feature of a view, unchanged.
type FeatureOutput struct {
	As      string `json:"name"`    // output name
	Use     int    `json:"use"`     // index into the uses of its list
	Feature string `json:"feature"` // name in the view
}

// Name is the output's name in the answer.
func (o FeatureOutput) Name() string { return o.As }

// Reads returns the feature that the output gives.
func (o FeatureOutput) Reads() []UsedFeature { return []UsedFeature{{o.Use, o.Feature}} }

func (o FeatureOutput) definition(uses []ViewUse) *Feature {
	if v := uses[o.Use].Version; v != nil {
		return v.View.Feature(o.Feature)
	}
	return nil
}

func (o FeatureOutput) describe(uses []ViewUse) FeatureDescription {
	f := o.definition(uses)
	return FeatureDescription{
		Name: o.As, Type: f.Type, View: uses[o.Use].Version.Ref, Feature: o.Feature, Description: f.Description,
	}
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
	var f FeatureOutput
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, err
	}
	if f.Feature == "" {
		return nil, Errorf(ErrInvalid, "%.200s is not a feature of a view: a newer fstore may have written it", bytes.TrimSpace(raw))
	}
	return f, nil
}
