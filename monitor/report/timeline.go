package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/stats"
)

// A timeline is drawn in a box as high as all charts.
const (
	timeWidth = 1000
	pad       = 12 // above the greatest and below the least value
)

// timeline is one figure of a feature over the windows of the current rows.
type timeline struct {
	Title, Range, Note, Says string
	Band, Level, Line        string // paths: where the reference lies, its mean or the threshold, and the windows
	Over                     string // the windows over a threshold, as points
	Ticks                    []string
}

// mark is a window's value; NaN where it has none.
type mark struct {
	value float64
	over  bool
}

// timesOf draws the score that is nearest to its threshold, the mean and the share of missing rows, each over the windows. What no
// window has is left out.
func timesOf(c *drift.Comparison, f *drift.Feature) []timeline {
	if len(c.Windows) < 2 || len(f.Windows) != len(c.Windows) {
		return nil
	}
	var all []timeline
	if worst := worstOverTime(f); worst != nil {
		all = append(all, scoreOverTime(c, f, worst))
	}
	if f.Kind == stats.Numbers && f.Reference.Mean != nil {
		all = append(all, meanOverTime(c, f))
	}
	if f.Reference.Missing() > 0 || f.Current != nil && f.Current.Missing() > 0 {
		all = append(all, missingOverTime(c, f))
	}
	return slices.DeleteFunc(all, func(t timeline) bool { return t.Line == "" })
}

// worstOverTime returns the check that is shown over time: the one of the whole comparison that is nearest to its threshold, and
// without one that of the windows.
func worstOverTime(f *drift.Feature) *drift.Check {
	worst := worstOf(f.Checks)
	for i := range f.Windows {
		if worst != nil {
			break
		}
		worst = worstOf(f.Windows[i].Checks)
	}
	return worst
}

func scoreOverTime(c *drift.Comparison, f *drift.Feature, of *drift.Check) timeline {
	marks := make([]mark, len(f.Windows))
	for i, w := range f.Windows {
		marks[i].value = math.NaN()
		for _, k := range w.Checks {
			if k.Name == of.Name && k.Value != nil && w.Verdict != drift.TooFew {
				marks[i] = mark{*k.Value, k.Over}
			}
		}
	}
	name := measureNames[of.Name]
	write := score
	if isShare(of.Name) {
		write = percent
	}
	t := draw(c, marks, []float64{0, *of.Threshold}, nil, of.Threshold)
	t.Title = name + " by " + text(c.By)
	t.Note = fmt.Sprintf("Dashed: the threshold of %s. %s", limit(of.Name, *of.Threshold), over(f, marks))
	t.Range = between(marks, write)
	t.Says = t.Title + ", " + t.Range
	return t
}

// over counts the windows whose score is over its threshold, and those without enough rows for one.
func over(f *drift.Feature, marks []mark) string {
	n, few := 0, 0
	for i, w := range f.Windows {
		if marks[i].over {
			n++
		}
		if w.Verdict == drift.TooFew {
			few++
		}
	}
	s := fmt.Sprintf("%d of %s over it, as large points.", n, english.Count(len(marks)-few, "window"))
	if few > 0 {
		s += " Left out: " + english.Count(few, "window") + " with too few rows."
	}
	return s
}

func meanOverTime(c *drift.Comparison, f *drift.Feature) timeline {
	marks := make([]mark, len(f.Windows))
	for i, w := range f.Windows {
		marks[i].value = math.NaN()
		if w.Figures.Mean != nil {
			marks[i].value = *w.Figures.Mean
		}
	}
	band := middleHalf(f)
	t := draw(c, marks, []float64{*f.Reference.Mean}, band, f.Reference.Mean)
	t.Title = "Mean by " + text(c.By)
	t.Note = fmt.Sprintf("Dashed: the reference’s mean, %s.", mean(f, f.Reference.Mean))
	if band != nil {
		t.Note += fmt.Sprintf(" Grey: half of the reference’s values, about %s to %s.", valueOf(f.Measure, band[0]), valueOf(f.Measure, band[1]))
	}
	t.Range = between(marks, func(x float64) string { return valueOf(f.Measure, x) })
	t.Says = t.Title + ", " + t.Range
	return t
}

