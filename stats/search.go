package stats

import "math"

// Search finds the bin of a number.
type Search struct{ bounds []float64 } // with infinities up to a power of two less one

// NewSearch returns the search among the upper bounds of bins, which ascend.
func NewSearch(bounds []float64) Search {
	size := 1
	for size <= len(bounds) {
		size *= 2
	}
	s := Search{append(make([]float64, 0, size-1), bounds...)}
	for len(s.bounds) < size-1 {
		s.bounds = append(s.bounds, math.Inf(1))
	}
	return s
}

// Above returns how many bounds x is above: the index of the bin that holds x, or the number of bins. NaN is above none. It is
// a binary search without branches that depend on x, because such branches would mostly be mispredicted.
func (s Search) Above(x float64) int {
	at := 0
	for step := (len(s.bounds) + 1) / 2; step > 0; step /= 2 {
		above := 0
		if x > s.bounds[at+step-1] {
			above = step
		}
		at += above
	}
	return at
}
