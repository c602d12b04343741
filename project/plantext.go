package project

import (
	"fmt"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
)

// VersionNote says which version a change makes, or why it makes none.
func VersionNote(c registry.Change) string {
	versions, reason := VersionChange(c)
	if reason == "" {
		return versions
	}
	return versions + ", " + reason
}

// VersionChange returns the version of a definition before and after a change, and why it is another or the same one.
func VersionChange(c registry.Change) (versions, reason string) {
	to, both := fmt.Sprintf("@%d", c.To), fmt.Sprintf("@%d → @%d", c.From, c.To)
	switch {
	case c.Version == registry.NewVersion && c.From == 0:
		return to, ""
	case c.Version == registry.NewVersion:
		return both, "a new version: values can change"
	case c.Version == registry.SameVersion:
		return to, "the same version: no value can change"
	case c.Version == registry.EarlierVersion && c.From == 0:
		return to, "which existed before"
	case c.Version == registry.EarlierVersion:
		return both, "back to an earlier version"
	}
	return "", ""
}

// ModelNote says how a plan changes a pinned model.
func ModelNote(m registry.ModelImpact) string {
	what := "not affected"
	if m.Affected {
		what = "AFFECTED: the registry has lost a version pinned to it"
	}
	if len(m.Keeps) > 0 {
		what += ", keeps " + Joined(m.Keeps)
	}
	return what
}

// A PlanNote is an assumption of a plan, with its views.
type PlanNote struct {
	Text  string
	Views []string
}

// PlanNotes returns the notes of a plan, each once.
func PlanNotes(notes []string) []PlanNote {
	var out []PlanNote
	at := map[string]int{}
	for _, n := range notes {
		view, text, _ := strings.Cut(n, " has ")
		if _, ok := at[text]; !ok {
			at[text], out = len(out), append(out, PlanNote{Text: text})
		}
		out[at[text]].Views = append(out[at[text]].Views, view)
	}
	return out
}

// RowsText says how many rows a training set has, and of how many labels they are a sample.
func RowsText(sum *offline.TrainingSummary) string {
	if sum.Rows < sum.Labels && sum.Served == nil {
		return fmt.Sprintf("sample of %s of %s", english.Thousands(sum.Rows), english.Count(int(sum.Labels), "row"))
	}
	return english.Count(int(sum.Rows), "row")
}

// SummaryNotes says what a training set's counts do not: verdicts of the check for leaks, rows left out, and assumptions.
func SummaryNotes(sum *offline.TrainingSummary, list *fstore.FeatureList) []string {
	var out []string
	out = append(out, verdictNotes(sum, list)...)
	for _, d := range sum.DroppedRows {
		out = append(out, fmt.Sprintf("%s: %s without an event time left out", d.Relation, english.Count(int(d.Rows), "row")))
	}
	out = append(out, onDemandNotes(sum, list)...)
	var windows, others []string
	for _, ref := range sum.Continuous {
		if slices.ContainsFunc(list.Uses, func(u fstore.ViewUse) bool { return u.Version.Ref.String() == ref && u.Version.View.Sawtooth() }) {
			windows = append(windows, ref)
		} else {
			others = append(others, ref)
		}
	}
	if len(others) > 0 {
		out = append(out, "Taken to be servable at once, without publish: "+strings.Join(others, ", "))
	}
	if len(windows) > 0 {
		out = append(out, ContinuousNote+": "+strings.Join(windows, ", "))
	}
	return out
}

// verdictNotes says each verdict of the check for leaks once, and of which views it is.
func verdictNotes(sum *offline.TrainingSummary, list *fstore.FeatureList) []string {
	var out, order []string
	of := map[string][]string{}
	for _, c := range sum.Causality {
		if of[c.Verdict] == nil {
			order = append(order, c.Verdict)
		}
		of[c.Verdict] = append(of[c.Verdict], c.View.String())
	}
	for _, verdict := range order {
		out = append(out, strings.Join(of[verdict], ", ")+": "+verdict)
	}
	if refs := of[offline.PastUnknown]; refs != nil {
		var static []string
		for _, u := range list.Uses {
			if slices.Contains(refs, u.Version.Ref.String()) {
				static = append(static, staticSources(u.Version)...)
			}
		}
		out = append(out, pastUnknown(static))
	}
	return out
}

