package load

import (
	"iter"
	"math"
	"math/bits"
	"time"
)

// Histogram counts durations in bins. Each power of two nanoseconds has 256 bins, so a quantile is at most 0.4 % above
// the duration that it stands for, and never below it. The zero Histogram is empty.
type Histogram struct {
	bins     []int64
	n        int64
	sum      time.Duration
	min, max time.Duration
}

const (
	binBits   = 8 // of a duration's leading bits, which choose its bin
	perOctave = 1 << binBits
)

// bin returns the bin of a duration. Durations below 2·256 ns have bins of their own.
func bin(d time.Duration) int {
	v := uint64(d)
	shift := max(0, bits.Len64(v)-binBits-1)
	return shift<<binBits + int(v>>shift)
}

// upper returns the longest duration of a bin.
func upper(bin int) time.Duration {
	shift := max(0, bin>>binBits-1)
	first := uint64(bin-shift<<binBits) << shift
	return time.Duration(first + 1<<shift - 1)
}

// Record counts a duration. A negative one counts as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(0, d)
	b := bin(d)
	if b >= len(h.bins) {
		h.bins = append(h.bins, make([]int64, b+1-len(h.bins))...)
	}
	h.bins[b]++
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.sum += d
	h.n++
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() int64 { return h.n }

// Min returns the shortest duration; 0 of none.
func (h *Histogram) Min() time.Duration { return h.min }

// Max returns the longest duration; 0 of none.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean returns the mean duration; 0 of none.
func (h *Histogram) Mean() time.Duration { return h.sum / time.Duration(max(1, h.n)) }

// Quantile returns the duration that the fraction q of all durations do not exceed; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(1, int64(math.Ceil(q*float64(h.n))))
	for b, n := range h.bins {
		if rank -= n; rank <= 0 {
			return min(upper(b), h.max)
		}
	}
	return h.max
}

// beyond is how many durations must lie beyond a quantile for it to mean something.
const beyond = 10

// Needed returns how many durations a quantile needs so that at least 10 lie beyond it: 1,000 for the 99th percentile.
func Needed(q float64) int64 { return int64(math.Round(beyond / (1 - q))) }

// Octaves returns the counts by powers of two: the durations up to an upper bound and above the one before. It leaves out
// powers below the shortest duration and above the longest.
func (h *Histogram) Octaves() iter.Seq2[time.Duration, int64] {
	return func(yield func(time.Duration, int64) bool) {
		sums := map[int]int64{}
		for b, n := range h.bins {
			sums[bits.Len64(uint64(upper(b)))] += n
		}
		if h.n == 0 {
			return
		}
		for power := bits.Len64(uint64(h.min)); power <= bits.Len64(uint64(h.max)); power++ {
			if !yield(time.Duration(1)<<power, sums[power]) {
				return
			}
		}
	}
}
