package mathx

import "math"

// Pow returns x^y. Special cases are those of IEEE 754: Pow(x, 0) and Pow(1, y) are 1 also for NaN.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x != x || y != y:
		return math.NaN()
	case y == 1:
		return x
	}
	negative := x < 0 || x == 0 && math.Signbit(x)
	if negative && isOdd(y) {
		return -powOf(-x, y)
	}
	if x < 0 && !math.IsInf(x, 0) && !isWhole(y) {
		return math.NaN()
	}
	return powOf(math.Abs(x), y)
}

func isWhole(y float64) bool { return math.IsInf(y, 0) || math.Trunc(y) == y }

// isOdd reports whether y is an odd integer. All floats from 2^53 on are even.
func isOdd(y float64) bool {
	return math.Abs(y) < 1<<53 && math.Trunc(y) == y && int64(y)&1 == 1
}

// powOf returns x^y for a positive or infinite x or 0, and a y other than 0.
func powOf(x, y float64) float64 {
	switch {
	case math.IsInf(y, 0):
		switch {
		case x == 1:
			return 1
		case (x > 1) == (y > 0):
			return math.Inf(1)
		}
		return 0
	case x == 0 || math.IsInf(x, 1):
		if (x == 0) == (y > 0) {
			return 0
		}
		return math.Inf(1)
	case x == 1:
		return 1
	case math.Abs(y) > 0x1p66: // the result overflows or underflows; the sum below must not
		if (x > 1) == (y > 0) {
			return math.Inf(1)
		}
		return 0
	}
	high, low := log2(x)
	// y·log2 x in two parts
	yHigh := head(y)
	pLow := float64((y-yHigh)*high) + float64(y*low)
	pHigh := float64(yHigh * high)
	return exp2(pHigh, pLow)
}

// head returns x without the lower half of its bits, so that a product of two heads is exact.
func head(x float64) float64 { return math.Float64frombits(math.Float64bits(x) >> 32 << 32) }

// log2 returns the logarithm of x to the base 2 in two parts. The high part has 32 bits less than a float64.
func log2(x float64) (high, low float64) {
	// x = 2^e·m with m near b, which is 1 or 1.5: (m - b)/(m + b) is small.
	m, e := fraction(x)
	b, baseHigh, baseLow := 1.0, 0.0, 0.0
	switch {
	case m >= 1.7320508075688772: // √3
		m, e = float64(m*0.5), e+1
	case m >= 1.224744871391589: // √1.5
		b, baseHigh, baseLow = 1.5, 5.84962487220764160156e-01, 1.35003920212974897128e-08
	}
	// s = (m - b)/(m + b) in two parts
	u, v := m-b, 1/(m+b)
	s := float64(u * v)
	sHigh := head(s)
	tHigh := head(m + b)
	tLow := m - (tHigh - b)
	sLow := float64(v * ((u - float64(sHigh*tHigh)) - float64(sHigh*tLow)))
	// ln(m/b) = 2s + ⅔s³ + s⁵·polynomial
	s2 := float64(s * s)
	p := 2.06975017800338417784e-01
	p = 2.30660745775561754067e-01 + float64(s2*p)
	p = 2.72728123808534006489e-01 + float64(s2*p)
	p = 3.33333329818377432918e-01 + float64(s2*p)
	p = 4.28571428578550184252e-01 + float64(s2*p)
	p = 5.99999999999994648725e-01 + float64(s2*p)
	r := float64(float64(s2*s2)*p) + float64(sLow*(sHigh+s))
	square := float64(sHigh * sHigh)
	tHigh = head(3 + square + r)
	tLow = r - ((tHigh - 3) - square)
	u = float64(sHigh * tHigh)
	v = float64(sLow*tHigh) + float64(tLow*s)
	pHigh := head(u + v)
	pLow := v - (pHigh - u)
	// 2/(3 ln 2) in two parts
	const scaleAll, scaleHigh, scaleLow = 9.61796693925975554329e-01, 9.61796700954437255859e-01, -7.02846165095275826516e-09
	zHigh := float64(scaleHigh * pHigh)
	zLow := float64(scaleLow*pHigh) + float64(pLow*scaleAll) + baseLow
	n := float64(e)
	high = head(((zHigh + zLow) + baseHigh) + n)
	low = zLow - (((high - n) - baseHigh) - zHigh)
	return high, low
}

// exp2 returns 2^(high + low).
func exp2(high, low float64) float64 {
	z := high + low
	switch {
	case z >= 1024:
		if z > 1024 || low+8.0085662595372944372e-17 > z-high {
			return math.Inf(1)
		}
	case z <= -1075:
		if z < -1075 || low <= z-high {
			return 0
		}
	}
	n := 0.0
	if math.Abs(z) > 0.5 {
		n = math.Floor(z + 0.5)
		high -= n
	}
	// 2^(high + low) = e^((high + low)·ln 2), in two parts
	const ln2, ln2Head, ln2Tail = 6.93147180559945286227e-01, 6.93147182464599609375e-01, -1.90465429995776804525e-09
	t := head(low + high)
	u := float64(t * ln2Head)
	v := float64((low-(t-high))*ln2) + float64(t*ln2Tail)
	r := u + v
	rest := v - (r - u)
	c := expCorrection(r)
	e := float64(r*c)/(c-2) - (rest + float64(r*rest))
	return scale(1-(e-r), int(n))
}