// CheckedNote explains a verdict of checks for leaks that asks for something; empty if none does.
func CheckedNote(checked []CheckedView) string {
	var static []string
	for _, v := range checked {
		static = append(static, v.static...)
	}
	if !slices.ContainsFunc(checked, func(v CheckedView) bool { return v.Verdict == offline.PastUnknown }) {
		return ""
	}
	return pastUnknown(static)
}

// RunsNote explains a verdict of runs of materialize that asks for something; empty if none does.
func RunsNote(runs []materialize.Summary) string {
	if !slices.ContainsFunc(runs, func(s materialize.Summary) bool { return s.Causality == offline.PastUnknown }) {
		return ""
	}
	return pastUnknown(nil)
}

// staticSources returns the sources that a view reads and that have no event time.
func staticSources(v *fstore.ViewVersion) (out []string) {
	for i := range v.Sources {
		if s := &v.Sources[i]; s.Static() {
			out = append(out, s.Name)
		}
	}
	return out
}

// pastUnknown says what the verdict offline.PastUnknown means for training, and what to do. Without sources, it names none.
func pastUnknown(sources []string) string {
	slices.Sort(sources)
	which := "sources without an event_timestamp"
	if sources = slices.Compact(sources); len(sources) > 0 {
		which += " (" + strings.Join(sources, ", ") + ")"
	}
	return "Past unknown: no leak was found, but rows of " + which + " count as they are now, at every instant. " +
		"If such rows change, training sees values that nobody had then: give the source an event_timestamp."
}

// onDemandNotes says what a summary has of on-demand features: which label columns their request columns come from, and
// their faults.
func onDemandNotes(sum *offline.TrainingSummary, list *fstore.FeatureList) []string {
	var out []string
	optional := func(column string) bool {
		return slices.ContainsFunc(list.RequestColumns(), func(c fstore.RequestColumn) bool { return c.Name == column && c.Default != nil })
	}
	for _, r := range sum.Request {
		switch {
		case r.Absent && optional(r.Column): // a misspelled column of the labels looks like this
			out = append(out, fmt.Sprintf("request column %s: the labels have no column %s, so expressions read its default", r.Name, r.Column))
		case r.Absent: // no feature reads it
		case r.Column != r.Name:
			out = append(out, fmt.Sprintf("request column %s: label column %s", r.Name, r.Column))
		}
	}
	for _, f := range sum.Faults {
		out = append(out, FaultText(f))
	}
	return out
}

// FaultText says why an on-demand feature has no result, in how many rows, and in which first.
func FaultText(f lock.Fault) string {
	return fmt.Sprintf("%s.%s: %s in %s, first in row %s", f.View, f.Feature, f.Reason, english.Count(int(f.Rows), "row"), english.Thousands(f.FirstRow))
}

// SummaryWarnings returns what is probably a mistake in a training set.
func SummaryWarnings(sum *offline.TrainingSummary) []string {
	if len(sum.Midnight) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("every label's instant is midnight UTC, and %s the hour, minute or second of at: name a column with times of day by --timestamp",
		strings.Join(sum.Midnight, ", ")+map[bool]string{true: " reads", false: " read"}[len(sum.Midnight) == 1])}
}

// ContinuousNote is what training takes for granted of windows that end at the clock.
const ContinuousNote = "Training assumes continuous publication of windows that end at the clock"

// RunNote says what was special about a run of materialize; empty if nothing was.
func RunNote(s materialize.Summary) string {
	note := runNote(s)
	if s.Warning != "" {
		note = strings.TrimPrefix(note+"; "+s.Warning, "; ")
	}
	if s.Causality != "" && note != "failed" {
		note = strings.TrimPrefix(note+"; "+s.Causality, "; ")
	}
	if s.Accepted != "" {
		note = strings.TrimPrefix(note+"; accepted "+s.Accepted, "; ")
	}
	return note
}

func runNote(s materialize.Summary) string {
	switch {
	case s.Refused != nil:
		return "refused"
	case s.Published.IsZero():
		return "failed"
	case s.Skipped == materialize.Unchanged:
		return "unchanged inputs: nothing to compute"
	case s.Skipped == materialize.PublishedLater:
		return "published already, at a later instant than now"
	case s.NewGeneration != "":
		return "new generation: " + s.NewGeneration
	case !s.Finished.IsZero():
		return "finished the interrupted run for " + fstore.FormatTime(s.Finished)
	}
	return ""
}
