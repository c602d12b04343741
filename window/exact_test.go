package window

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// bigOf returns an integer of words as math/big has it.
func bigOf(words []uint64) *big.Int {
	out := new(big.Int)
	for i := len(words) - 1; i >= 0; i-- {
		out.Lsh(out, 64).Or(out, new(big.Int).SetUint64(words[i]))
	}
	if negative(words) {
		out.Sub(out, new(big.Int).Lsh(big.NewInt(1), uint(64*len(words))))
	}
	return out
}

// nearest returns the double nearest to n * 2^exponent, as math/big rounds.
func nearest(n *big.Int, exponent int) float64 {
	x := new(big.Float).SetPrec(2000).SetInt(n)
	f, _ := x.SetMantExp(x, exponent).Float64()
	return f
}

// word draws words whose bits are few, all, or any.
func word() *rapid.Generator[uint64] {
	return rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, math.MaxUint64, 1 << 63, 1<<53 - 1, 1 << 10}), rapid.Uint64())
}

func TestIntegersOfWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(word(), 3, 3).Draw(t, "a")
		b := rapid.SliceOfN(word(), 2, 2).Draw(t, "b")
		x, y := bigOf(a), bigOf(b)
		product := make([]uint64, len(a)+len(b))
		multiply(product, a, b)
		if got, want := bigOf(product), new(big.Int).Mul(x, y); got.Cmp(want) != 0 {
			t.Errorf("%v * %v = %v, want %v", x, y, got, want)
		}
		exponent := rapid.IntRange(-120, 0).Draw(t, "exponent")
		if got, want := toFloat(a, exponent), nearest(x, exponent); got != want {
			t.Errorf("%v * 2^%d as a double = %v, want %v", x, exponent, got, want)
		}
	})
}

// double draws doubles of every size that a sum takes.
func double() *rapid.Generator[float64] {
	return rapid.Custom(func(t *rapid.T) float64 {
		x := math.Ldexp(rapid.Float64Range(0.5, 1).Draw(t, "fraction"), rapid.IntRange(-70, 66).Draw(t, "exponent"))
		if rapid.Bool().Draw(t, "negative") {
			return -x
		}
		return x
	})
}

// inUnits returns a value in units, as math/big rounds it.
func inUnits(x float64) *big.Int {
	f := new(big.Float).SetPrec(300).SetFloat64(x)
	f.SetMantExp(f, -Resolution)
	n, _ := f.Int(nil)
	rest := new(big.Float).SetPrec(300).Sub(f, new(big.Float).SetPrec(300).SetInt(n))
	half, _ := rest.Float64()
	switch odd := n.Bit(0) == 1; {
	case half > 0.5 || half == 0.5 && odd:
		n.Add(n, big.NewInt(1))
	case half < -0.5 || half == -0.5 && odd:
		n.Sub(n, big.NewInt(1))
	}
	return n
}

func TestSquares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := Int192From(int64(word().Draw(t, "high"))>>1, word().Draw(t, "low"))
		got := square(units)
		x := bigOf(units[:])
		if want := new(big.Int).Mul(x, x); bigOf(got[:]).Cmp(want) != 0 {
			t.Fatalf("the square of %v is %v, want %v", x, bigOf(got[:]), want)
		}
	})
}

func TestUnitsAreTheNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := double().Draw(t, "x")
		units, ok := Units(x)
		if got, want := bigOf(units[:]), inUnits(x); !ok || got.Cmp(want) != 0 {
			t.Fatalf("%v is %v units (%v), want %v", x, got, ok, want)
		}
	})
	for x, want := range map[float64]int64{
		0: 0, math.Copysign(0, -1): 0, math.Ldexp(1, -60): 1, math.Ldexp(-1, -60): -1,
		math.Ldexp(1, -61): 0, math.Ldexp(3, -61): 2, math.Ldexp(5, -61): 2, math.Ldexp(1.5, -61): 1, 5e-324: 0,
	} {
		if units, ok := Units(x); !ok || bigOf(units[:]).Int64() != want {
			t.Errorf("%v is %v units, want %d", x, units, want)
		}
	}
	for _, x := range []float64{Limit, -Limit, math.MaxFloat64, math.Inf(1), math.NaN()} {
		if _, ok := Units(x); ok {
			t.Errorf("%v is within the range", x)
		}
	}
}

