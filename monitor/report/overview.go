package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// overview is what the page shows, in words and paths.
type overview struct {
	Title, Reference, Current, Lead string
	Alarm                           bool
	Mark, Verdict, Because          string
	Tally                           []tally
	Sides                           []side
	Sections                        []section
	Terms                           []term
}

// tally counts the features of a verdict.
type tally struct {
	Class, Words string
	Count        int
}

// side is a line of the table that says what was compared.
type side struct{ Name, Reference, Current string }

// section has the features of a group.
type section struct {
	Title, Note string
	Drawn       bool // a distribution is drawn in it
	Legend      bool // it is the first such section
	Features    []feature
}

type term struct{ Name, Says string }

func overviewOf(c *drift.Comparison) *overview {
	o := &overview{
		Reference: text(c.Reference.Name), Current: text(c.Current.Name),
		Lead:  lead(c),
		Alarm: c.Verdict == drift.Drifted, Mark: markOf(c),
		Sides: sidesOf(c), Terms: termsOf(c),
	}
	o.Title = "Drift: " + o.Current + " against " + o.Reference
	o.Verdict, o.Because = verdict(c)
	for _, g := range groups(c) {
		if w := verdictWords[g.verdict]; g.count > 0 {
			o.Tally = append(o.Tally, tally{w.class, strings.ToLower(w.word), g.count})
		}
		if next := sectionOf(c, g); len(next.Features) > 0 {
			next.Legend = next.Drawn && !slices.ContainsFunc(o.Sections, func(former section) bool { return former.Legend })
			o.Sections = append(o.Sections, next)
		}
	}
	return o
}

// group says which features a section has: those with a verdict, or the columns that the model learns to predict, whatever their
// verdict.
type group struct {
	role        drift.Role
	verdict     drift.Verdict
	count       int
	title, note string
}

func groups(c *drift.Comparison) []group {
	return []group{
		{drift.RoleFeature, drift.Drifted, c.Counts.Drifted, "Drifted", "At least one score is over its threshold. The furthest over comes first."},
		{drift.RoleTarget, "", 0, "Targets", "Columns that the model learns to predict. They do not count in the share of features that drifted."},
		{drift.RoleFeature, drift.NotCompared, c.Counts.NotCompared, "Not compared", "There is nothing to compare. This is no alarm, but a column that is gone may be one."},
		{
			drift.RoleFeature, drift.TooFew, c.Counts.TooFew, "Too few rows",
			fmt.Sprintf("Under %s rows or values, scores are mostly chance. They are never an alarm.", english.Thousands(c.MinRows)),
		},
		{drift.RoleFeature, drift.Stable, c.Counts.Stable, "Stable", "No score is over its threshold by more than chance explains. The nearest to its threshold comes first."},
	}
}

// sectionOf has the features of a group, those nearest to an alarm first.
func sectionOf(c *drift.Comparison, g group) section {
	s := section{Title: g.title, Note: g.note}
	var of []*drift.Feature
	for i := range c.Features {
		if f := &c.Features[i]; f.Role == g.role && (g.role == drift.RoleTarget || f.Verdict == g.verdict) {
			of = append(of, f)
		}
	}
	slices.SortStableFunc(of, func(a, b *drift.Feature) int { return cmp.Compare(nearness(b.Checks), nearness(a.Checks)) })
	for _, f := range of {
		row := featureOf(c, f)
		s.Features = append(s.Features, row)
		s.Drawn = s.Drawn || row.Mini != nil
	}
	return s
}

// nearness is the greatest score as a multiple of its threshold.
func nearness(checks []drift.Check) float64 {
	if worst := worstOf(checks); worst != nil {
		return multiple(worst)
	}
	return 0
}

// worstOf returns the check whose score is the greatest multiple of its threshold, one that is over before all others; nil if none
// has a score and a threshold.
func worstOf(checks []drift.Check) *drift.Check {
	var worst *drift.Check
	for i := range checks {
		k := &checks[i]
		if k.Value == nil || k.Threshold == nil {
			continue
		}
		if worst == nil || k.Over && !worst.Over || k.Over == worst.Over && multiple(k) > multiple(worst) {
			worst = k
		}
	}
	return worst
}

// multiple returns how many times its threshold a score is. Of a threshold of 0 it is none or infinitely many times.
func multiple(k *drift.Check) float64 {
	if *k.Value == 0 {
		return 0
	}
	return *k.Value / *k.Threshold
}