func missingOverTime(c *drift.Comparison, f *drift.Feature) timeline {
	marks := make([]mark, len(f.Windows))
	for i, w := range f.Windows {
		marks[i].value = w.Figures.Missing()
	}
	level := f.Reference.Missing()
	t := draw(c, marks, []float64{0, level}, nil, &level)
	t.Title = "Missing by " + text(c.By)
	t.Note = fmt.Sprintf("Dashed: the reference, %s.", percent(level))
	t.Range = between(marks, percent)
	t.Says = t.Title + ", " + t.Range
	return t
}

// between says from where to where marks go, at least one of which has a value.
func between(marks []mark, write func(float64) string) string {
	least, greatest := math.Inf(1), math.Inf(-1)
	for _, m := range marks {
		if !math.IsNaN(m.value) {
			least, greatest = min(least, m.value), max(greatest, m.value)
		}
	}
	return "lowest " + write(least) + ", highest " + write(greatest)
}

// middleHalf estimates between which values half of the reference lies, a quarter of it below and a quarter above. nil: it has no
// bins.
func middleHalf(f *drift.Feature) []float64 {
	var in int64
	for _, b := range f.Bins {
		in += b.Reference
	}
	if in == 0 {
		return nil
	}
	quantile := func(p float64) float64 {
		left := p * float64(in)
		for _, b := range f.Bins {
			if n := float64(b.Reference); left <= n && n > 0 {
				return *b.From*(1-left/n) + *b.UpTo*(left/n) // a difference could overflow
			}
			left -= float64(b.Reference)
		}
		return *f.Bins[len(f.Bins)-1].UpTo
	}
	return []float64{quantile(0.25), quantile(0.75)}
}

// draw draws marks over time. The box has room for also and band too.
func draw(c *drift.Comparison, marks []mark, also, band []float64, level *float64) timeline {
	least, greatest := math.Inf(1), math.Inf(-1)
	grow := func(values ...float64) {
		for _, v := range values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				least, greatest = min(least, v), max(greatest, v)
			}
		}
	}
	grow(also...)
	grow(band...)
	for _, m := range marks {
		grow(m.value)
	}
	span := greatest/2 - least/2 // halves do not overflow
	y := func(v float64) int {
		if span <= 0 {
			return chartHeight / 2
		}
		return pad + int(math.Round((greatest/2-v/2)/span*(chartHeight-2*pad)))
	}
	t := timeline{}
	if band != nil {
		t.Band = fmt.Sprintf("M0 %dH%dV%dH0z", y(band[1]), timeWidth, y(band[0]))
	}
	if level != nil {
		t.Level = fmt.Sprintf("M0 %dH%d", y(*level), timeWidth)
	}
	first, last := c.Windows[0].From, c.Windows[len(c.Windows)-1].To
	whole := last.Sub(first).Seconds()
	drawn := false
	for i, m := range marks {
		if math.IsNaN(m.value) || math.IsInf(m.value, 0) {
			drawn = false
			continue
		}
		w := c.Windows[i]
		middle := w.From.Sub(first).Seconds() + w.To.Sub(w.From).Seconds()/2
		at := strconv.Itoa(int(math.Round(middle/whole*timeWidth))) + " " + strconv.Itoa(y(m.value))
		if drawn {
			t.Line += "L" + at
		} else {
			t.Line += "M" + at + "h0" // a window between two without values is a point
		}
		drawn = true
		if m.over {
			t.Over += "M" + at + "h0"
		}
	}
	t.Ticks = []string{instant(first), instant(last)}
	return t
}
