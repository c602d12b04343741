// Package mathx has the functions of mathematics that on-demand features use, with the same bits on every machine.
//
// The standard library's differ between processors: some have assembly of their own, and a compiler may fuse x*y + z into
// one instruction that rounds once instead of twice. Here each product is written float64(x * y), which the language
// forbids to fuse. A test looks for fused instructions, and testdata/golden.txt holds results to the bit. The results are
// within one unit in the last place of the true ones, aside from Sin and Cos within 1e-15 of a zero: there the error is
// below 1e-28.
//
// The methods and coefficients are those of FreeBSD's msun (exp, log, pow, asin) and of the Cephes library (sin, cos).
// The file NOTICE has msun's notice.
package mathx

import "math"

// The natural logarithm of 2 in two parts. A product of ln2High and an exponent is exact.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

// fraction returns x = f·2^e with f in [1, 2). x is positive, finite and not zero.
func fraction(x float64) (f float64, e int) {
	if x < 0x1p-1022 {
		x, e = float64(x*0x1p54), -54
	}
	bits := math.Float64bits(x)
	e += int(bits>>52) - 1023
	return math.Float64frombits(bits&(1<<52-1) | 1023<<52), e
}

// scale returns x·2^e with one rounding. |x| is in [0.5, 4), and e in [-1100, 1025].
func scale(x float64, e int) float64 {
	switch {
	case e > 1023:
		return float64(float64(x*0x1p1023) * power(e-1023))
	case e < -1022:
		return float64(float64(x*power(e+600)) * 0x1p-600)
	}
	return float64(x * power(e))
}

// power returns 2^e for a normal number.
func power(e int) float64 { return math.Float64frombits(uint64(e+1023) << 52) }

// Exp returns e^x.
func Exp(x float64) float64 {
	switch {
	case x != x || math.IsInf(x, 1):
		return x
	case x > 709.782712893383973096:
		return math.Inf(1)
	case x < -745.13321910194110842:
		return 0
	case -0x1p-28 < x && x < 0x1p-28:
		return 1 + x
	}
	// x = k·ln 2 + r, with r = high - low and |r| ≤ ln 2 / 2.
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	high := x - float64(k*ln2High)
	low := float64(k * ln2Low)
	return scale(expOf(high, low), int(k))
}

// expCorrection returns the c for which e^r = 1 + r + r·c/(2 - c), where |r| ≤ ln 2 / 2.
func expCorrection(r float64) float64 {
	t := float64(r * r)
	p := 4.13813679705723846039e-08
	p = -1.65339022054652515390e-06 + float64(t*p)
	p = 6.61375632143793436117e-05 + float64(t*p)
	p = -2.77777777770155933842e-03 + float64(t*p)
	p = 1.66666666666666019037e-01 + float64(t*p)
	return r - float64(t*p)
}

// expOf returns e^(high - low) for a small argument.
func expOf(high, low float64) float64 {
	r := high - low
	c := expCorrection(r)
	return 1 - ((low - float64(r*c)/(2-c)) - high)
}

// Log returns the natural logarithm of x.
func Log(x float64) float64 {
	switch {
	case x != x || math.IsInf(x, 1):
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	// x = 2^k·(1 + f), with 1 + f between √½ and √2.
	m, e := fraction(x)
	if m > math.Sqrt2 {
		m, e = float64(m*0.5), e+1
	}
	f, k := m-1, float64(e)
	s := f / (2 + f)
	z := float64(s * s)
	w := float64(z * z)
	even := float64(w * (3.999999999940941908e-01 + float64(w*(2.222219843214978396e-01+float64(w*1.531383769920937332e-01)))))
	odd := 2.857142874366239149e-01 + float64(w*(1.818357216161805012e-01+float64(w*1.479819860511658591e-01)))
	r := even + float64(z*(6.666666666666735130e-01+float64(w*odd)))
	half := float64(float64(0.5*f) * f)
	return float64(k*ln2High) - ((half - (float64(s*(half+r)) + float64(k*ln2Low))) - f)
}
