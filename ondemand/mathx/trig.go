package mathx

import "math"

// π/4 in three parts. A product of the first two with an integer below 2^25 is exact.
const (
	quarterPiHigh   = 7.85398125648498535156e-1
	quarterPiMiddle = 3.77489470793079817668e-8
	quarterPiLow    = 2.69515142907905952645e-15
)

// trigLimit is the largest argument of Sin and Cos.
const trigLimit = 1 << 24

// octant returns how many eighths of a circle lie before x, rounded up to an even number, and the rest. x is between 0
// and trigLimit.
func octant(x float64) (eighths uint64, rest float64) {
	eighths = uint64(x / (math.Pi / 4))
	eighths += eighths & 1
	n := float64(eighths)
	return eighths % 8, ((x - float64(n*quarterPiHigh)) - float64(n*quarterPiMiddle)) - float64(n*quarterPiLow)
}

// sine returns sin x for |x| ≤ π/4.
func sine(x float64) float64 {
	z := float64(x * x)
	p := 1.58962301576546568060e-10
	p = float64(p*z) - 2.50507477628578072866e-8
	p = float64(p*z) + 2.75573136213857245213e-6
	p = float64(p*z) - 1.98412698295895385996e-4
	p = float64(p*z) + 8.33333333332211858878e-3
	p = float64(p*z) - 1.66666666666666307295e-1
	return x + float64(float64(x*z)*p)
}

// cosine returns cos x for |x| ≤ π/4.
func cosine(x float64) float64 {
	z := float64(x * x)
	p := -1.13585365213876817300e-11
	p = float64(p*z) + 2.08757008419747316778e-9
	p = float64(p*z) - 2.75573141792967388112e-7
	p = float64(p*z) + 2.48015872888517045348e-5
	p = float64(p*z) - 1.38888888888730564116e-3
	p = float64(p*z) + 4.16666666666665929218e-2
	return (1 - float64(0.5*z)) + float64(float64(z*z)*p)
}

// Sin returns the sine of x in radians. It is NaN where |x| is above 2^24.
func Sin(x float64) float64 {
	if x == 0 {
		return x // keeps the sign of zero
	}
	negative := x < 0
	if negative {
		x = -x
	}
	if !(x <= trigLimit) {
		return math.NaN()
	}
	n, rest := octant(x)
	if n >= 4 {
		negative, n = !negative, n-4
	}
	y := sine(rest)
	if n == 2 {
		y = cosine(rest)
	}
	if negative {
		return -y
	}
	return y
}

// Cos returns the cosine of x in radians. It is NaN where |x| is above 2^24.
func Cos(x float64) float64 {
	if x < 0 {
		x = -x
	}
	if !(x <= trigLimit) {
		return math.NaN()
	}
	switch n, rest := octant(x); n {
	case 0:
		return cosine(rest)
	case 2:
		return -sine(rest)
	case 4:
		return -cosine(rest)
	default:
		return sine(rest)
	}
}

// Asin returns the angle in radians whose sine is x.
func Asin(x float64) float64 {
	a := math.Abs(x)
	switch {
	case !(a <= 1):
		return math.NaN()
	case a < 0x1p-26:
		return x
	case a < 0.5:
		return x + float64(x*asinRatio(float64(x*x)))
	}
	// asin a = π/2 - 2·asin √((1 - a)/2)
	z := float64((1 - a) * 0.5)
	s := math.Sqrt(z)
	r := asinRatio(z)
	const halfPiHigh, halfPiLow = 1.57079632679489655800e+00, 6.12323399573676603587e-17
	var y float64
	if a >= 0.975 {
		y = halfPiHigh - (float64(2*(s+float64(s*r))) - halfPiLow)
	} else {
		high := head(s) // so that high² is exact
		low := (z - float64(high*high)) / (s + high)
		p := float64(float64(2*s)*r) - (halfPiLow - float64(2*low))
		y = halfPiHigh/2 - (p - (halfPiHigh/2 - float64(2*high)))
	}
	return math.Copysign(y, x)
}

// asinRatio returns the rational function R with asin x = x + x·R(x²) for |x| ≤ 0.5.
func asinRatio(t float64) float64 {
	p := 3.47933107596021167570e-05
	p = 7.91534994289814532176e-04 + float64(t*p)
	p = -4.00555345006794114027e-02 + float64(t*p)
	p = 2.01212532134862925881e-01 + float64(t*p)
	p = -3.25565818622400915405e-01 + float64(t*p)
	p = 1.66666666666666657415e-01 + float64(t*p)
	q := 7.70381505559019352791e-02
	q = -6.88283971605453293030e-01 + float64(t*q)
	q = 2.02094576023350569471e+00 + float64(t*q)
	q = -2.40339491173441421878e+00 + float64(t*q)
	return float64(t*p) / (1 + float64(t*q))
}
