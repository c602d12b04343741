package window

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

// Groups computes features as of one instant from partial results, which an engine computes by grouping rows. The starts of
// the windows cut time into bands: the rows of a band are in the same windows. A window is its own band and all later ones.
// The engine groups the rows of each key by band and computes the parts that Parts lists. Groups adds them up, latest band
// first, with the arithmetic of Sweep.
type Groups struct {
	Parts []Part
	bands []int64 // their starts, the latest first
	t     int64   // the instant

	features []fstore.Feature
	order    []grouped // of the features, by band
	next     int       // of order: the first that has no value yet
}

// grouped is a feature that is computed from parts.
type grouped struct {
	feature, band int
	output        func(out *fstore.Column) error
}

// Part is a partial result: a quantity of a series, in one or more columns.
type Part struct {
	Series   int // of those given to NewGroups
	Quantity Quantity
	sum      partial
}

// Quantity says what a part is of the rows of a key in a band.
type Quantity int

// The quantities. Integers wider than an int64 are two columns, high and low: high * 2^63 + low, with low not negative. A
// null is a zero.
const (
	Passing  Quantity = iota // how many rows pass
	Values                   // how many values are not null
	Distinct                 // how many different values have their newest row in the band
	Least                    // the least value
	Greatest                 // the greatest value
	Integers                 // the sum of integers: two columns
	Doubles                  // the sum of doubles: see SplitLimit
	Squares                  // the sum of the squares of doubles: see SplitLimit
)

// partial adds up parts of one kind.
type partial interface {
	columns() int
	reset()
	enter(columns []fstore.Column, row int)
}

// Groupable reports whether Groups can compute a feature: its function needs no order, and its parts have a fixed size.
func Groupable(f *fstore.Feature) bool {
	switch f.Window.Function {
	case fstore.Count, fstore.CountDistinct, fstore.Sum, fstore.Mean, fstore.Stddev:
		return true
	case fstore.Min, fstore.Max:
		return f.Type != fstore.String && f.Type != fstore.Bytes
	case fstore.Percentile, fstore.First, fstore.Last, fstore.LastN:
	}
	return false
}

// NewGroups returns what computes the features that are Groupable. The other arguments are those of NewSweep, and the instant.
func NewGroups(features []fstore.Feature, all []Series, t int64) *Groups {
	g := &Groups{features: features, bands: Starts(features, t), t: t}
	for i := range features {
		if f := &features[i]; Groupable(f) {
			wanted := seriesOf(f)
			of := find(all, &wanted)
			band := slices.Index(g.bands, SpanOf(f.Window).Start(t))
			g.order = append(g.order, grouped{i, band, g.feature(f, of, all[of].Type)})
		}
	}
	slices.SortStableFunc(g.order, func(a, b grouped) int { return cmp.Compare(a.band, b.band) })
	return g
}

// Starts returns the starts of the windows of features at an instant, each once, the latest first.
func Starts(features []fstore.Feature, t int64) []int64 { return starts(features, t, Span.Start) }

// KeptStarts returns the starts of the tiles that a Recorder keeps at an instant, in the order of Starts.
func KeptStarts(features []fstore.Feature, t int64) []int64 { return starts(features, t, Span.kept) }

