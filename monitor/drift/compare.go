package drift

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/stats"
)

// The defaults.
const (
	DefaultMinRows    = 200
	DefaultShareLimit = 0.5 // as Evidently's drift_share
)

// Options say when a score is an alarm.
type Options struct {
	MinRows    int64   // fewer rows are too few to judge
	ShareLimit float64 // the set has drifted if more than this share of its features has

	// Rule sets thresholds of all columns, and ByColumn of columns by name. They go before those of definitions. A column that its
	// definition turns off is only judged if ByColumn says so.
	Rule     fstore.DriftRule
	ByColumn map[string]fstore.DriftRule
}

// scored is a score and its bounds. NaN is a score that could not be computed.
type scored struct {
	name                 CheckName
	value, atMost, noise float64 // atMost is NaN where value is exact
}

// scores returns all scores of some rows of a column. Distances need min values on both sides.
// cosines are those of the lists, if the reference has a centroid.
func (c *compared) scores(current, cosines *stats.Counts, minimum int64) []scored {
	r, none := c.reference, math.NaN()
	if r.Rows() == 0 || current.Rows() == 0 {
		return nil
	}
	rate := func(n *stats.Counts) int64 { return n.Nulls() + n.NaNs() }
	out := []scored{{
		CheckNullRate, math.Abs(float64(rate(current))/float64(current.Rows()) - float64(rate(r))/float64(r.Rows())), none,
		noiseOfRates(rate(r), r.Rows(), rate(current), current.Rows()),
	}}
	if c.edges.Kind == stats.Presence || min(r.Values(), current.Values()) < max(minimum, 1) {
		return out
	}
	beyond := func(name CheckName, inReference, in int64) {
		out = append(out, scored{name, float64(in) / float64(current.Values()), none, noiseOfRates(inReference, r.Values(), in, current.Values())})
	}
	unseen := func(inReference, in int64) {
		beyond(CheckUnseen, inReference, in)
		last := &out[len(out)-1]
		last.noise = max(last.noise, noiseOfUnseen(r.Bins(), r.Values(), current.Values()))
	}
	if c.edges.Kind == stats.Categories {
		if c.edges.Complete {
			unseen(r.High(), current.High())
		}
	} else {
		if c.few() {
			unseen(0, current.Between())
		}
		beyond(CheckOutOfRange, r.Low()+r.High(), current.Low()+current.High())
		out = append(out, c.wasserstein(current))
	}
	out = append(out, scored{CheckPSI, PSI(r, current), none, noiseOfPSI(r, current)}, scored{CheckJS, JS(r, current), none, noiseOfJS(r, current)})
	if c.edges.Kind == stats.Numbers {
		least, most := KS(r, current)
		out = append(out, scored{CheckKS, least, most, noiseOfKS(r, current)})
	}
	if d := c.direction; d != nil && min(d.reference.Values(), cosines.Values()) >= max(minimum, 1) {
		moved := d.wasserstein(cosines)
		moved.name = CheckCosine
		out = append(out, moved)
	}
	return out
}

// wasserstein returns the distance in standard deviations of the reference's population, as Evidently does. There is none if the
// reference is constant or has infinite numbers. (Evidently divides by at least 0.001, which hides the drift of small numbers.)
func (c *compared) wasserstein(current *stats.Counts) scored {
	least, most := Wasserstein(c.reference, current)
	unit := math.NaN()
	if c.stddev != nil && *c.stddev > 0 {
		unit = *c.stddev
	}
	return scored{CheckWasserstein, least / unit, most / unit, noiseOfWasserstein(c.reference, current) / unit}
}

// checks holds scores to thresholds.
func (c *compared) checks(all []scored, held thresholds) []Check {
	out := make([]Check, 0, len(all))
	for _, s := range all {
		check := Check{Name: s.name, Value: number(s.value), AtMost: number(s.atMost), Noise: number(s.noise)}
		if s.name == CheckKS && math.IsNaN(s.atMost) { // not that of the bins
			check.Exact, check.PValue = true, number(c.ks.pValue)
		}
		held.hold(&check, c)
		check.Over = check.Threshold != nil && s.value >= *check.Threshold && !(s.value <= s.noise) // NaN is not
		out = append(out, check)
	}
	return out
}

// number returns a number in the range of float64, in place of an infinite one the nearest; nil for NaN.
func number(x float64) *float64 {
	if math.IsNaN(x) {
		return nil
	}
	x = min(max(x, -math.MaxFloat64), math.MaxFloat64)
	return &x
}

// verdict concludes from the checks of some rows, and gives the reason in a sentence.
func (c *compared) verdict(found []Check, current *stats.Counts, minimum int64) (Verdict, string) {
	var over []string
	for i := range found {
		if found[i].Over {
			over = append(over, found[i].text())
		}
	}
	r := c.reference
	distances := c.edges.Kind != stats.Presence
	switch {
	case r.Rows() < minimum:
		return TooFew, tooFew("the reference", r.Rows(), "row", minimum)
	case current.Rows() < minimum:
		return TooFew, tooFew("the current side", current.Rows(), "row", minimum)
	case len(over) > 0:
		return Drifted, strings.ToUpper(over[0][:1]) + strings.Join(over, ", ")[1:] + "."
	case distances && r.Values() < minimum:
		return TooFew, tooFew("the reference", r.Values(), "value", minimum)
	case distances && current.Values() < minimum:
		return TooFew, tooFew("the current side", current.Values(), "value", minimum)
	case !slices.ContainsFunc(found, func(k Check) bool { return k.Value != nil && k.Threshold != nil }):
		return NotCompared, "No check that has a threshold can be computed."
	case !distances:
		return Stable, "The share of nulls has not changed. Only nulls can be compared."
	}
	if slices.ContainsFunc(found, func(k Check) bool { return k.Value != nil && k.Threshold != nil && *k.Value >= *k.Threshold }) {
		return Stable, "No check is over its threshold and above its noise."
	}
	return Stable, "No check is over its threshold."
}

