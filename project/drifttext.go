package project

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// DriftHeader names the cells of DriftRows.
var DriftHeader = []string{"FEATURE", "VERDICT", "NULLS", "WASSERSTEIN", "PSI", "JS", "REASON"}

// DriftRows returns a row of cells for each feature, the drifted ones first.
func DriftRows(c *drift.Comparison) [][]string {
	order := []drift.Verdict{drift.Drifted, drift.TooFew, drift.NotCompared, drift.Stable}
	features := slices.Clone(c.Features)
	slices.SortStableFunc(features, func(a, b drift.Feature) int {
		return slices.Index(order, a.Verdict) - slices.Index(order, b.Verdict)
	})
	var rows [][]string
	for i := range features {
		f := &features[i]
		name, nulls := f.Name, "-"
		if f.Measure != drift.Value {
			name += " (" + string(f.Measure) + ")"
		}
		if f.Role == drift.RoleTarget {
			name += " (target)"
		}
		if f.Current != nil && f.Current.Rows > 0 {
			nulls = percent(f.Reference.Missing()) + " → " + percent(f.Current.Missing())
		}
		rows = append(rows, []string{
			name, DriftVerdictText(f.Verdict), nulls, scoreText(f, drift.CheckWasserstein), scoreText(f, drift.CheckPSI), scoreText(f, drift.CheckJS), strings.TrimSpace(f.Reason + " " + f.ThresholdsText()),
		})
	}
	return rows
}

// DriftVerdictText returns a verdict in words.
func DriftVerdictText(v drift.Verdict) string { return strings.ReplaceAll(string(v), "_", " ") }

func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) + " %" }

// scoreText returns a score; a dash where there is none.
func scoreText(f *drift.Feature, name drift.CheckName) string {
	for _, c := range f.Checks {
		if c.Name == name && c.Value != nil {
			if *c.Value >= 1e6 {
				return strconv.FormatFloat(*c.Value, 'g', 3, 64)
			}
			return strconv.FormatFloat(*c.Value, 'f', 3, 64)
		}
	}
	return "-"
}

// DriftSideText describes a side of a comparison.
func DriftSideText(s *drift.Side) string {
	out := s.Name
	switch s.Kind {
	case drift.TrainingSet:
		out = "training set " + s.Name
		if s.Service != "" {
			out += " of " + s.Service
		}
	case drift.Store:
		out = "what is published in the online store"
	case drift.Served:
		out = servedText(s.Log)
	case drift.File: // is named by its path
	}
	out += ", " + english.Thousands(s.Rows) + " rows"
	if !s.From.IsZero() {
		out += ", after " + fstore.FormatTime(s.From)
	}
	if !s.To.IsZero() {
		out += ", up to " + fstore.FormatTime(s.To)
	}
	if (!s.From.IsZero() || !s.To.IsZero()) && s.Timestamp != "" {
		out += " by " + s.Timestamp
	}
	return out
}

// DriftRowsText says which rows of both sides are compared; "" for all.
func DriftRowsText(c *drift.Comparison) string {
	if !c.OnlyWithValue {
		return ""
	}
	return "only those for which the view had a value, on both sides"
}

// DriftSummary says how many features drifted, and on which side of the limit of the set their share is.
func DriftSummary(c *drift.Comparison) string {
	judged := c.Counts.Drifted + c.Counts.Stable
	if judged == 0 {
		return "no feature could be judged"
	}
	side := "within"
	if c.Verdict == drift.Drifted {
		side = "over"
	}
	text := fmt.Sprintf("%d of %s drifted (%s), %s the limit of %s %%",
		c.Counts.Drifted, english.Count(judged, "feature"), percent(c.Share), side, strconv.FormatFloat(100*c.ShareLimit, 'g', 4, 64))
	if c.Counts.TooFew > 0 {
		text += fmt.Sprintf(", %d had too few values", c.Counts.TooFew)
	}
	if c.Counts.NotCompared > 0 {
		text += fmt.Sprintf(", %d could not be compared", c.Counts.NotCompared)
	}
	return text
}

// DriftWindowHeader names the cells of DriftWindowRows.
var DriftWindowHeader = []string{"FROM", "ROWS", "DRIFTED", "FEATURES"}

// DriftWindowRows returns a row of cells for each window: when it begins, its rows, and which features drifted in it.
func DriftWindowRows(c *drift.Comparison) [][]string {
	var rows [][]string
	for i, w := range c.Windows {
		var drifted []string
		judged := 0
		for _, f := range c.Features {
			if f.Role != drift.RoleFeature || len(f.Windows) == 0 {
				continue
			}
			switch f.Windows[i].Verdict {
			case drift.Drifted:
				drifted, judged = append(drifted, f.Name), judged+1
			case drift.Stable:
				judged++
			case drift.TooFew, drift.NotCompared: // are not judged
			}
		}
		of := fmt.Sprintf("%d of %d", len(drifted), judged)
		if judged == 0 {
			of = "too few rows"
		}
		rows = append(rows, []string{fstore.FormatTime(w.From), english.Thousands(w.Rows), of, strings.Join(drifted, ", ")})
	}
	return rows
}
