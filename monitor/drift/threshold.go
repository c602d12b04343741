package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// CheckNames are the names of all scores, in the order in which a comparison has them.
var CheckNames = fstore.DriftChecks()

// Origin says who set a threshold.
type Origin string

// The origins, each of which goes before those above it.
const (
	FromDefault Origin = "default"
	FromView    Origin = "view"    // the definition of the view
	FromFeature Origin = "feature" // the definition of the feature
	FromOption  Origin = "option"  // Options
)

// threshold is the least score that is an alarm. One that is off decides nothing.
type threshold struct {
	fstore.DriftThreshold
	from Origin
}

type thresholds map[CheckName]threshold

// defaults returns the thresholds for the kind of a column.
func (c *compared) defaults() thresholds {
	at := map[CheckName]float64{CheckNullRate: 0.01}
	switch {
	case c.edges.Kind == stats.Categories:
		at[CheckJS], at[CheckUnseen] = 0.1, 0.01
	case c.edges.Kind == stats.Numbers && c.few():
		at[CheckJS], at[CheckUnseen], at[CheckOutOfRange] = 0.1, 0.01, 0.01
	case c.edges.Kind == stats.Numbers:
		at[CheckWasserstein], at[CheckPSI], at[CheckOutOfRange] = 0.1, 0.2, 0.01
	}
	if c.direction != nil {
		at[CheckCosine] = 0.1
	}
	out := thresholds{}
	for name, x := range at {
		out[name] = threshold{fstore.DriftThreshold{At: x}, FromDefault}
	}
	return out
}

// set replaces the thresholds that a rule names.
func (t thresholds) set(rule *fstore.DriftRule, defaults thresholds, from Origin) {
	if rule == nil {
		return
	}
	if rule.All != "" {
		for name := range t {
			t[name] = threshold{fstore.DriftThreshold{Mode: fstore.DriftOff}, from}
		}
		for name, was := range defaults {
			switch {
			case rule.All == fstore.DriftOff:
				was = threshold{fstore.DriftThreshold{Mode: fstore.DriftOff}, from}
			case name.TakesAuto():
				was = threshold{fstore.DriftThreshold{Mode: rule.All}, from}
			}
			t[name] = was
		}
	}
	for name, x := range rule.Checks {
		t[name] = threshold{x, from}
	}
}

// decides reports whether a threshold is left.
func (t thresholds) decides() bool {
	for _, x := range t {
		if x.Mode != fstore.DriftOff {
			return true
		}
	}
	return false
}

// turnedOff reports whether a column is not to be judged because a rule for all its checks is off and no threshold is left.
func (t thresholds) turnedOff(rules ...*fstore.DriftRule) bool {
	return !t.decides() && slices.ContainsFunc(rules, func(r *fstore.DriftRule) bool { return r != nil && r.All == fstore.DriftOff })
}

// thresholds returns the thresholds of a column, and why it is not compared; "": it is.
func (o *Options) thresholds(c *compared) (out thresholds, off string) {
	defaults := c.defaults()
	out = c.defaults()
	out.set(c.ViewRule, defaults, FromView)
	out.set(c.Rule, defaults, FromFeature)
	byName, named := o.ByColumn[c.Name]
	defined := out.turnedOff(c.ViewRule, c.Rule)
	if !defined {
		out.set(&o.Rule, defaults, FromOption)
	}
	if named {
		out.set(&byName, defaults, FromOption)
	}
	if c.ignored != "" {
		delete(out, CheckNullRate)
	}
	switch {
	case defined && !out.decides():
		off = "Its definition turns drift off."
	case out.turnedOff(&o.Rule, &byName):
		off = "Drift is turned off for it in this comparison."
	}
	return out, off
}

// hold holds a score to its threshold.
func (t thresholds) hold(check *Check, c *compared) {
	x, held := t[check.Name]
	switch {
	case !held:
		return
	case x.Mode == fstore.DriftAuto:
		if at, learned := c.auto[check.Name]; learned {
			check.Auto, x.At = true, at
		} else if x, held = c.defaults()[check.Name]; !held {
			return
		}
	}
	check.ThresholdFrom = x.from
	if x.Mode != fstore.DriftOff {
		check.Threshold = &x.At
	}
}

