package drift

import (
	"math"

	"github.com/fstore-dev/fstore/stats"
)

// The noise of a score is meant to be what two samples of n and m values from one distribution exceed once in a thousand times. It is
// asymptotic or fitted: docs/drift.md says how often simulations exceed it.

// zRare is the 99.9th percentile of the standard normal distribution.
const zRare = 3.0902

// perRow returns 1/n + 1/m.
func perRow(n, m int64) float64 { return 1/float64(n) + 1/float64(m) }

// noiseOfPSI follows from the PSI's distribution for equal distributions: near (1/n + 1/m) · χ² with one degree of freedom less than
// there are cells with values (Yurdakul 2018). With few values in a cell the PSI varies more than that, above all where one side
// has none: by how much more is fitted to simulations of 4 to 50 cells and 200 to 5,000 values (TestNoiseIsRarelyExceeded).
func noiseOfPSI(reference, current *stats.Counts) float64 {
	cells := 0
	p, q := shares(current), shares(reference)
	for i := range p {
		if p[i] > 0 || q[i] > 0 {
			cells++
		}
	}
	each := perRow(reference.Values(), current.Values())
	return each * rareChiSquared(max(cells-1, 1)) * (1 + 2.5*float64(cells)*each)
}

// noiseOfJS: for close distributions the squared Jensen-Shannon distance, base 2, is the PSI / (8 · ln 2), by the second order of
// both.
func noiseOfJS(reference, current *stats.Counts) float64 {
	return math.Sqrt(noiseOfPSI(reference, current) / (8 * math.Ln2))
}

// noiseOfKS is the asymptotic quantile √(−½ · ln(α/2)) · √(1/n + 1/m) for α = 0.001 (Smirnov 1948).
func noiseOfKS(reference, current *stats.Counts) float64 {
	return math.Sqrt(-math.Log(0.001/2)/2) * math.Sqrt(perRow(reference.Values(), current.Values()))
}

// rareChiSquared returns the 99.9th percentile of χ² with k degrees of freedom, within 1 % (Wilson and Hilferty 1931).
func rareChiSquared(k int) float64 {
	v := 2 / (9 * float64(k))
	return float64(k) * math.Pow(1-v+zRare*math.Sqrt(v), 3)
}

// noiseOfWasserstein: for equal distributions √(n·m/(n+m)) · W tends to the integral of |B(F(x))|, where B is a Brownian
// bridge (del Barrio, Giné and Matrán 1999). Its mean is √(2/π) · ∫√(F·(1−F)); its 99.9th percentile is at most rareBridge times that
// integral: a round number above what simulations of several shapes of F gave. TestNoiseIsRarelyExceeded bounds the alarms.
func noiseOfWasserstein(reference, current *stats.Counts) float64 {
	return rareBridge * math.Sqrt(perRow(reference.Finite(), current.Finite())) * spread(reference)
}

const rareBridge = 2.8

// noiseOfRates is the 99.9th percentile, two-sided, of the difference of two observed rates with one pooled rate: normal, with one
// more of each and a correction for continuity, because rates near 0 are of a few rows.
func noiseOfRates(k, n, l, m int64) float64 {
	pooled := float64(k+l+1) / float64(n+m+2)
	return 3.2905*math.Sqrt(pooled*(1-pooled)*perRow(n, m)) + perRow(n, m)
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
