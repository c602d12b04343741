package definition

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// Versions finds the versions that on-demand views and services read. Each function returns nil for a version that is not
// there.
type Versions struct {
	View     func(fstore.ViewRef) *fstore.ViewVersion
	OnDemand func(fstore.ViewRef) *fstore.OnDemandVersion
}

func (in Versions) viewPrint(ref fstore.ViewRef) string {
	if v := in.View(ref); v != nil {
		return v.Fingerprint
	}
	return ""
}

func (in Versions) onDemandPrint(ref fstore.ViewRef) string {
	if v := in.OnDemand(ref); v != nil {
		return v.Fingerprint
	}
	return ""
}

// list returns what an on-demand view reads, as its expressions are compiled over it.
func (in Versions) list(v *fstore.OnDemandVersion) *fstore.FeatureList {
	l := &fstore.FeatureList{}
	for i := range v.Inputs {
		from := &v.Inputs[i]
		if from.OnDemand {
			if up := in.OnDemand(from.Ref); up != nil {
				l.OnDemand = append(l.OnDemand, up)
			}
		} else if up := in.View(from.Ref); up != nil {
			l.Uses = append(l.Uses, fstore.ViewUse{Version: up, Keys: from.Keys})
		}
	}
	return l
}

// onDemandPrint encodes an on-demand view: everything that can change one of its values, and nothing else.
type onDemandPrint struct {
	Algorithm string                 `json:"algorithm"`
	Request   []fstore.RequestColumn `json:"request,omitempty"` // by name, without descriptions and what is logged
	Features  []computedPrint        `json:"features"`          // by name
}

type computedPrint struct {
	Name       string        `json:"name"`
	Type       fstore.Type   `json:"type"`
	Expression string        `json:"expression"` // its meaning, which names inputs by readPrint
	Default    *fstore.Value `json:"default,omitempty"`
}

// readPrint encodes what an expression reads of a view or of another on-demand view. The names of both do not count.
type readPrint struct {
	View     string              `json:"view,omitempty"`      // fingerprint, or
	OnDemand string              `json:"on_demand,omitempty"` // fingerprint
	Feature  string              `json:"feature,omitempty"`   // absent: the event time
	Keys     []fstore.KeyBinding `json:"keys,omitempty"`
}

// OnDemandFingerprint computes the fingerprint of an on-demand view over the exact versions that it reads. The error is
// ErrInvalid if one of them is not there, and ErrDefinition if an expression does not compile over them.
func OnDemandFingerprint(v *fstore.OnDemandVersion, in Versions) (string, error) {
	program, err := compile(v, in)
	if err != nil {
		return "", err
	}
	names := make([]string, len(program.Inputs()))
	for i, read := range program.Inputs() {
		names[i] = inputName(v, read, in)
	}
	print := onDemandPrint{Algorithm: Algorithm}
	for _, c := range v.View.Request {
		c.Description, c.Unlogged = "", false
		print.Request = append(print.Request, c)
	}
	slices.SortFunc(print.Request, func(a, b fstore.RequestColumn) int { return cmp.Compare(a.Name, b.Name) })
	for i, f := range v.View.Features {
		print.Features = append(print.Features, computedPrint{f.Name, f.Type, program.CanonicalOver(i, names), f.Default})
	}
	slices.SortFunc(print.Features, func(a, b computedPrint) int { return cmp.Compare(a.Name, b.Name) })
	return digest(print)
}

// inputName returns what an input of an expression stands for. Request columns and at stand for themselves.
func inputName(v *fstore.OnDemandVersion, read ondemand.Input, in Versions) string {
	from, feature := ondemand.InputOf(v, read)
	if from == nil {
		return read.Name
	}
	print := readPrint{Feature: feature, Keys: from.Keys}
	if from.OnDemand {
		print.OnDemand = in.onDemandPrint(from.Ref)
	} else {
		print.View = in.viewPrint(from.Ref)
	}
	b, _ := json.Marshal(print) // strings and types of a checked definition always encode
	return string(b)
}

// FirstOnDemandMismatch is FirstMismatch for on-demand versions, with the versions that they read.
func FirstOnDemandMismatch(versions []*fstore.OnDemandVersion, in Versions) (*fstore.OnDemandVersion, error) {
	for _, v := range versions {
		print, err := OnDemandFingerprint(v, in)
		if err != nil {
			return nil, fmt.Errorf("on-demand view %s: %w", v.Ref, err)
		}
		if print != v.Fingerprint {
			return v, nil
		}
	}
	return nil, nil
}
