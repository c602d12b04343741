package drift

import (
	"math"

	"github.com/fstore-dev/fstore/stats"
)

// The noise of a score is what two samples of n and m values from one distribution exceed about once in a thousand times. It follows
// from the counts of both sides. docs/drift.md says how often simulations exceed it.

// Percentiles of the standard normal distribution: the 99.9th, and that of its absolute value.
const (
	zRare     = 3.0902
	zTwoSided = 3.2905
)

// perRow returns 1/n + 1/m.
func perRow(n, m int64) float64 { return 1/float64(n) + 1/float64(m) }

// noiseOfSum bounds a score that is a sum over cells, such as the PSI: term gives what a cell adds, of its shares of the current values
// and of the reference's. If both sides have one distribution, then, given the reference's n values of which r are in a cell, the
// number of m current values in it is beta-binomial: between two order statistics of the reference exactly so, and for a category by
// Jeffreys' prior. That gives the first three moments of every term. The bound is the 99.9th percentile of the Pearson type III
// distribution with the mean, the variance and the skewness of the sum (approximated as by Wilson and Hilferty 1931). With many values in
// every cell this is the known limit of the PSI, (1/n + 1/m) · χ² (Yurdakul 2018).
func noiseOfSum(reference, current *stats.Counts, term func(p, q float64) float64) float64 {
	n, m := reference.Values(), current.Values()
	known := map[int64]moments{} // bins mostly have the same counts
	var sum moments
	cells := 0.0
	theirs := cellsOf(current)
	for i, r := range cellsOf(reference) {
		if r == 0 && theirs[i] == 0 {
			continue
		}
		of, done := known[r]
		if !done {
			of = termByChance(r, n, m, term)
			known[r] = of
		}
		sum, cells = moments{sum.mean + of.mean, sum.variance + of.variance, sum.third + of.third}, cells+1
	}
	if cells < 2 || sum.mean <= 0 || sum.variance <= 0 {
		return 0
	}
	together := cells / (cells - 1) // terms rise together, because the shares add up to 1: exact for cells of equal shares
	deviation := math.Sqrt(sum.variance * together)
	skew := max(sum.third*together*together/(deviation*deviation*deviation), 1e-3)
	return sum.mean + deviation*2/skew*(math.Pow(1+skew*zRare/6-skew*skew/36, 3)-1)
}

// moments are the mean of a number, its variance and its third central moment.
type moments struct{ mean, variance, third float64 }

// termByChance returns the moments of the term of a cell that has r of n values of the reference, over the numbers of m current values
// that it may have by chance. It sums over at most 200 of these numbers, evenly spaced.
func termByChance(r, n, m int64, term func(p, q float64) float64) moments {
	a, b, size := float64(r)+0.5, float64(n-r)+0.5, float64(m)
	middle := size * a / (a + b)
	deviation := math.Sqrt(middle * b / (a + b) * (a + b + size) / (a + b + 1))
	least, most := math.Floor(max(0, middle-8*deviation)), math.Ceil(min(size, middle+12*deviation))
	step := math.Ceil((most - least + 1) / 200)
	lg := func(x float64) float64 { y, _ := math.Lgamma(x); return y }
	chance := func(k float64) float64 { // but for a factor
		return lg(k+a) + lg(size-k+b) - lg(k+1) - lg(size-k+1)
	}
	top := chance(math.Round(middle))
	var raw [4]float64 // moments about 0
	q := float64(r) / float64(n)
	for k := least; k <= most; k += step {
		w, x := math.Exp(chance(k)-top), term(k/size, q)
		for i := range raw {
			raw[i] += w
			w *= x
		}
	}
	mean, squares, cubes := raw[1]/raw[0], raw[2]/raw[0], raw[3]/raw[0]
	return moments{mean, max(squares-mean*mean, 0), cubes - 3*mean*squares + 2*mean*mean*mean}
}

// noiseOfPSI bounds the PSI.
func noiseOfPSI(reference, current *stats.Counts) float64 {
	return noiseOfSum(reference, current, psiTerm)
}