// A sum, its mean and its deviation are what math/big makes of the same units, and rows may leave again.
func TestSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stay := rapid.SliceOfN(double(), 0, 12).Draw(t, "stay")
		leave := rapid.SliceOfN(double(), 0, 12).Draw(t, "leave")
		sum, gone := made(stay, true), made(leave, true)
		all := made(append(append([]float64(nil), leave...), stay...), true)
		all.Remove(&gone)
		if all != sum {
			t.Fatalf("a sum without the rows that left is %+v, want %+v", all, sum)
		}
		total, squares := new(big.Int), new(big.Int)
		for _, x := range stay {
			u := inUnits(x)
			total.Add(total, u)
			squares.Add(squares, new(big.Int).Mul(u, u))
		}
		n := big.NewInt(int64(len(stay)))
		got, null, err := sum.Float()
		switch inRange := total.CmpAbs(new(big.Int).Lsh(big.NewInt(1), 127)) < 0; {
		case len(stay) == 0:
			if !null {
				t.Fatalf("nothing adds up to %v", got)
			}
		case !inRange:
			if err == nil {
				t.Fatalf("a sum of %v units is %v", total, got)
			}
		case got != nearest(total, Resolution) || err != nil:
			t.Fatalf("the sum of %v is %v, %v, want %v", stay, got, err, nearest(total, Resolution))
		}
		numerator := new(big.Int).Sub(new(big.Int).Mul(n, squares), new(big.Int).Mul(total, total))
		deviation, null := sum.Stddev()
		if null != (len(stay) < 2) {
			t.Fatalf("the deviation of %d values is null: %v", len(stay), null)
		}
		if want := math.Sqrt(nearest(numerator, 2*Resolution) / (float64(len(stay)) * float64(len(stay)-1))); !null && deviation != want {
			t.Fatalf("the deviation of %v is %v, want %v", stay, deviation, want)
		}
	})
}

func made(xs []float64, squares bool) Sum {
	var s Sum
	for _, x := range xs {
		s.Add(x, squares)
	}
	return s
}

func TestSumsInWhichNotAllIsFinite(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		stay, leave []float64
		want        float64
	}{
		{[]float64{1, inf}, nil, inf},
		{[]float64{-inf, 1}, nil, -inf},
		{[]float64{inf, -inf}, nil, nan},
		{[]float64{nan, inf}, nil, nan},
		{[]float64{1, 2}, []float64{inf, nan, -inf}, 3},
		{[]float64{inf, 2}, []float64{-inf, nan}, inf},
	} {
		s, gone := made(append(c.stay, c.leave...), true), made(c.leave, true)
		s.Remove(&gone)
		got, null, err := s.Float()
		if null || err != nil || !(got == c.want || math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("the sum of %v after %v left is %v, null %v, %v", c.stay, c.leave, got, null, err)
		}
	}
	s := made([]float64{1, inf}, true)
	if d, null := s.Stddev(); null || !math.IsNaN(d) {
		t.Errorf("the deviation of 1 and infinity is %v", d)
	}
}

func TestSumsBeyondTheRange(t *testing.T) {
	big := math.Nextafter(Limit, 0)
	s := made([]float64{big, big}, false)
	if x, _, err := s.Float(); err == nil {
		t.Errorf("a sum beyond the range is %v", x)
	}
	s.Add(-big, false)
	if x, _, err := s.Float(); err != nil || x != big {
		t.Errorf("a sum that came back is %v, %v", x, err)
	}
	if before := s; s.Add(Limit, false) || s != before {
		t.Error("a value beyond the range was added")
	}
}

func TestSumsOfIntegers(t *testing.T) {
	for _, c := range []struct {
		a, b, want int64
		ok         bool
	}{
		{1, 2, 3, true},
		{math.MaxInt64, 1, 0, false},
		{math.MinInt64, -1, 0, false},
		{math.MaxInt64, math.MinInt64, -1, true},
		{math.MinInt64, 0, math.MinInt64, true},
	} {
		if got, ok := AddInt(c.a, c.b); ok != c.ok || ok && got != c.want {
			t.Errorf("%d + %d = %d, %v", c.a, c.b, got, ok)
		}
	}
}
