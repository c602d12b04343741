package report

import (
	"math"
	"slices"
	"strconv"

	"github.com/fstore-dev/fstore/monitor/drift"
)

// The box of a shape: the values in the middle, and columns for what lies below and above them and for what is missing.
const (
	shapeWidth = 1000
	sideWidth  = 34
	sideGap    = 26
	narrowest  = 12  // of a bin, so that a value that is frequent by itself is seen
	tailRoom   = 0.3 // of the middle nine tenths of the reference: how far the first and the last bin are drawn at most
	spike      = 3.0 // a density that is so many times the next is cut
)

// shape is both distributions over the values themselves. A column of the middle is as high as its share divided by its width; a
// column at the side is as high as its share, and the whole box is all rows.
type shape struct {
	Reference, Current string
	Ticks              []tick
	Shortened, Cut     bool // the outer bins are drawn narrower than they are; a column is higher than the box
}

// place is where a bin is drawn.
type place struct{ from, to int }

func drawShape(f *drift.Feature) *shape {
	s := &shape{}
	left, right := 0, shapeWidth
	var reference, current []byte
	side := func(at int, label string, r, c int64) {
		reference = sideColumn(reference, at, ratio(r, f.Reference.Rows))
		current = sideColumn(current, at, ratio(c, f.Current.Rows))
		s.Ticks = append(s.Ticks, tick{"", percentOf(at+sideWidth/2, shapeWidth), label})
	}
	if r, c := f.Reference.Below, f.Current.Below; r+c > 0 {
		side(0, below, r, c)
		left += sideWidth + sideGap
	}
	if r, c := f.Reference.Nulls+f.Reference.NaNs, f.Current.Nulls+f.Current.NaNs; r+c > 0 {
		right -= sideWidth
		side(right, missing, r, c)
		right -= sideGap
	}
	if r, c := f.Reference.Above, f.Current.Above; r+c > 0 {
		right -= sideWidth
		side(right, above, r, c)
		right -= sideGap
	}
	places, from, to := s.places(f.Bins, left, right)
	density := func(of func(*drift.Bin) int64, rows int64) []float64 {
		out := make([]float64, len(places))
		for i, p := range places {
			out[i] = ratio(of(&f.Bins[i]), rows) / float64(p.to-p.from)
		}
		return out
	}
	old := density(func(b *drift.Bin) int64 { return b.Reference }, f.Reference.Rows)
	now := density(func(b *drift.Bin) int64 { return b.Current }, f.Current.Rows)
	top := s.top(old, now)
	s.Reference = string(steps(reference, places, old, top))
	s.Current = string(steps(current, places, now, top))
	s.Ticks = append(s.Ticks, tick{"start", percentOf(left, shapeWidth), valueOf(f.Measure, from)},
		tick{"", percentOf((left+right)/2, shapeWidth), valueOf(f.Measure, from/2+to/2)}, tick{"end", percentOf(right, shapeWidth), valueOf(f.Measure, to)})
	return s
}

// places says where bins are drawn, and the values at both ends. The first and the last bin may reach far: they are drawn shortened.
func (s *shape) places(bins []drift.Bin, left, right int) (out []place, from, to float64) {
	n := len(bins)
	from, to = *bins[0].From, *bins[n-1].UpTo
	if inner, outer := *bins[0].UpTo, *bins[n-1].From; outer > inner {
		room := tailRoom*outer - tailRoom*inner // parts do not overflow
		if inner-room > from {
			from, s.Shortened = inner-room, true
		}
		if outer+room < to {
			to, s.Shortened = outer+room, true
		}
	}
	x := func(v float64) int {
		if to <= from {
			return left
		}
		return left + int(math.Round(float64(right-left)*(min(max(v, from), to)/2-from/2)/(to/2-from/2)))
	}
	for _, b := range bins {
		out = append(out, place{x(*b.From), x(*b.UpTo)})
	}
	// A bin that is too narrow to see takes room from its neighbours, from the left to the right and back.
	for i := range out {
		if i > 0 {
			out[i].from = out[i-1].to
		}
		out[i].to = max(out[i].to, out[i].from+narrowest)
	}
	for i, end := n-1, right; i >= 0 && out[i].to > end; i-- {
		out[i].to = end
		end = min(out[i].from, end-narrowest)
		out[i].from = end
	}
	return out, from, to
}

// top is the density that is as high as the box. One that is much greater than all others is cut, or it would flatten them.
func (s *shape) top(old, now []float64) float64 {
	all := slices.Concat(old, now)
	slices.Sort(all)
	greatest := all[len(all)-1]
	// The greatest of both sides may be the same spike twice.
	if next := all[max(0, len(all)-3)]; next > 0 && greatest > spike*next {
		s.Cut = true
		return spike * next
	}
	return greatest
}

// steps draws columns that touch.
func steps(out []byte, places []place, density []float64, top float64) []byte {
	if top == 0 {
		return out
	}
	out = append(out, 'M')
	out = strconv.AppendInt(out, int64(places[0].from), 10)
	out = append(out, " 200"...)
	for i, p := range places {
		out = append(out, 'V')
		out = strconv.AppendInt(out, int64(chartHeight-heightOf(min(density[i], top), top)), 10)
		out = append(out, 'H')
		out = strconv.AppendInt(out, int64(p.to), 10)
	}
	return append(out, "V200z"...)
}

// sideColumn draws a column at the side.
func sideColumn(out []byte, at int, share float64) []byte {
	if share == 0 {
		return out
	}
	return steps(out, []place{{at, at + sideWidth}}, []float64{share}, 1)
}

func percentOf(x, width int) string {
	return strconv.FormatFloat(100*float64(x)/float64(width), 'f', 1, 64)
}
