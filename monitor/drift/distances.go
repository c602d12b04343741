package drift

import (
	"math"

	"github.com/fstore-dev/fstore/stats"
)

// cellsOf returns the number of values in each cell: of the bins of numbers, of which the first also takes what is below it and
// the last what is above; or of the categories, and of all others together. The reference's extremes are chance, so a cell beyond
// them would be too; CheckOutOfRange counts what is there.
func cellsOf(c *stats.Counts) []int64 {
	cells := append([]int64{}, c.Bins()...)
	if c.Edges.Kind == stats.Numbers {
		cells[0] += c.Low()
		cells[len(cells)-1] += c.High()
	} else {
		cells = append(cells, c.High())
	}
	return cells
}

// shares returns the share of each cell among the values that are neither null nor NaN.
func shares(c *stats.Counts) []float64 { return sharesOf(cellsOf(c), c) }

func sharesOf(cells []int64, c *stats.Counts) []float64 {
	out := make([]float64, len(cells))
	n := float64(c.Values())
	if n == 0 {
		return out
	}
	for i, k := range cells {
		out[i] = float64(k) / n
	}
	return out
}

// withOutside returns the shares below the bins of numbers, in each bin, and above. Infinities are below and above.
func withOutside(c *stats.Counts) []float64 {
	return sharesOf(append(append([]int64{c.Low()}, c.Bins()...), c.High()), c)
}

// emptyShare stands for the share of an empty cell in the PSI, as in Evidently.
const emptyShare = 0.0001

// PSI returns the population stability index: Σ (p − q) · ln(p / q) over the cells, where p and q are their shares of the values of
// the current rows and of the reference. An empty cell counts as a share of 0.0001 if it is empty on one side. It is 0 for equal
// shares, symmetric, and has no upper bound. (Siddiqi, Credit Risk Scorecards, 2006. It is the Jeffreys divergence,
// Jeffreys 1946, in nats.)
func PSI(reference, current *stats.Counts) float64 {
	psi := 0.0
	p, q := shares(current), shares(reference)
	for i := range p {
		psi += psiTerm(p[i], q[i])
	}
	return psi
}

// psiTerm returns what a cell adds to the PSI.
func psiTerm(p, q float64) float64 {
	if p == q {
		return 0
	}
	if p == 0 {
		p = emptyShare
	}
	if q == 0 {
		q = emptyShare
	}
	return (p - q) * math.Log(p/q)
}

// JS returns the Jensen-Shannon distance: the square root of ½·KL(p‖m) + ½·KL(q‖m) with m = (p + q) / 2 and logarithms to base 2,
// over the same cells as PSI. It is a metric between 0 and 1. (Lin 1991; Endres and Schindelin 2003. It is
// scipy.spatial.distance.jensenshannon(p, q, base=2). Evidently takes natural logarithms: its distance is 0.8326 times this one.)
func JS(reference, current *stats.Counts) float64 {
	divergence := 0.0
	p, q := shares(current), shares(reference)
	for i := range p {
		divergence += jsTerm(p[i], q[i])
	}
	return math.Sqrt(min(max(divergence, 0), 1))
}

// jsTerm returns what a cell adds to the square of JS.
func jsTerm(p, q float64) float64 {
	m, out := (p+q)/2, 0.0
	for _, x := range []float64{p, q} {
		if x > 0 {
			out += x / 2 * math.Log2(x/m)
		}
	}
	return out
}

// KS returns bounds of the Kolmogorov-Smirnov statistic: the largest difference between the shares of values up to x, over all x.
// atLeast is the difference at the bounds of bins, where it is exact. The statistic of the rows lies between the two, because
// within a bin the shares only grow. (scipy.stats.ks_2samp(a, b).statistic. Infinities count, as the smallest and largest values.)
func KS(reference, current *stats.Counts) (atLeast, atMost float64) {
	p, q := withOutside(current), withOutside(reference)
	f, g := 0.0, 0.0 // up to here
	for i := range p {
		nextF, nextG := f+p[i], g+q[i]
		atLeast = max(atLeast, math.Abs(nextF-nextG))
		if p[i] > 0 && q[i] > 0 { // where one side has no value, the extremes are at the ends
			atMost = max(atMost, nextF-g, nextG-f)
		}
		f, g = nextF, nextG
	}
	atLeast = min(atLeast, 1) // a sum of shares may be rounded up
	return atLeast, min(max(atLeast, atMost), 1)
}

