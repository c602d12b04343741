package fstore

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Output is one column of what a feature list gives. It is a closed sum: only this package has implementations, and
// FeatureOutput is the only one today. Most code needs no more than the methods. Code that must know how a value is made
// switches on the implementation; TestSwitchesOverOutputs fails where such a switch leaves one out.
type Output interface {
	// Name is the output's name in the answer, unique in the list.
	Name() string
	// Reads returns the features that the value is made from.
	Reads() []UsedFeature

	// definition returns the output's type, default and description, given the uses of its list; nil: none has the feature.
	definition(uses []ViewUse) *Feature
	// describe says where the value comes from.
	describe(uses []ViewUse) FeatureDescription
}

// UsedFeature is a feature of a view that a list looks up.
type UsedFeature struct {
	Use     int    // index of the use in its list
	Feature string // name in the view
}

// FeatureOutput gives a feature of a view as it is.
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

// UnmarshalJSON reads outputs. The error is ErrInvalid for an output of a kind that this build does not know.
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
