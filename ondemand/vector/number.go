package vector

import (
	"math"
	"math/bits"
)

// Number is a type with order and arithmetic.
type Number interface{ int64 | float64 }

// AddInts adds.
func AddInts(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		sum := a[i] + b[i]
		if (sum^a[i])&(sum^b[i]) < 0 {
			c.Fail(i, Overflow)
		}
		out[i] = sum
	}
}

// SubInts subtracts.
func SubInts(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		difference := a[i] - b[i]
		if (a[i]^b[i])&(a[i]^difference) < 0 {
			c.Fail(i, Overflow)
		}
		out[i] = difference
	}
}

// MulInts multiplies.
func MulInts(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = a[i] * b[i]
		high, low := bits.Mul64(uint64(a[i]), uint64(b[i]))
		high -= uint64(a[i]>>63)&uint64(b[i]) + uint64(b[i]>>63)&uint64(a[i]) // the high half of the signed product
		if int64(high) != int64(low)>>63 {
			c.Fail(i, Overflow)
		}
	}
}

// divisible reports whether a/b has a result. If not, the row fails.
func (c *Call) divisible(i int, a, b int64) bool {
	switch {
	case b == 0:
		c.Fail(i, DivisionByZero)
		return false
	case b == -1 && a == math.MinInt64:
		c.Fail(i, Overflow)
		return false
	}
	return true
}

// DivInts divides and rounds towards zero.
func DivInts(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = 0; c.divisible(i, a[i], b[i]) {
			out[i] = a[i] / b[i]
		}
	}
}

// ModInts returns the rest of DivInts, which has the sign of the dividend.
func ModInts(c *Call) {
	a, b, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = 0; c.divisible(i, a[i], b[i]) {
			out[i] = a[i] % b[i]
		}
	}
}

// NegInts changes the sign.
func NegInts(c *Call) {
	a, out := c.Args[0].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if a[i] == math.MinInt64 {
			c.Fail(i, Overflow)
		}
		out[i] = -a[i]
	}
}

// AddFloats adds.
func AddFloats(c *Call) {
	a, b, out := c.Args[0].Floats[:c.N], c.Args[1].Floats[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		out[i] = a[i] + b[i]
	}
}

// SubFloats subtracts.
func SubFloats(c *Call) {
	a, b, out := c.Args[0].Floats[:c.N], c.Args[1].Floats[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		out[i] = a[i] - b[i]
	}
}

// MulFloats multiplies.
func MulFloats(c *Call) {
	a, b, out := c.Args[0].Floats[:c.N], c.Args[1].Floats[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		out[i] = a[i] * b[i]
	}
}

// DivFloats divides.
func DivFloats(c *Call) {
	a, b, out := c.Args[0].Floats[:c.N], c.Args[1].Floats[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		out[i] = a[i] / b[i]
	}
}

// NegFloats changes the sign.
func NegFloats(c *Call) {
	a, out := c.Args[0].Floats[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		out[i] = -a[i]
	}
}
