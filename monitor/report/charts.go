package report

import (
	"math"
	"strconv"
)

// A chart is drawn in a box of its own units, which the page stretches to the size that it has for it. So charts have no words, which
// would be stretched too: those are text of the page.
const (
	chartHeight = 200
	columnWidth = 10 // of a column, with the space to the next
)

// column is a part of a distribution: its share of all rows in the reference and in the current rows, from 0 to 1.
type column struct{ reference, current float64 }

// bars draws distributions beside each other in one box. Columns of one group touch; groups stand apart.
type bars struct {
	Width              int
	Reference, Current string  // paths
	Tallest            float64 // the share that is as high as the box
}

// drawBars draws groups of columns. The reference is filled columns, and the current rows are the outline over them.
func drawBars(groups [][]column) bars {
	tallest, width := 0.0, 0
	for _, g := range groups {
		for _, c := range g {
			tallest = max(tallest, c.reference, c.current)
		}
		width += (len(g) + 1) * columnWidth
	}
	b := bars{Width: max(width-columnWidth, columnWidth), Tallest: tallest}
	if tallest == 0 {
		return b
	}
	var reference, current path
	x := 0
	for _, g := range groups {
		if len(g) == 0 {
			continue
		}
		reference.to(x, chartHeight)
		current.to(x, chartHeight)
		for i, c := range g {
			reference.up(heightOf(c.reference, tallest)).right(columnWidth - 1).up(0)
			current.up(heightOf(c.current, tallest)).right(columnWidth)
			if i < len(g)-1 {
				reference.right(1)
			}
		}
		reference.close()
		current.up(0).close()
		x += (len(g) + 1) * columnWidth
	}
	b.Reference, b.Current = reference.String(), current.String()
	return b
}

// heightOf scales a share. What is there at all is seen.
func heightOf(share, tallest float64) int {
	h := int(math.Round(share / tallest * chartHeight))
	if share > 0 && h < 2 {
		return 2
	}
	return h
}

// path writes the data of an SVG path. Heights are measured from the bottom of the box.
type path struct {
	out    []byte
	height int
}

func (p *path) String() string { return string(p.out) }

func (p *path) to(x, y int) {
	p.out = append(p.out, 'M')
	p.out = strconv.AppendInt(p.out, int64(x), 10)
	p.out = append(p.out, ' ')
	p.out = strconv.AppendInt(p.out, int64(y), 10)
	p.height = chartHeight - y
}

// up draws up or down to a height.
func (p *path) up(height int) *path {
	return p.step('v', p.height-height, func() { p.height = height })
}

func (p *path) right(by int) *path { return p.step('h', by, func() {}) }

func (p *path) step(command byte, by int, done func()) *path {
	if by != 0 {
		p.out = append(p.out, command)
		p.out = strconv.AppendInt(p.out, int64(by), 10)
	}
	done()
	return p
}

func (p *path) close() { p.out = append(p.out, 'z') }
