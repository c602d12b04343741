package window

import (
	"math"
	"math/bits"

	"github.com/fstore-dev/fstore"
)

// Resolution is the power of two that doubles are summed in units of: a unit is 2^-60. A double of at least 2^-8 in size is
// a whole number of units; smaller ones are rounded to the nearest, ties to even.
const Resolution = -60

// Limit is the size that no value and no sum may reach: 2^67, about 1.4e20.
const Limit = 1 << 67

// Units returns a finite value in units. ok is false where it is Limit or more in size.
func Units(x float64) (units Int192, ok bool) {
	if !(math.Abs(x) < Limit) {
		return Int192{}, false
	}
	if x == 0 {
		return Int192{}, true
	}
	// x = word * 2^shift units, where word has 53 bits at most
	all := math.Float64bits(x)
	word, exponent := all&(1<<52-1), int(all>>52)&(1<<11-1)
	if exponent > 0 {
		word |= 1 << 52
	}
	switch shift := max(exponent, 1) - 1075 - Resolution; {
	case shift >= 64:
		units = Int192{0, word << (shift - 64), 0}
	case shift > 0:
		units = Int192{word << shift, word >> (64 - shift), 0}
	default:
		units = Int192{uint64(math.RoundToEven(math.Ldexp(float64(word), shift)))}
	}
	if x < 0 {
		negate(units[:])
	}
	return units, true
}

// Sum is a sum of doubles, and what their mean and deviation need. It is a value of its rows alone: neither their order nor
// their grouping changes a bit of it. The zero Sum has no rows.
type Sum struct {
	Count    int64 // values that are not null, those below among them
	NaN      int64
	Positive int64 // infinities
	Negative int64
	Units    Int192 // of the finite values
	Squares  Int320 // of their units; zero unless it is asked for
}

// Add adds a value, with its square if squares is set. It returns false, and leaves the sum as it was, where the value is
// beyond the range.
func (s *Sum) Add(x float64, squares bool) bool {
	switch {
	case math.IsNaN(x):
		s.NaN++
	case math.IsInf(x, 1):
		s.Positive++
	case math.IsInf(x, -1):
		s.Negative++
	default:
		units, ok := Units(x)
		if !ok {
			return false
		}
		s.Units.Add(units)
		if squares {
			q := square(units)
			s.Squares.Add(&q)
		}
	}
	s.Count++
	return true
}

// square returns the square of a value in units, whose size is below 2^127.
func square(units Int192) Int320 {
	if units.Negative() {
		negate(units[:])
	}
	// (high * 2^64 + low)² = high² * 2^128 + 2 * high * low * 2^64 + low²
	low, high := units[0], units[1]
	var out Int320
	out[1], out[0] = bits.Mul64(low, low)
	out[3], out[2] = bits.Mul64(high, high)
	top, bottom := bits.Mul64(high, low)
	out.Add(&Int320{0, bottom << 1, top<<1 | bottom>>63, top >> 63})
	return out
}

// Remove takes away the rows of another sum, all of which are among those of s.
func (s *Sum) Remove(o *Sum) {
	s.Count -= o.Count
	s.NaN -= o.NaN
	s.Positive -= o.Positive
	s.Negative -= o.Negative
	s.Units.Sub(o.Units)
	if o.Squares != (Int320{}) {
		s.Squares.Sub(&o.Squares)
	}
}

// special returns the sum of values that are not all finite.
func (s *Sum) special() (x float64, is bool) {
	switch {
	case s.NaN > 0 || s.Positive > 0 && s.Negative > 0:
		return math.NaN(), true
	case s.Positive > 0:
		return math.Inf(1), true
	case s.Negative > 0:
		return math.Inf(-1), true
	}
	return 0, false
}

// ErrRange is the error of a sum that is Limit or more in size.
var ErrRange = fstore.Errorf(fstore.ErrInvalid, "a sum is 2^67 (1.4e20) or more")

// Float returns the double nearest to the sum: null where there are no values, and the error ErrRange where it is beyond the
// range. NaN and infinities give what adding them gives.
func (s *Sum) Float() (x float64, null bool, err error) {
	if s.Count == 0 {
		return 0, true, nil
	}
	if x, is := s.special(); is {
		return x, false, nil
	}
	size := s.Units
	if size.Negative() {
		negate(size[:])
	}
	if size[2] != 0 || size[1] >= 1<<63 {
		return 0, false, ErrRange
	}
	return toFloat(s.Units[:], Resolution), false, nil
}

// Mean returns the sum divided by the count, both rounded to doubles first.
func (s *Sum) Mean() (x float64, null bool, err error) {
	x, null, err = s.Float()
	return x / float64(s.Count), null, err
}

// Stddev returns the sample standard deviation,
//
//	sqrt((n Σx² - (Σx)²) / (n (n-1)))
//
// whose numerator is exact and is rounded once. It is null where there are fewer than two values, and NaN where one of them
// is not finite. The sum must have been made with squares.
func (s *Sum) Stddev() (x float64, null bool) {
	if s.Count < 2 {
		return 0, true
	}
	if _, is := s.special(); is {
		return math.NaN(), false
	}
	var numerator, squared [6]uint64
	multiply(numerator[:], s.Squares[:], []uint64{uint64(s.Count)})
	multiply(squared[:], s.Units[:], s.Units[:])
	subtractWords(numerator[:], squared[:])
	return math.Sqrt(toFloat(numerator[:], 2*Resolution) / (float64(s.Count) * float64(s.Count-1))), false
}

// of returns how a function of the sum is computed: sum, mean or stddev.
func (s *Sum) of(f fstore.Function) func() (x float64, null bool, err error) {
	switch f {
	case fstore.Mean:
		return s.Mean
	case fstore.Stddev:
		return func() (float64, bool, error) { x, null := s.Stddev(); return x, null, nil }
	default:
		return s.Float
	}
}

// AddInt adds two sums of integers. ok is false where the result is not an int64.
func AddInt(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (a < 0) != (b < 0) || (sum < 0) == (a < 0)
}
