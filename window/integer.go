package window

import (
	"math"
	"math/bits"
)

// Integers of several words are in two's complement, lowest word first. Their widths are such that sums of as many rows as
// an int64 counts do not overflow; the functions below hold for every width.
type (
	// Int192 holds sums of units: see Units.
	Int192 [3]uint64
	// Int320 holds sums of squares of units.
	Int320 [5]uint64
)

// The sums of a sweep are made of the four methods below, so each of their words is written out.

// Add adds b.
func (a *Int192) Add(b Int192) {
	var carry uint64
	a[0], carry = bits.Add64(a[0], b[0], 0)
	a[1], carry = bits.Add64(a[1], b[1], carry)
	a[2], _ = bits.Add64(a[2], b[2], carry)
}

// Sub subtracts b.
func (a *Int192) Sub(b Int192) {
	var borrow uint64
	a[0], borrow = bits.Sub64(a[0], b[0], 0)
	a[1], borrow = bits.Sub64(a[1], b[1], borrow)
	a[2], _ = bits.Sub64(a[2], b[2], borrow)
}

// Add adds b.
func (a *Int320) Add(b *Int320) {
	var carry uint64
	a[0], carry = bits.Add64(a[0], b[0], 0)
	a[1], carry = bits.Add64(a[1], b[1], carry)
	a[2], carry = bits.Add64(a[2], b[2], carry)
	a[3], carry = bits.Add64(a[3], b[3], carry)
	a[4], _ = bits.Add64(a[4], b[4], carry)
}

// Sub subtracts b.
func (a *Int320) Sub(b *Int320) {
	var borrow uint64
	a[0], borrow = bits.Sub64(a[0], b[0], 0)
	a[1], borrow = bits.Sub64(a[1], b[1], borrow)
	a[2], borrow = bits.Sub64(a[2], b[2], borrow)
	a[3], borrow = bits.Sub64(a[3], b[3], borrow)
	a[4], _ = bits.Sub64(a[4], b[4], borrow)
}

// Int192From returns the integer high * 2^64 + low.
func Int192From(high int64, low uint64) Int192 {
	return Int192{low, uint64(high), uint64(high >> 63)}
}

// Negative reports whether a is below zero.
func (a *Int192) Negative() bool { return negative(a[:]) }

func subtractWords(a, b []uint64) {
	var borrow uint64
	for i := range a {
		a[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
}

func negative(a []uint64) bool { return int64(a[len(a)-1]) < 0 }

// negate makes a its negative.
func negate(a []uint64) {
	carry := uint64(1)
	for i := range a {
		a[i], carry = bits.Add64(^a[i], 0, carry)
	}
}

// widest is how many words the factors of multiply may have.
const widest = 5

// multiply sets out to the product of integers of any widths up to widest. It is as wide as both together.
func multiply(out, a, b []uint64) {
	var as, bs [widest]uint64
	minus := negative(a) != negative(b)
	a, b = as[:copy(as[:], a)], bs[:copy(bs[:], b)]
	if negative(a) {
		negate(a)
	}
	if negative(b) {
		negate(b)
	}
	clear(out)
	for i, x := range a {
		var carry uint64
		for j, y := range b {
			high, low := bits.Mul64(x, y)
			var c uint64
			low, c = bits.Add64(low, out[i+j], 0)
			high += c
			out[i+j], c = bits.Add64(low, carry, 0)
			carry = high + c
		}
		out[i+len(b)] = carry
	}
	if minus {
		negate(out)
	}
}

// toFloat returns the double nearest to a * 2^exponent, of two equally near the one whose last bit is zero.
func toFloat(a []uint64, exponent int) float64 {
	minus := negative(a)
	if minus {
		a = append([]uint64(nil), a...)
		negate(a)
	}
	top := len(a) - 1
	for top >= 0 && a[top] == 0 {
		top--
	}
	if top < 0 {
		return 0
	}
	// The 64 bits from the highest on, the last of them set if any below is: a double has room for 53, so that this one
	// only decides how ties are rounded.
	word, shift := a[top], bits.LeadingZeros64(a[top])
	below := uint64(0)
	if top > 0 {
		word = word<<shift | a[top-1]>>(64-shift)
		below = a[top-1] << shift
		for _, x := range a[:top-1] {
			below |= x
		}
	} else {
		word <<= shift
	}
	if below != 0 {
		word |= 1
	}
	x := math.Ldexp(float64(word), 64*top-shift+exponent)
	if minus {
		return -x
	}
	return x
}

// addShifted adds v * 2^shift to a, which has room for it.
func addShifted(a []uint64, v int64, shift uint) {
	if v == 0 {
		return
	}
	word, bit := int(shift/64), shift%64
	low, high := uint64(v)<<bit, uint64(v>>63)
	if bit > 0 {
		high = uint64(v >> (64 - bit))
	}
	rest := uint64(v >> 63) // of the words above
	var carry uint64
	for i := word; i < len(a); i++ {
		x := rest
		switch i {
		case word:
			x = low
		case word + 1:
			x = high
		}
		a[i], carry = bits.Add64(a[i], x, carry)
	}
}