func tooFew(side string, n int64, noun string, minimum int64) string {
	return fmt.Sprintf("A verdict needs %s, and %s has %s.", english.Count(int(minimum), noun), side, english.Thousands(n))
}

// names say what a check finds, in words.
var names = map[CheckName]string{
	CheckNullRate:    "the share of nulls changed by %s",
	CheckUnseen:      "%s of the values do not occur in the reference",
	CheckOutOfRange:  "%s of the values are out of the reference's range",
	CheckWasserstein: "values moved by %s standard deviations (Wasserstein)",
	CheckPSI:         "PSI is %s",
	CheckJS:          "Jensen-Shannon distance is %s",
	CheckKS:          "Kolmogorov-Smirnov statistic is %s",
	CheckCosine:      "directions moved by %s standard deviations (cosine to the centroid)",
}

func (c *Check) text() string {
	switch c.Name {
	case CheckNullRate, CheckUnseen, CheckOutOfRange:
		return fmt.Sprintf(names[c.Name], strconv.FormatFloat(*c.Value*100, 'f', 1, 64)+" %")
	case CheckWasserstein, CheckPSI, CheckJS, CheckKS, CheckCosine: // numbers
	}
	return fmt.Sprintf(names[c.Name], strconv.FormatFloat(*c.Value, 'g', 3, 64))
}

// feature compares the current rows of a column with the reference.
func (c *compared) feature(current, cosines *stats.Counts, o *Options, held thresholds) Feature {
	out := c.described()
	figures := figuresOf(current)
	out.Current, out.Bins = &figures, c.bins(current)
	out.Checks = c.checks(c.withKSOfRows(c.scores(current, cosines, o.MinRows)), held)
	if held.auto() {
		out.NotAuto = c.notAuto
	}
	out.Verdict, out.Reason = c.verdict(out.Checks, current, o.MinRows)
	if out.Verdict == Stable && c.undirected(current, cosines, o.MinRows, held) {
		out.Verdict, out.Reason = NotCompared, fmt.Sprintf("Only %s of %s have the length of the reference's lists, so directions cannot be compared.",
			english.Thousands(cosines.Values()), english.Count(int(current.Values()), "list"))
	}
	if c.ignored != "" {
		out.Reason += " " + c.ignored
	}
	if c.measure == Norm && c.direction == nil {
		out.Reason += " Only lengths are compared: the lock has no centroid."
	}
	return out
}

// window is feature for one window.
func (c *compared) window(current, cosines *stats.Counts, o *Options, held thresholds) Window {
	out := Window{Figures: figuresOf(current), Checks: c.checks(c.scores(current, cosines, o.MinRows), held)}
	out.Verdict, _ = c.verdict(out.Checks, current, o.MinRows)
	if out.Verdict == Stable && c.undirected(current, cosines, o.MinRows, held) {
		out.Verdict = NotCompared
	}
	return out
}

// undirected reports whether the direction of lists decides, and too few of the current ones have one: lists of another length or of
// zeros.
func (c *compared) undirected(current, cosines *stats.Counts, minimum int64, held thresholds) bool {
	if c.direction == nil || c.direction.reference.Values() < minimum || cosines.Values() >= minimum || current.Values() < minimum {
		return false
	}
	direction := Check{Name: CheckCosine}
	held.hold(&direction, c)
	return direction.Threshold != nil
}

// described returns what there is to say without current rows.
func (c *compared) described() Feature {
	return Feature{
		Name: c.Name, Role: c.Role, View: c.View, Source: c.Source, Type: c.Type, Measure: c.measure, Kind: c.edges.Kind,
		Checks: []Check{}, Bins: []Bin{}, Reference: figuresOf(c.reference), TakenOut: c.takenOut,
	}
}

// figuresOf returns the counts of one side.
func figuresOf(c *stats.Counts) Figures {
	f := Figures{Rows: c.Rows(), Nulls: c.Nulls(), NaNs: c.NaNs()}
	switch c.Edges.Kind {
	case stats.Numbers:
		f.Below, f.Above = c.Low(), c.High()
		if n := c.Finite(); n > 0 && !c.MeansUnknown {
			f.Mean = number(c.Sum() / float64(n))
		}
	case stats.Categories, stats.Presence:
		f.Other = c.High()
	}
	return f
}

// bins returns the bins with the counts of both sides, of categories the most frequent in the reference first.
func (c *compared) bins(current *stats.Counts) []Bin {
	out := make([]Bin, 0, c.edges.Bins())
	r, n := c.reference.Bins(), current.Bins()
	for i := range r {
		b := Bin{Reference: r[i], Current: n[i]}
		if c.edges.Kind == stats.Numbers {
			b.From, b.UpTo = &c.edges.Bounds[i], &c.edges.Bounds[i+1]
			if i > 0 && c.edges.Between != nil && c.edges.Between[i-1] { // as in the lock
				last := &out[len(out)-1]
				last.UpTo, last.Reference, last.Current = b.UpTo, b.Reference, last.Current+b.Current
				continue
			}
		} else {
			text := c.categoryText(c.edges.Categories[i])
			b.Category = &text
		}
		out = append(out, b)
	}
	if c.edges.Kind == stats.Categories {
		slices.SortStableFunc(out, func(a, b Bin) int { return int(b.Reference - a.Reference) })
	}
	return out
}
