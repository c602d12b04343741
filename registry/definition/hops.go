package definition

import (
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// hop reads the steps in which an aggregation says that the starts of its windows move: 0 where it says nothing, or
// something wrong.
func (c *checker) hop(spec *AggregationSpec) fstore.Duration {
	hop := c.duration(spec.Hop)
	switch {
	case hop == nil:
		return 0
	case *hop == 0:
		c.problems.add(spec.Hop.Pos, "for example 1h", "hop is 0")
	case len(spec.Windows) > 0 && !slices.ContainsFunc(spec.Windows, func(w Text) bool { return w.Value != lifetime }):
		c.problems.add(spec.Hop.Pos, "remove it", "hop is for windows with a start, and lifetime has none")
	}
	return *hop
}

// hopOf returns the steps in which the start of a window moves: those stated; otherwise 1us, which does not round, where
// windows end at publications, and else the usual hop for the length. It returns 0 where there is none.
func (c *checker) hopOf(v *view, spec *AggregationSpec, length, stated fstore.Duration, text Text) fstore.Duration {
	published := v.spec.Publish != nil
	usual := window.DefaultHop(length)
	switch {
	case stated > 0 && length%stated != 0:
		c.problems.add(spec.Hop.Pos, "a hop that divides every window", "hop %s does not divide the window %s", stated, text.Value)
	case stated > 0 && !published && length/stated > window.MostTiles:
		c.problems.add(spec.Hop.Pos, "a longer hop, or publish", "hop %s cuts the window %s into %d tiles: a record holds at most %d", stated, text.Value, length/stated, window.MostTiles)
	case stated > 0:
		return stated
	case spec.Hop.given(): // it is wrong, and reported
	case published:
		return fstore.Duration(1000)
	case usual == 0:
		c.problems.add(text.Pos, "hop, for example a tenth of the window; or publish", "a window of %s needs a hop: only windows of 12s or more have one by default", text.Value)
	default:
		return usual
	}
	return 0
}

// nest reports a hop that neither divides the hop of another feature over the same values, nor is divided by it: the tiles
// of one could not be joined to those of the other.
func (c *checker) nest(v *view, spec *AggregationSpec, f *fstore.Feature) {
	for i := range v.def.Features {
		o := &v.def.Features[i]
		a, b := f.Window, o.Window
		if a.Function != b.Function || a.Expression != b.Expression || a.Where != b.Where || a.Hop == 0 || b.Hop == 0 || a.Hop%b.Hop == 0 || b.Hop%a.Hop == 0 {
			continue
		}
		pos := spec.Hop.Pos
		if !spec.Hop.given() {
			pos = spec.Pos
		}
		c.problems.add(pos, "one hop for both, or one that divides the other", "%s moves by %s, and %s, over the same values, by %s: neither divides the other",
			f.Name, a.Hop, o.Name, b.Hop)
		return
	}
}