func lead(c *drift.Comparison) string {
	s := fmt.Sprintf("%s, compared with %s.", rowsOf(&c.Current), rowsOf(&c.Reference))
	if c.OnlyWithValue {
		s += " Only rows for which a feature’s view had a value are compared, on both sides."
	}
	if c.By != "" {
		s += fmt.Sprintf(" The current rows are also compared %s by %s, in %s.", text(c.By), text(c.By), english.Count(len(c.Windows), "window"))
	}
	return s
}

func rowsOf(s *drift.Side) string {
	rows := english.Count(int(s.Rows), "row")
	switch s.Kind {
	case drift.Store:
		return rows + " of the online store"
	case drift.TrainingSet:
		return rows + " of a training set"
	case drift.File:
		return rows + " of a file"
	case drift.Served:
		return rows + " of what servers answered"
	}
	return rows
}

// markOf is the mark of the whole set: a feature that drifted shows, even where the set has not.
func markOf(c *drift.Comparison) string {
	if c.Counts.Drifted > 0 {
		return verdictWords[drift.Drifted].mark
	}
	return verdictWords[c.Verdict].mark
}

// verdict returns the verdict of the set in words, and why it is so.
func verdict(c *drift.Comparison) (says, because string) {
	judged := c.Counts.Drifted + c.Counts.Stable
	switch {
	case judged == 0:
		return "No feature could be judged", "There are too few rows, or nothing to compare."
	case c.Counts.Drifted == 0:
		says = "No feature drifted"
	case c.Counts.Drifted == judged:
		says = english.Count(judged, "feature") + " of " + english.Thousands(int64(judged)) + " drifted"
	default:
		says = fmt.Sprintf("%s of %s drifted", english.Thousands(int64(c.Counts.Drifted)), english.Count(judged, "feature"))
	}
	share, limit := short(math.Round(1000*c.Share)/10)+unit, short(100*c.ShareLimit)+unit
	if c.Verdict == drift.Drifted {
		return says + ": the set has drifted", fmt.Sprintf("That is %s of the features that could be judged, over the limit of %s.", share, limit)
	}
	return says, fmt.Sprintf("That is %s of the features that could be judged. The set as a whole counts as drifted above %s.", share, limit)
}

func sidesOf(c *drift.Comparison) []side {
	var out []side
	line := func(name string, of func(*drift.Side) string) {
		if r, cur := of(&c.Reference), of(&c.Current); r != "" || cur != "" {
			out = append(out, side{name, cmp.Or(r, none), cmp.Or(cur, none)})
		}
	}
	line("Rows from", func(s *drift.Side) string {
		switch s.Kind {
		case drift.Store:
			return "the online store"
		case drift.TrainingSet:
			return "training set " + text(s.Name)
		case drift.File:
			return "file " + text(s.Name)
		case drift.Served:
			return "the served log"
		}
		return text(s.Name)
	})
	for _, l := range servedLines(c.Current.Log) {
		line(l.Name, func(s *drift.Side) string {
			if s != &c.Current {
				return ""
			}
			return l.Current
		})
	}
	line("Service", func(s *drift.Side) string { return text(s.Service) })
	line("Path", func(s *drift.Side) string { return text(s.File) })
	line("Created", func(s *drift.Side) string { return instant(s.Created.Truncate(time.Second)) })
	line("Rows", func(s *drift.Side) string { return english.Thousands(s.Rows) })
	line("Window", window)
	line("Views", func(s *drift.Side) string {
		if s != &c.Reference {
			return ""
		}
		return text(views(c.Features))
	})
	return out
}

// window says which rows of a side were taken.
func window(s *drift.Side) string {
	by := ""
	if s.Timestamp != "" {
		by = " by " + text(s.Timestamp)
	}
	switch from, to := instant(s.From), instant(s.To); {
	case from != "" && to != "":
		return "after " + from + ", up to and including " + to + by
	case from != "":
		return "after " + from + by
	case to != "":
		return "up to and including " + to + by
	}
	return "all rows"
}

// views lists the view versions of the features, each once.
func views(features []drift.Feature) string {
	var names []string
	for _, f := range features {
		if f.View.Name != "" {
			names = append(names, f.View.String())
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if more := len(names) - 12; more > 0 {
		return strings.Join(names[:12], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
