package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// Table shows a line for each model.
func (m *Monitored) Table() *terminal.Table {
	t := terminal.NewTable("MODEL", "SERVICE", "CHECKS", "DRIFT", "FRESHNESS", "")
	for _, of := range m.Models {
		t.Row(of.cells()...)
	}
	return t
}

// cells are the line of a model: its name, its service, checks, drift, freshness, and what there is to note.
func (of *MonitoredModel) cells() []string {
	name, note := of.String(), of.NoDrift
	if of.Model == "" && of.Service != "" {
		name = "-"
	}
	if len(of.Errors) > 0 {
		note = strings.Join(of.Errors, "; ")
	}
	return []string{name, dashed(of.Service), of.Checks.text(), of.Drift.text(), of.Freshness.text(), note}
}

// FiringTable shows a line for each thing that fires, with the models that it concerns; it is empty if nothing does.
func (m *Monitored) FiringTable() *terminal.Table {
	t := terminal.NewTable("FIRES", "SUBJECT", "WHY", "CONCERNS")
	for _, f := range m.firing() {
		t.Row(string(f.Event), f.Subject, f.Summary, strings.Join(f.concerns, ", "))
	}
	return t
}

// firingOf is what fires, once for all the models that it concerns.
type firingOf struct {
	Firing
	concerns []string
}

func (m *Monitored) firing() (out []firingOf) {
	for _, of := range m.Models {
		for _, f := range of.Firing {
			at := slices.IndexFunc(out, func(known firingOf) bool { return known.Firing == f })
			if at < 0 {
				at, out = len(out), append(out, firingOf{Firing: f})
			}
			out[at].concerns = append(out[at].concerns, of.String())
		}
	}
	return out
}

// HistoryRow says in cells how a round came out: when, the outcome, checks, drift, freshness, and what fired or failed.
func (r *MonitorRound) HistoryRow() []string {
	outcome := "ok"
	switch {
	case len(r.Firing) > 0:
		outcome = "fired"
	case len(r.Errors) > 0:
		outcome = "incomplete"
	}
	notes := slices.Clone(r.Errors)
	for _, f := range r.Firing {
		note := string(f.Event) + " " + f.Subject
		if f.Event == DriftFound && r.Drift != nil {
			for _, d := range r.Drift.Features {
				note += fmt.Sprintf(", %s (%s %.3g)", d.Feature, d.Check, d.Score)
			}
		}
		notes = append(notes, note)
	}
	if r.More > 0 {
		notes = append(notes, fmt.Sprintf("and %d more", r.More))
	}
	return []string{timeText(r.Time), r.By, outcome, r.Checks.text(), r.Drift.text(), r.Freshness.text(), strings.Join(notes, "; ")}
}

func dashed(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// counted lists what there is some of: "1 failed, 11 passed"; a dash if there is nothing.
func counted(counts ...any) string {
	var parts []string
	for i := 0; i < len(counts); i += 2 {
		if n := counts[i].(int); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, counts[i+1]))
		}
	}
	return dashed(strings.Join(parts, ", "))
}

func (c *CheckTally) text() string {
	return counted(c.Failed, "failed", c.Warned, "warned", c.Passed, "passed", c.Skipped, "skipped")
}

func (f *FreshnessTally) text() string {
	return counted(f.NotPublished, "not published", f.Late, "late", f.Fresh, "fresh", f.NoSchedule, "without a schedule")
}

func (d *MonitoredDrift) text() string {
	if d == nil {
		return "-"
	}
	if d.Verdict == drift.TooFew {
		return DriftVerdictText(d.Verdict)
	}
	judged := d.Counts.Drifted + d.Counts.Stable
	return fmt.Sprintf("%s: %d of %s", DriftVerdictText(d.Verdict), d.Counts.Drifted, english.Count(judged, "feature"))
}
