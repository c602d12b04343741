package report

import (
	"fmt"
	"strconv"

	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/stats"
)

// shownCategories is the most categories that have a line or a column of their own.
const shownCategories = 12

// Numbers with few bins are few distinct numbers, and have no shape between them. More than manyBins have no room to be drawn in.
const (
	fewBins  = 8
	manyBins = (shapeWidth - 3*(sideWidth+sideGap)) / narrowest
)

// distribution is how numbers are distributed: over the values, and over the reference's bins.
type distribution struct {
	Shape                  *drawing // nil: too few bins or too many
	ShapeTicks             []tick
	ShapeNote, ColumnsNote string
	Columns                drawing
	ColumnTicks            []tick
	From                   string // where the first bin begins
	Bins                   []bin
}

// tick is a label under a chart, at a place in percent of its width. It is centered there, or starts or ends there by its class.
type tick struct{ Class, At, Text string }

type bin struct{ UpTo, Reference, Current string }

// category is a line of the table of categories.
type category struct {
	Name, Note, Reference, Current string
	ReferenceWidth, CurrentWidth   string // percent of the longest bar
}

// groupsOf divides all rows of both sides into columns: what lies below the bins, the bins, what lies above, and what is missing.
// Categories stand apart from each other. Groups that no side has are left out.
func groupsOf(f *drift.Feature) [][]column {
	share := func(reference, current int64) column {
		return column{ratio(reference, f.Reference.Rows), ratio(current, f.Current.Rows)}
	}
	var out [][]column
	single := func(reference, current int64) {
		if reference != 0 || current != 0 {
			out = append(out, []column{share(reference, current)})
		}
	}
	single(f.Reference.Below, f.Current.Below)
	if f.Kind == stats.Categories {
		otherReference, otherCurrent := f.Reference.Other, f.Current.Other
		for i, b := range f.Bins {
			if i < shownCategories {
				out = append(out, []column{share(b.Reference, b.Current)})
				continue
			}
			otherReference, otherCurrent = otherReference+b.Reference, otherCurrent+b.Current
		}
		single(otherReference, otherCurrent)
	} else {
		bins := make([]column, 0, len(f.Bins))
		for _, b := range f.Bins {
			bins = append(bins, share(b.Reference, b.Current))
		}
		out = append(out, bins)
	}
	single(f.Reference.Above, f.Current.Above)
	single(f.Reference.Nulls+f.Reference.NaNs, f.Current.Nulls+f.Current.NaNs)
	return out
}

func distributionOf(f *drift.Feature, says string) *distribution {
	b := drawBars(groupsOf(f))
	d := &distribution{
		Columns: drawing{"bins", says + ", over the bins of the reference", b.Width, b.Reference, b.Current}, ColumnTicks: ticksOf(f, b.Width),
		ColumnsNote: fmt.Sprintf("The tallest column is %s of the rows.", percent(b.Tallest)),
		From:        edge(f, f.Bins[0].From),
	}
	if len(f.Bins) > fewBins && len(f.Bins) <= manyBins {
		s := drawShape(f)
		d.Shape, d.ShapeTicks = &drawing{"shape", says, shapeWidth, s.Reference, s.Current}, s.Ticks
		if s.Shortened {
			d.ShapeNote = "The outermost bins reach further than drawn."
		}
		if s.Cut {
			d.ShapeNote += " The highest column is cut."
		}
	}
	d.ColumnsNote += sidesNote(d.ColumnTicks)
	for _, x := range f.Bins {
		d.Bins = append(d.Bins, bin{
			edge(f, x.UpTo),
			percent(ratio(x.Reference, f.Reference.Rows)), percent(ratio(x.Current, f.Current.Rows)),
		})
	}
	return d
}

// sidesNote explains the columns beside the bins.
func sidesNote(ticks []tick) (out string) {
	for _, t := range ticks {
		switch t.Text {
		case below:
			out += " " + below + " is below the reference’s range."
		case above:
			out += " " + above + " is above the reference’s range."
		case missing:
			out += " " + missing + " is null or NaN."
		}
	}
	return out
}

// The labels of the columns beside the bins.
const (
	below   = "<"
	above   = ">"
	missing = "∅"
)

// ticksOf labels the edges of the first and the last bin and one between, and the columns beside the bins.
func ticksOf(f *drift.Feature, width int) []tick {
	var out []tick
	at := func(class string, x int, label string) { out = append(out, tick{class, percentOf(x, width), label}) }
	x := 0
	single := func(reference, current int64, label string) {
		if reference != 0 || current != 0 {
			at("", x+columnWidth/2, label)
			x += 2 * columnWidth
		}
	}
	single(f.Reference.Below, f.Current.Below, below)
	n := len(f.Bins)
	at("start", x, edge(f, f.Bins[0].From))
	if n > 2 {
		at("", x+n/2*columnWidth, edge(f, f.Bins[n/2-1].UpTo))
	}
	at("end", x+n*columnWidth, edge(f, f.Bins[n-1].UpTo))
	x += (n + 1) * columnWidth
	single(f.Reference.Above, f.Current.Above, above)
	single(f.Reference.Nulls+f.Reference.NaNs, f.Current.Nulls+f.Current.NaNs, missing)
	return out
}

func edge(f *drift.Feature, x *float64) string {
	if x == nil {
		return none
	}
	return valueOf(f.Measure, *x)
}

// categoriesOf lists the most frequent categories of the reference, the rest as one, what is unseen and what is missing.
func categoriesOf(f *drift.Feature) []category {
	var out []category
	longest := 0.0
	var shares []column
	add := func(name, note string, reference, current int64) {
		c := column{ratio(reference, f.Reference.Rows), ratio(current, f.Current.Rows)}
		longest = max(longest, c.reference, c.current)
		shares = append(shares, c)
		out = append(out, category{Name: name, Note: note, Reference: percent(c.reference), Current: percent(c.current)})
	}
	otherReference, otherCurrent := f.Reference.Other, f.Current.Other
	for i, b := range f.Bins {
		if i < shownCategories {
			add(text(*b.Category), "", b.Reference, b.Current)
			continue
		}
		otherReference, otherCurrent = otherReference+b.Reference, otherCurrent+b.Current
	}
	for _, u := range f.Unseen {
		add(text(u.Category), "unseen in the reference", 0, u.Current)
		otherCurrent -= u.Current
	}
	if otherReference > 0 || otherCurrent > 0 {
		add("other categories", "", otherReference, otherCurrent)
	}
	if missing := f.Reference.Nulls + f.Current.Nulls; missing > 0 {
		add("null", "missing", f.Reference.Nulls, f.Current.Nulls)
	}
	width := func(share float64) string { return strconv.FormatFloat(100*share/max(longest, 1e-9), 'f', 1, 64) }
	for i, c := range shares {
		out[i].ReferenceWidth, out[i].CurrentWidth = width(c.reference), width(c.current)
	}
	return out
}
