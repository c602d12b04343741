package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/stats"
)

// feature is a line of the report and what it unfolds to.
type feature struct {
	Class, Mark, State string
	Name, Why, Origin  string
	Mini               *drawing // nil: there is no distribution
	Cells              []cell
	Numbers            *distribution // nil: not of numbers
	Categories         []category    // empty: not of categories
	Checks             []check
	Figures            []figure
	Times              []timeline
}

// cell is one score of the line.
type cell struct {
	Label, Value string
	Over         bool
}

// drawing is both distributions in one box, as paths, and what it shows in words.
type drawing struct {
	Class, Says        string
	Width              int
	Reference, Current string
}

type check struct {
	Name, Score, Threshold, Result string
	Over                           bool
}

// figure is a line of the table of counts.
type figure struct{ Name, Reference, Current string }

func featureOf(c *drift.Comparison, f *drift.Feature) feature {
	w := verdictWords[f.Verdict]
	out := feature{
		Class: w.class, Mark: w.mark, State: w.word, Name: text(f.Name), Why: cut(strings.TrimSpace(f.Reason+" "+f.NotAuto), longestSentence), Origin: origin(f),
		Cells: cellsOf(f), Checks: checksOf(f), Figures: figuresOf(f), Times: timesOf(c, f),
	}
	if f.Current == nil || len(f.Bins) == 0 {
		return out
	}
	says := fmt.Sprintf("Distribution of %s: reference filled, current outlined", out.Name)
	switch f.Kind {
	case stats.Categories:
		b := drawBars(groupsOf(f))
		out.Mini = &drawing{"mini", says, b.Width, b.Reference, b.Current}
		out.Categories = categoriesOf(f)
	case stats.Numbers:
		out.Numbers = distributionOf(f, says)
		mini := out.Numbers.Columns
		if out.Numbers.Shape != nil {
			mini = *out.Numbers.Shape
		}
		mini.Class = "mini"
		out.Mini = &mini
	case stats.Presence:
	}
	return out
}

// origin says what a column is.
func origin(f *drift.Feature) string {
	s := "Type " + f.Type.String()
	switch {
	case f.Role == drift.RoleTarget:
		s += ", a column that the model learns to predict"
	case f.View.Name != "":
		s += ", feature " + text(f.Source) + " of " + text(f.View.String())
	}
	switch f.Measure {
	case drift.Age:
		s += ". Compared is the age: the time from the value to the row’s instant"
	case drift.Norm:
		s += ". Drawn is the Euclidean length of each list"
	case drift.Value:
	}
	return s + "."
}

// cellsOf has the scores of the line, in the order of its head.
func cellsOf(f *drift.Feature) []cell {
	missing := cell{Label: "Missing", Value: none}
	if f.Current != nil {
		missing.Value = percent(f.Current.Missing())
	}
	out := []cell{missing, {Label: "PSI", Value: none}, {Label: "JS", Value: none}, {Label: "Wasserstein", Value: none}}
	for _, k := range f.Checks {
		at := map[drift.CheckName]int{drift.CheckNullRate: 0, drift.CheckPSI: 1, drift.CheckJS: 2, drift.CheckWasserstein: 3}
		i, shown := at[k.Name]
		if !shown {
			continue
		}
		out[i].Over = k.Over
		if k.Value != nil && i > 0 {
			out[i].Value = score(*k.Value)
		}
	}
	return out
}

func checksOf(f *drift.Feature) []check {
	out := make([]check, 0, len(f.Checks))
	for _, k := range f.Checks {
		name, known := measureNames[k.Name]
		if !known {
			name = text(string(k.Name))
		}
		row := check{Name: name, Score: none, Threshold: none, Over: k.Over, Result: none}
		write := score
		if isShare(k.Name) {
			write = percent
		}
		if k.Value != nil {
			row.Score = write(*k.Value)
			if k.AtMost != nil && write(*k.AtMost) != row.Score {
				row.Score += " to\u00a0" + write(*k.AtMost)
			}
		}
		if k.Exact && k.PValue != nil {
			row.Score += fmt.Sprintf(", p\u00a0=\u00a0%.2g", *k.PValue)
		}
		if k.Threshold != nil {
			row.Threshold = limit(k.Name, *k.Threshold)
			row.Result = resultOf(&k)
		}
		if k.ThresholdFrom != "" && k.ThresholdFrom != drift.FromDefault {
			if k.Threshold == nil {
				row.Threshold = "off"
			}
			row.Threshold += ", " + text(k.OriginText())
		}
		out = append(out, row)
	}
	return out
}

func resultOf(k *drift.Check) string {
	switch {
	case k.Over:
		return "▲\u00a0over"
	case k.Value == nil:
		return "cannot be computed"
	case *k.Value >= *k.Threshold:
		return "may be chance"
	}
	return "under"
}

// isShare reports whether a score is a share of rows, which people read as percent.
func isShare(name drift.CheckName) bool {
	return name == drift.CheckNullRate || name == drift.CheckUnseen || name == drift.CheckOutOfRange
}

// figuresOf counts the rows of both sides. Lines of nothing but zeros are left out.
func figuresOf(f *drift.Feature) []figure {
	var current drift.Figures
	if f.Current != nil {
		current = *f.Current
	}
	count := func(n, rows int64) string {
		if n == 0 {
			return "0"
		}
		return english.Thousands(n) + " (" + percent(ratio(n, rows)) + ")"
	}
	out := []figure{{"All", english.Thousands(f.Reference.Rows), english.Thousands(current.Rows)}}
	for _, l := range []struct {
		name               string
		reference, current int64
		always             bool
	}{
		{"Null", f.Reference.Nulls, current.Nulls, true},
		{"NaN", f.Reference.NaNs, current.NaNs, false},
		{"Below the range", f.Reference.Below, current.Below, false},
		{"Above the range", f.Reference.Above, current.Above, false},
		{"Other categories", f.Reference.Other, current.Other, false},
	} {
		if l.always || l.reference != 0 || l.current != 0 {
			out = append(out, figure{l.name, count(l.reference, f.Reference.Rows), count(l.current, current.Rows)})
		}
	}
	if f.TakenOut > 0 {
		out = append(out, figure{"Left out, without a value", english.Thousands(f.TakenOut), "0"})
	}
	if l := f.LookUps; l != nil {
		out = append(out, figure{"Look-up: NOT_FOUND", none, count(l.NotFound, current.Rows)}, figure{"Look-up: OUTSIDE_MAX_AGE", none, count(l.OutsideMaxAge, current.Rows)})
	}
	if f.Reference.Mean != nil || current.Mean != nil {
		out = append(out, figure{"Mean", mean(f, f.Reference.Mean), mean(f, current.Mean)})
	}
	if f.Current == nil {
		for i := range out {
			out[i].Current = none
		}
	}
	return out
}

func mean(f *drift.Feature, x *float64) string {
	if x == nil || math.IsNaN(*x) {
		return none
	}
	return valueOf(f.Measure, *x)
}
