package vector

import (
	"math"

	"github.com/fstore-dev/fstore/ondemand/mathx"
)

// MapFloats returns a kernel that makes a float from a float.
func MapFloats(f func(float64) float64) Kernel {
	return func(c *Call) {
		a, out := c.Args[0].Floats[:c.N], c.Out.FloatsFor(c.N)
		for i := range out {
			out[i] = f(a[i])
		}
	}
}

// TestFloats returns a kernel that tests a float.
func TestFloats(test func(float64) bool) Kernel {
	return func(c *Call) {
		a, out := c.Args[0].Floats[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = test(a[i])
		}
	}
}

// Pow raises the first operand to the power of the second.
func Pow(c *Call) {
	a, b, out := c.Args[0].Floats[:c.N], c.Args[1].Floats[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		out[i] = mathx.Pow(a[i], b[i])
	}
}

// AbsInts drops the sign.
func AbsInts(c *Call) {
	a, out := c.Args[0].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = max(a[i], -a[i]); out[i] < 0 {
			c.Fail(i, Overflow)
		}
	}
}

// SignInts returns -1, 0 or 1.
func SignInts(c *Call) {
	a, out := c.Args[0].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = a[i]>>63 | int64(uint64(-a[i])>>63)
	}
}

// Sign returns -1, 0, 1 or NaN. The sign of -0.0 is 0.
func Sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	case x == 0:
		return 0
	}
	return x
}

// Least returns a kernel for the smallest of its operands; NaN if one is NaN.
func Least[T Number](values func(*Vector) []T, memory func(*Vector, int) []T) Kernel {
	return fold(values, memory, func(x, y T) T { return min(x, y) })
}

// Most returns a kernel for the largest of its operands; NaN if one is NaN.
func Most[T Number](values func(*Vector) []T, memory func(*Vector, int) []T) Kernel {
	return fold(values, memory, func(x, y T) T { return max(x, y) })
}

func fold[T Number](values func(*Vector) []T, memory func(*Vector, int) []T, f func(x, y T) T) Kernel {
	return func(c *Call) {
		out := memory(c.Out, c.N)
		copy(out, values(c.Args[0]))
		for _, a := range c.Args[1:] {
			for i, x := range values(a)[:c.N] {
				out[i] = f(out[i], x)
			}
		}
	}
}

// Clamp returns a kernel for min(max(x, low), high).
func Clamp[T Number](values func(*Vector) []T, memory func(*Vector, int) []T) Kernel {
	return func(c *Call) {
		x, low, high := values(c.Args[0])[:c.N], values(c.Args[1])[:c.N], values(c.Args[2])[:c.N]
		out := memory(c.Out, c.N)
		for i := range out {
			out[i] = min(max(x[i], low[i]), high[i])
		}
	}
}

// MaxDigits is the largest number of digits that Round takes. Up to it, a power of 10 is exact.
const MaxDigits = 22

// powersOf10 has 10^0 to 10^MaxDigits.
var powersOf10 = [MaxDigits + 1]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// Round rounds to a number of digits after the point, halves away from zero. Negative digits are those before it.
func Round(c *Call) {
	a, digits, out := c.Args[0].Floats[:c.N], c.Args[1].Ints[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		if d := digits[i]; d < -MaxDigits || d > MaxDigits {
			out[i] = 0
			c.Fail(i, Argument)
		} else {
			out[i] = round(a[i], int(d))
		}
	}
}

func round(x float64, digits int) float64 {
	if digits < 0 {
		p := powersOf10[-digits]
		return float64(math.Round(x/p) * p)
	}
	p := powersOf10[digits]
	scaled := float64(x * p)
	if math.Abs(scaled) >= 1<<52 || scaled != scaled {
		return x // has no digits to lose
	}
	return math.Round(scaled) / p
}

// HaversineKm returns the distance between two points.
func HaversineKm(c *Call) {
	lat1, lon1 := c.Args[0].Floats[:c.N], c.Args[1].Floats[:c.N]
	lat2, lon2 := c.Args[2].Floats[:c.N], c.Args[3].Floats[:c.N]
	out := c.Out.FloatsFor(c.N)
	for i := range out {
		if out[i] = 0; !c.Skip(i) {
			out[i] = mathx.HaversineKm(lat1[i], lon1[i], lat2[i], lon2[i])
		}
	}
}

// MaxGeohash is the longest geohash.
const MaxGeohash = 12

// Geohash writes the cell of a point, with as many characters as the third operand says.
func Geohash(c *Call) {
	lat, lon, length := c.Args[0].Floats[:c.N], c.Args[1].Floats[:c.N], c.Args[2].Ints[:c.N]
	out := c.Out.TextsFor(c.N)
	for i := range out {
		if out[i] = ""; c.Skip(i) {
			continue
		}
		if !(math.Abs(lat[i]) <= 90) || !(math.Abs(lon[i]) <= 180) || length[i] < 1 || length[i] > MaxGeohash {
			c.Fail(i, Argument)
			continue
		}
		out[i] = geohash(lat[i], lon[i], int(length[i]))
	}
}

// geohash halves the span of longitudes and that of latitudes in turn. A point on the line between two halves is in the
// upper one.
func geohash(lat, lon float64, length int) string {
	const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"
	var hash [MaxGeohash]byte
	values, low, high := [2]float64{lon, lat}, [2]float64{-180, -90}, [2]float64{180, 90}
	for i := range length {
		letter := 0
		for bit := range 5 {
			axis := (i*5 + bit) % 2
			middle := (low[axis] + high[axis]) / 2
			letter <<= 1
			if values[axis] >= middle {
				low[axis] = middle
				letter |= 1
			} else {
				high[axis] = middle
			}
		}
		hash[i] = alphabet[letter]
	}
	return string(hash[:length])
}