// Wasserstein returns bounds of the Wasserstein-1 distance of the finite numbers: the integral of |F(x) − G(x)|, where F and G are
// the shares of values up to x. It is in units of the feature. (scipy.stats.wasserstein_distance.)
//
// Counts and sums of a bin tell the integrals of F and of G over it. The difference of the two integrals is exact if F and G do not
// cross within the bin, and otherwise too small: so atLeast. Below and above the bins of the reference only one of them
// differs from 0 or 1, so nothing is lost there, however far the values are. Where the reference has no sums (format 2 of locks), the
// values are taken to be evenly spread within each bin, and both results are estimates. Both are NaN if a side has no finite number.
func Wasserstein(reference, current *stats.Counts) (atLeast, atMost float64) {
	e := reference.Edges
	p, q := massesOf(current, reference.MeansUnknown), massesOf(reference, reference.MeansUnknown)
	if p == nil || q == nil {
		return math.NaN(), math.NaN()
	}
	last := len(e.Bounds) - 1
	// below: the integral of F up to the first bound is its mass times the bound, less its sum
	atLeast = math.Abs((p[0].share*e.Bounds[0] - p[0].sum) - (q[0].share*e.Bounds[0] - q[0].sum))
	atMost = atLeast
	f, g := p[0].share, q[0].share
	for i := range last {
		least, most := binDistance(p[i+1], q[i+1], f, g, e.Bounds[i], e.Bounds[i+1])
		atLeast, atMost = atLeast+least, atMost+most
		f, g = f+p[i+1].share, g+q[i+1].share
	}
	above := math.Abs((p[last+1].sum - p[last+1].share*e.Bounds[last]) - (q[last+1].sum - q[last+1].share*e.Bounds[last]))
	return atLeast + above, atMost + above
}

// mass is a share of the finite numbers and their sum, divided by the number of all finite numbers.
type mass struct{ share, sum float64 }

// massesOf returns the masses below the bins, in each bin, and above; nil without a finite number.
func massesOf(c *stats.Counts, spread bool) []mass {
	counts, sums := c.FiniteSlots()
	n := float64(c.Finite())
	if n == 0 {
		return nil
	}
	out := make([]mass, len(counts))
	for i, k := range counts {
		out[i] = mass{float64(k) / n, sums[i] / n}
		if spread && 0 < i && i < len(counts)-1 {
			out[i].sum = out[i].share * (c.Edges.Bounds[i-1] + c.Edges.Bounds[i]) / 2
		}
	}
	return out
}

// binDistance bounds the integral of |F − G| from a to b. F is f at a, and p lies above a, up to b; G is g at a, and has q there.
func binDistance(p, q mass, f, g, a, b float64) (atLeast, atMost float64) {
	width := b - a
	// The integral of F over the bin is width·f plus, for every value x in it, the way from x to b.
	atLeast = math.Abs((width*f + p.share*b - p.sum) - (width*g + q.share*b - q.sum))
	if f >= g+q.share || g >= f+p.share { // they do not cross
		return atLeast, atLeast
	}
	pointwise := width * max(f+p.share-g, g+q.share-f)
	fromLeft := width*math.Abs(f-g) + (p.share*b - p.sum) + (q.share*b - q.sum)
	fromRight := width*math.Abs(f+p.share-g-q.share) + (p.sum - p.share*a) + (q.sum - q.share*a)
	return atLeast, max(atLeast, min(pointwise, fromLeft, fromRight))
}
