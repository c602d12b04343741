package stats

import "math"

// Singly divides numbers of few values exactly: each has a bin of its own, and the numbers between two of them have another. It needs
// counts whose bins each hold one value, repeated: bins is how many values there are. It returns nil for other counts.
func (c *Counts) Singly(values int64) *Counts {
	e := c.Edges
	if e.Kind != Numbers || int64(e.Bins()) != values || e.Bounds[0] != e.Bounds[1] {
		return nil
	}
	single := &Edges{Kind: Numbers, Bounds: e.Bounds[:1:1]}
	for i, x := range e.Bounds[1:] {
		if c.Bins()[i] == 0 {
			return nil
		}
		if before := math.Nextafter(x, math.Inf(-1)); before > e.Bounds[i] {
			single.Bounds, single.Between = append(single.Bounds, before), append(single.Between, true)
		}
		single.Bounds, single.Between = append(single.Bounds, x), append(single.Between, false)
	}
	single.search = NewSearch(single.Bounds[1:])
	out := single.NewCounts()
	out.MeansUnknown = c.MeansUnknown
	copy(out.Slots, c.Slots[:firstBin])
	copy(out.Sums, c.Sums[:firstBin])
	copy(out.Slots[single.above():], c.Slots[e.above():])
	copy(out.Sums[single.above():], c.Sums[e.above():])
	from := firstBin
	for i, between := range single.Between {
		if !between {
			out.Slots[firstBin+i], out.Sums[firstBin+i] = c.Slots[from], c.Sums[from]
			from++
		}
	}
	return out
}

// Between returns the number of values between those of the reference. It is 0 unless the edges are from Singly.
func (c *Counts) Between() (n int64) {
	for i, between := range c.Edges.Between {
		if between {
			n += c.Bins()[i]
		}
	}
	return n
}
