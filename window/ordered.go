package window

import (
	"math"
	"slices"
	"sort"
)

// ordered is a multiset of doubles that tells the k-th smallest. It is a list of sorted runs, each before the next, so that
// adding and removing move a few hundred values at most.
type ordered struct {
	runs [][]float64 // none is empty
	n    int
}

// longestRun is how many values a run may have before it is cut in half.
const longestRun = 512

func (o *ordered) reset() { o.runs, o.n = o.runs[:0], 0 }

// run returns the first run whose last value is not below x, or the last run.
func (o *ordered) run(x float64) int {
	i := sort.Search(len(o.runs), func(i int) bool {
		r := o.runs[i]
		return compareValues(r[len(r)-1], x) >= 0
	})
	return min(i, len(o.runs)-1)
}

func (o *ordered) add(x float64) {
	o.n++
	if len(o.runs) == 0 {
		o.runs = append(o.runs, append(make([]float64, 0, longestRun), x))
		return
	}
	i := o.run(x)
	at, _ := slices.BinarySearchFunc(o.runs[i], x, compareValues[float64])
	o.runs[i] = slices.Insert(o.runs[i], at, x)
	if r := o.runs[i]; len(r) == longestRun {
		half := append(make([]float64, 0, longestRun), r[longestRun/2:]...)
		o.runs[i] = r[:longestRun/2]
		o.runs = slices.Insert(o.runs, i+1, half)
	}
}

// remove takes one value away that is there.
func (o *ordered) remove(x float64) {
	o.n--
	i := o.run(x)
	at, _ := slices.BinarySearchFunc(o.runs[i], x, compareValues[float64])
	o.runs[i] = slices.Delete(o.runs[i], at, at+1)
	if len(o.runs[i]) == 0 {
		o.runs = slices.Delete(o.runs, i, i+1)
	}
}

// at returns the k-th smallest value, from 0.
func (o *ordered) at(k int) float64 {
	for _, r := range o.runs {
		if k < len(r) {
			return r[k]
		}
		k -= len(r)
	}
	return math.NaN() // not reached: k is below n
}

// percentile returns the value at a share p of the way through the sorted values, interpolated between the two nearest ones
// as DuckDB's quantile_cont does. There is at least one value.
func (o *ordered) percentile(p float64) float64 {
	place := p * float64(o.n-1)
	low, high := o.at(int(math.Floor(place))), o.at(int(math.Ceil(place)))
	return interpolate(low, high, place-math.Floor(place))
}

func interpolate(low, high, share float64) float64 {
	if share == 0 || low == high {
		return low
	}
	return float64(low*(1-share)) + float64(high*share)
}
