package fstore

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// DriftCheck names a score of drift. docs/drift.md has the formulas.
type DriftCheck string

// The scores.
const (
	DriftNullRate    DriftCheck = "null_rate"    // absolute change of the share of rows that are null or NaN
	DriftUnseen      DriftCheck = "unseen"       // share of values that the reference does not have: categories, or numbers between its at most 5
	DriftOutOfRange  DriftCheck = "out_of_range" // share of values below the reference's least or above its greatest
	DriftWasserstein DriftCheck = "wasserstein"  // Wasserstein-1 distance in standard deviations of the reference
	DriftPSI         DriftCheck = "psi"          // population stability index
	DriftJS          DriftCheck = "js"           // Jensen-Shannon distance, base 2: 0 to 1
	DriftKS          DriftCheck = "ks"           // Kolmogorov-Smirnov statistic: 0 to 1
	DriftCosine      DriftCheck = "cosine"       // Wasserstein-1 distance of the cosines of lists to the reference's centroid, in their standard deviations
)

// DriftChecks returns the names of all scores, in the order in which a comparison has them.
func DriftChecks() []DriftCheck {
	return []DriftCheck{DriftNullRate, DriftUnseen, DriftOutOfRange, DriftWasserstein, DriftPSI, DriftJS, DriftKS, DriftCosine}
}

// IsShare reports whether the score is a share of rows, which may be written in percent.
func (c DriftCheck) IsShare() bool {
	return c == DriftNullRate || c == DriftUnseen || c == DriftOutOfRange
}

// atMostOne reports whether no score is above 1.
func (c DriftCheck) atMostOne() bool { return c.IsShare() || c == DriftJS || c == DriftKS }

// TakesAuto reports whether the score varies over the windows of a training set. No window has a value that the whole lacks, so
// unseen and out_of_range are 0 in each.
func (c DriftCheck) TakesAuto() bool { return c != DriftUnseen && c != DriftOutOfRange }

// OfNumbers reports whether the score is for numbers alone.
func (c DriftCheck) OfNumbers() bool {
	return c == DriftOutOfRange || c == DriftWasserstein || c == DriftKS
}

// SplitDriftKey reads what a threshold is for: CHECK, FEATURE.CHECK, or FEATURE for all of its checks. A word that names a check is one.
func SplitDriftKey(key string) (feature string, check DriftCheck) {
	at := strings.LastIndexByte(key, '.')
	if check = DriftCheck(key[at+1:]); slices.Contains(DriftChecks(), check) {
		return key[:max(at, 0)], check
	}
	return key, ""
}

// DriftMode is a threshold that is not a number.
type DriftMode string

// The modes.
const (
	DriftOff  DriftMode = "off"  // the score decides nothing
	DriftAuto DriftMode = "auto" // three standard deviations above the mean of the score over the training set's own windows
)

// DriftThreshold is the least score that is an alarm: At, or what Mode says if there is one.
type DriftThreshold struct {
	Mode DriftMode
	At   float64
}

// ParseDriftThreshold reads a threshold of a score as definitions and flags write it: 0.25, off or auto; of a share also 5%.
func ParseDriftThreshold(check DriftCheck, text string) (DriftThreshold, error) {
	switch mode := DriftMode(text); {
	case mode == DriftOff, mode == DriftAuto && check.TakesAuto():
		return DriftThreshold{Mode: mode}, nil
	case mode == DriftAuto:
		return DriftThreshold{}, Errorf(ErrInvalid, "%s cannot be auto: it is 0 in every window of the training set", check).
			WithHint("a number from 0 on, or off")
	}
	digits, percent := text, false
	if check.IsShare() {
		digits, percent = strings.CutSuffix(text, "%")
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if percent { // read again rather than divided, so that 0.7% is the number 0.007
		x, err = strconv.ParseFloat(strings.TrimSpace(digits)+"e-2", 64)
	}
	if err == nil && x > 1 && check.atMostOne() {
		hint := "a number from 0 to 1, or off"
		if check.IsShare() {
			hint = "a share from 0 to 1, for example 0.05 or 5%, or off"
		}
		return DriftThreshold{}, Errorf(ErrInvalid, "%s is at most 1, so a threshold of %q is never reached", check, text).WithHint("%s", hint)
	}
	if err != nil || !(x >= 0) || math.IsInf(x, 0) {
		return DriftThreshold{}, Errorf(ErrInvalid, "%q is not a threshold of %s", text, check).WithHint("a number from 0 on, off or auto")
	}
	return DriftThreshold{At: x}, nil
}

// String writes the threshold as definitions do.
func (t DriftThreshold) String() string {
	if t.Mode != "" {
		return string(t.Mode)
	}
	return strconv.FormatFloat(t.At, 'g', -1, 64)
}

// MarshalJSON writes a number, or the mode.
func (t DriftThreshold) MarshalJSON() ([]byte, error) {
	if t.Mode != "" {
		return json.Marshal(t.Mode)
	}
	return json.Marshal(t.At)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *DriftThreshold) UnmarshalJSON(b []byte) error {
	*t = DriftThreshold{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &t.Mode)
	}
	return json.Unmarshal(b, &t.At)
}

// DriftRule says when the drift of a feature, or of the features of a view, is an alarm. It changes no value, so it makes no new
// version.
type DriftRule struct {
	All    DriftMode                     `json:"all,omitempty"` // of the checks that Checks does not name; "": their defaults. With DriftOff and no Checks, a feature is not compared
	Checks map[DriftCheck]DriftThreshold `json:"checks,omitempty"`
}

// Given lists the thresholds that the rule sets, by their names: all, and checks.
func (r *DriftRule) Given() (names, values []string) {
	if r == nil {
		return nil, nil
	}
	if r.All != "" {
		names, values = append(names, "all"), append(values, string(r.All))
	}
	for _, c := range slices.Sorted(maps.Keys(r.Checks)) {
		names, values = append(names, string(c)), append(values, r.Checks[c].String())
	}
	return names, values
}

// DriftRules are those of a version of a view. The registry keeps them apart from it, as it does Expectations.
type DriftRules struct {
	View     *DriftRule            `json:"view,omitempty"`
	Features map[string]*DriftRule `json:"features,omitempty"` // by feature
}

// DriftRulesOf returns the rules of a view and its features; nil without any.
func DriftRulesOf(view *DriftRule, features []Feature) *DriftRules {
	out := &DriftRules{View: view, Features: map[string]*DriftRule{}}
	for i := range features {
		if r := features[i].Drift; r != nil {
			out.Features[features[i].Name] = r
		}
	}
	if view == nil && len(out.Features) == 0 {
		return nil
	}
	return out
}

// With returns copies of features that have these rules and no others.
func (r *DriftRules) With(features []Feature) []Feature {
	out := slices.Clone(features)
	for i := range out {
		out[i].Drift = nil
		if r != nil {
			out[i].Drift = r.Features[out[i].Name]
		}
	}
	return out
}

// OfView returns the rule of the view; nil without any.
func (r *DriftRules) OfView() *DriftRule {
	if r == nil {
		return nil
	}
	return r.View
}