// Set sets the threshold of a check, or with "" what all checks have that are not named: off or auto. It is for a column, or with "" for
// all columns.
func (o *Options) Set(column string, check CheckName, t fstore.DriftThreshold) {
	rule := o.Rule
	if column != "" {
		rule = o.ByColumn[column]
	}
	if check == "" {
		rule.All = t.Mode
	} else {
		if rule.Checks == nil {
			rule.Checks = map[CheckName]fstore.DriftThreshold{}
		}
		rule.Checks[check] = t
	}
	if column == "" {
		o.Rule = rule
		return
	}
	if o.ByColumn == nil {
		o.ByColumn = map[string]fstore.DriftRule{}
	}
	o.ByColumn[column] = rule
}

// SetThreshold reads a threshold: CHECK=NUMBER for all columns, COLUMN.CHECK=NUMBER for one. In place of the number, off takes the
// threshold away: the score is then only shown. auto takes it from the reference's own windows. Either alone, or COLUMN=off, is for
// all checks.
func (o *Options) SetThreshold(text string) error {
	name, value, found := strings.Cut(text, "=")
	mode := fstore.DriftMode(text)
	if !found && (mode == fstore.DriftOff || mode == fstore.DriftAuto) {
		o.Rule.All = mode
		return nil
	}
	if !found {
		return fstore.Errorf(fstore.ErrUsage, "%q is not CHECK=NUMBER", text).WithHint("for example psi=0.2, order_value.js=0.15, unseen=off or auto")
	}
	column, check := "", CheckName(name)
	if at := strings.LastIndexByte(name, '.'); at >= 0 {
		column, check = name[:at], CheckName(name[at+1:])
	}
	known := slices.Contains(CheckNames, check)
	if mode = fstore.DriftMode(value); !known && name != "" && (mode == fstore.DriftOff || mode == fstore.DriftAuto) {
		column = name
	} else if !known {
		return fstore.Errorf(fstore.ErrUsage, "%q: there is no check %q", text, check).WithHint("one of %s", checkList())
	}
	x := fstore.DriftThreshold{Mode: mode}
	if known {
		var err error
		if x, err = fstore.ParseDriftThreshold(check, value); err != nil {
			message, hints := fstore.Explain(err)
			return fstore.Errorf(fstore.ErrUsage, "%q: %s", text, message).WithHint("%s", strings.Join(hints, "; "))
		}
	} else {
		check = ""
	}
	o.Set(column, check, x)
	return nil
}

func checkList() string {
	var names []string
	for _, n := range CheckNames {
		names = append(names, string(n))
	}
	return strings.Join(names, ", ")
}

// ThresholdsText says which thresholds are not the defaults, and who set them, in a sentence; "" if all are.
func (f *Feature) ThresholdsText() string {
	by := map[string][]string{}
	var order []string
	for i := range f.Checks {
		k := &f.Checks[i]
		if k.ThresholdFrom == FromDefault || k.ThresholdFrom == "" {
			continue
		}
		text := string(k.Name) + " off"
		if k.Threshold != nil {
			text = fmt.Sprintf("%s %.3g", k.Name, *k.Threshold)
		}
		origin := k.OriginText()
		if by[origin] == nil {
			order = append(order, origin)
		}
		by[origin] = append(by[origin], text)
	}
	var parts []string
	for _, origin := range order {
		parts = append(parts, strings.Join(by[origin], ", ")+" ("+origin+")")
	}
	text := ""
	if len(parts) > 0 {
		text = "Thresholds: " + strings.Join(parts, "; ") + "."
	}
	return strings.TrimSpace(text + " " + f.NotAuto)
}

// OriginText says who set the threshold; "" for the default.
func (c *Check) OriginText() string {
	text := map[Origin]string{FromView: "set by the view", FromFeature: "set by the feature", FromOption: "set for this comparison"}[c.ThresholdFrom]
	if c.Auto {
		text = "auto, " + text
	}
	return text
}