// noiseOfJS is the root of the bound of the squared distance, which is a sum over cells.
func noiseOfJS(reference, current *stats.Counts) float64 {
	return math.Sqrt(noiseOfSum(reference, current, jsTerm))
}

// noiseOfKS is the asymptotic quantile √(−½ · ln(α/2)) · √(1/n + 1/m) for α = 0.001 (Smirnov 1948).
func noiseOfKS(reference, current *stats.Counts) float64 {
	return math.Sqrt(-math.Log(0.001/2)/2) * math.Sqrt(perRow(reference.Values(), current.Values()))
}

// noiseOfWasserstein: for equal distributions √(n·m/(n+m)) · W tends to the integral of |B(H(x))|, where B is a Brownian bridge and H the
// share of values up to x (del Barrio, Giné and Matrán 1999). |B(h)| is the absolute value of a normal number with standard deviation
// √(h·(1−h)). Whatever the numbers at different x have to do with each other, their sum is no more spread out than if all rose and fell
// together, so the 99.9th percentile is taken of that: 3.29 · ∫√(H·(1−H)). H is that of both sides together, for a long tail may be
// seen on one side only.
//
// Current values beyond the reference's range add their whole distance to the score. Up to so many that one in a thousand times
// the greatest values of both sides are all current, that is chance too.
func noiseOfWasserstein(reference, current *stats.Counts) float64 {
	n, m := reference.Finite(), current.Finite()
	together := pooled(reference, current)
	if together == nil {
		return math.NaN()
	}
	bounds := reference.Edges.Bounds
	noise, h := 0.0, together[0].share
	for i := range len(bounds) - 1 {
		in, width := together[i+1], bounds[i+1]-bounds[i]
		if width > 0 {
			middle := h + (in.share*bounds[i+1]-in.sum)/width // the mean of H over the bin; √(h·(1−h)) is concave
			noise += width * math.Sqrt(max(middle*(1-middle), 0))
		}
		h += in.share
	}
	noise *= zTwoSided * math.Sqrt(perRow(n, m))
	counts, sums := current.FiniteSlots()
	last, most := len(counts)-1, math.Log(1000)/math.Log(float64(n+m)/float64(m))
	if float64(counts[0]) <= most {
		noise += (bounds[0]*float64(counts[0]) - sums[0]) / float64(m)
	}
	if float64(counts[last]) <= most {
		noise += (sums[last] - bounds[len(bounds)-1]*float64(counts[last])) / float64(m)
	}
	return noise
}

// pooled returns the masses of both sides together; nil if one has no finite number.
func pooled(reference, current *stats.Counts) []mass {
	p, q := massesOf(current, reference.MeansUnknown), massesOf(reference, reference.MeansUnknown)
	if p == nil || q == nil {
		return nil
	}
	of := float64(current.Finite()) / float64(current.Finite()+reference.Finite())
	for i := range p {
		p[i] = mass{of*p[i].share + (1-of)*q[i].share, of*p[i].sum + (1-of)*q[i].sum}
	}
	return p
}

// noiseOfRates is the 99.9th percentile, two-sided, of the difference of two observed rates with one pooled rate: normal, with one
// more of each and a correction for continuity, because rates near 0 are of a few rows.
func noiseOfRates(k, n, l, m int64) float64 {
	pooled := float64(k+l+1) / float64(n+m+2)
	return zTwoSided*math.Sqrt(pooled*(1-pooled)*perRow(n, m)) + perRow(n, m)
}

// noiseOfUnseen is what chance alone puts into categories that n values of the reference do not have, as a share of m other values. The
// share of values yet unseen is estimated by that of the categories seen once (Good 1953, who credits Turing). The estimate and the m
// values vary.
func noiseOfUnseen(counts []int64, n, m int64) float64 {
	once, twice := 0.0, 0.0
	for _, k := range counts {
		switch k {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	rows := float64(n)
	share := once / rows
	variance := share*(1-share)/float64(m) + (once+2*twice)/(rows*rows)
	return share + zRare*math.Sqrt(variance) + perRow(n, m)
}