func starts(features []fstore.Feature, t int64, start func(Span, int64) int64) []int64 {
	var out []int64
	for i := range features {
		out = append(out, start(SpanOf(features[i].Window), t))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	slices.Reverse(out)
	return out
}

// Reset begins another key.
func (g *Groups) Reset() {
	g.next = 0
	for i := range g.Parts {
		g.Parts[i].sum.reset()
	}
}

// Enter takes the parts of a key's next band. Bands come in the order of Starts; those without rows may be missing. columns
// are those of Parts, one part after another. It appends to out, which has a column for each feature, the values of the
// windows that the band is not in.
func (g *Groups) Enter(band int, columns []fstore.Column, row int, out []fstore.Column) error {
	if err := g.append(band, out); err != nil {
		return err
	}
	for i := range g.Parts {
		p := g.Parts[i].sum
		p.enter(columns, row)
		columns = columns[p.columns():]
	}
	return nil
}

// End appends the values that are missing, after the last band of a key.
func (g *Groups) End(out []fstore.Column) error { return g.append(len(g.bands), out) }

// append appends the values of the windows that begin after a band.
func (g *Groups) append(band int, out []fstore.Column) error {
	for ; g.next < len(g.order) && g.order[g.next].band < band; g.next++ {
		f := &g.order[g.next]
		if err := f.output(&out[f.feature]); err != nil {
			feature := &g.features[f.feature]
			return fmt.Errorf("feature %s, over the rows %s: %w", feature.Name, rowsBetween(SpanOf(feature.Window), g.t, g.t), err)
		}
	}
	return nil
}

// feature returns how the value of a feature is appended to its column. It is null where no row passed.
func (g *Groups) feature(f *fstore.Feature, of int, t fstore.Type) func(out *fstore.Column) error {
	passing := addPart(g, of, Passing, &total{})
	output := g.function(f, of, t)
	return func(out *fstore.Column) error {
		if passing.n == 0 {
			out.AppendNull()
			return nil
		}
		return output(out)
	}
}

func (g *Groups) function(f *fstore.Feature, of int, t fstore.Type) func(out *fstore.Column) error {
	switch f.Window.Function {
	case fstore.Count:
		return addPart(g, of, Values, &total{}).append
	case fstore.CountDistinct:
		return addPart(g, of, Distinct, &total{}).append
	case fstore.Min:
		return g.extreme(of, Least, t)
	case fstore.Max:
		return g.extreme(of, Greatest, t)
	case fstore.Sum:
		if f.Type == fstore.Int64 {
			return addPart(g, of, Integers, &integerParts{}).append
		}
	default:
	}
	sum := addPart(g, of, Doubles, &doubleParts{})
	if f.Window.Function == fstore.Stddev {
		addPart(g, of, Squares, &squareParts{sum: &sum.Sum})
	}
	result := sum.of(f.Window.Function)
	return func(out *fstore.Column) error { return appendResult(out, result) }
}

func (g *Groups) extreme(of int, q Quantity, t fstore.Type) func(out *fstore.Column) error {
	sign := map[Quantity]int{Least: 1, Greatest: -1}[q]
	if t == fstore.Float32 || t == fstore.Float64 {
		return addPart(g, of, q, &best[float64]{sign: sign, at: floatAt, to: appendFloat}).append
	}
	return addPart(g, of, q, &best[int64]{sign: sign, at: intAt, to: appendInt}).append
}

// addPart returns the part of a series that is there, or adds made.
func addPart[P partial](g *Groups, of int, q Quantity, made P) P {
	for _, p := range g.Parts {
		if p.Series == of && p.Quantity == q {
			return p.sum.(P) // a quantity has one type of part
		}
	}
	g.Parts = append(g.Parts, Part{of, q, made})
	return made
}

// total adds up a count.
type total struct{ n int64 }

func (p *total) columns() int                     { return 1 }
func (p *total) reset()                           { p.n = 0 }
func (p *total) enter(c []fstore.Column, row int) { p.n += c[0].Int64s[row] }
func (p *total) append(out *fstore.Column) error  { out.AppendInt64(p.n); return nil }

// best keeps the least value, or the greatest where sign is -1.
type best[V value] struct {
	sign  int
	at    func(c *fstore.Column, row int) V
	to    func(c *fstore.Column, v V)
	found bool
	value V
}

func (p *best[V]) columns() int { return 1 }
func (p *best[V]) reset()       { p.found = false }

func (p *best[V]) enter(c []fstore.Column, row int) {
	if c[0].IsNull(row) {
		return
	}
	if v := p.at(&c[0], row); !p.found || p.sign*compareValues(v, p.value) < 0 {
		p.found, p.value = true, v
	}
}

func (p *best[V]) append(out *fstore.Column) error {
	if !p.found {
		out.AppendNull()
		return nil
	}
	p.to(out, p.value)
	return nil
}

// integerParts adds up sums of integers.
type integerParts struct{ intSum }

func (p *integerParts) columns() int { return 2 }

func (p *integerParts) enter(c []fstore.Column, row int) {
	if !c[0].IsNull(row) {
		p.n++
		addWide(p.sum[:], c, row, 0)
	}
}

// SplitLimit is the size that doubles must be below for their sums to be grouped: 2^66. A double is split, towards zero, into
// a whole number of eights and a rest in units of 2^-60, the last rounded as Units does. Both fit an int64:
//
//	x = (eights * 2^63 + rest) * 2^-60
//
// The part Doubles has the sums of eights and of rests, two columns each, then how many values are not null, then which odd
// values are among them. For squares, a double is split into three integers of at most 42 bits:
//
//	x = (a * 2^84 + b * 2^42 + c) * 2^-60
//	x² = (a² * 2^168 + 2ab * 2^126 + (2ac + b²) * 2^84 + 2bc * 2^42 + c²) * 2^-120
//
// The part Squares has the sums of these five products, in that order, two columns each. It comes after Doubles.
const SplitLimit = 1 << 66

// The bits of the odd values, which are not split.
const (
	OddNaN      = 1
	OddPositive = 2
	OddNegative = 4
)

// doubleParts adds up sums of doubles.
type doubleParts struct{ Sum }

func (p *doubleParts) columns() int { return 6 }
func (p *doubleParts) reset()       { p.Sum = Sum{} }

func (p *doubleParts) enter(c []fstore.Column, row int) {
	addWide(p.Units[:], c, row, 63)
	addWide(p.Units[:], c[2:], row, 0)
	p.Count += c[4].Int64s[row]
	odd := c[5].Int64s[row] // how many there are does not matter
	p.NaN += odd & OddNaN
	p.Positive += odd & OddPositive
	p.Negative += odd & OddNegative
}

// squareParts adds up sums of squares.
type squareParts struct{ sum *Sum }

func (p *squareParts) columns() int { return 10 }
func (p *squareParts) reset()       {} // with the sum

func (p *squareParts) enter(c []fstore.Column, row int) {
	for i := range 5 {
		addWide(p.sum.Squares[:], c[2*i:], row, uint(168-42*i))
	}
}

// addWide adds an integer of two columns, times 2^shift.
func addWide(to []uint64, c []fstore.Column, row int, shift uint) {
	addShifted(to, c[0].Int64s[row], shift+63)
	addShifted(to, c[1].Int64s[row], shift)
}
