package ondemand

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

var negativeZero = math.Copysign(0, -1)

func TestConvert(t *testing.T) {
	for _, test := range []struct {
		given *fstore.Column
		want  *fstore.Column
	}{
		{column(fstore.Int32, int32(-7), nil), column(fstore.Int64, int64(-7), nil)},
		{column(fstore.Int32, int32(math.MinInt32)), column(fstore.Float64, -2147483648.0)},
		{column(fstore.Int32, int32(1<<24)), column(fstore.Float32, float32(1<<24))},
		{column(fstore.Int64, int64(math.MaxInt32)), column(fstore.Int32, int32(math.MaxInt32))},
		{column(fstore.Int64, int64(1)<<53), column(fstore.Float64, 0x1p53)},
		{column(fstore.Int64, int64(math.MinInt64)), column(fstore.Float64, -0x1p63)},
		{column(fstore.Float64, 3.0, nan, nil, negativeZero), column(fstore.Int64, int64(3), nil, nil, int64(0))},
		{column(fstore.Float64, -0x1p63), column(fstore.Int64, int64(math.MinInt64))},
		{column(fstore.Float64, 7.0), column(fstore.Int32, int32(7))},
		{column(fstore.Float64, 0.5, inf, nan), column(fstore.Float32, float32(0.5), float32(inf), nil)},
		{column(fstore.Float32, float32(0.1), float32(-inf), float32(nan)), column(fstore.Float64, float64(float32(0.1)), -inf, nil)},
		{column(fstore.Float32, float32(-3), float32(nan)), column(fstore.Int32, int32(-3), nil)},
		{column(fstore.Float32, float32(nan), float32(negativeZero)), column(fstore.Float32, nil, float32(0))},
		{column(fstore.Float64, nan, negativeZero, 1.5), column(fstore.Float64, nil, 0.0, 1.5)},
		{column(fstore.List(fstore.Float64), []float64{negativeZero, nan}, nil), column(fstore.List(fstore.Float64), []float64{0, nan}, nil)},
		{column(fstore.List(fstore.Float64), []float64{}, []float64{1, nan}), column(fstore.List(fstore.Float32), []float32{}, []float32{1, float32(nan)})},
		{column(fstore.List(fstore.Int64), []int64{1, 2}, nil, []int64{3}), column(fstore.List(fstore.Float64), []float64{1, 2}, nil, []float64{3})},
		{column(fstore.Int64), column(fstore.Int32)},
		{column(fstore.List(fstore.Int64)), column(fstore.List(fstore.Int32))},
		{column(fstore.String, "é", nil), column(fstore.String, "é", nil)},
	} {
		test.given.Name, test.want.Name = "c", "c"
		got, err := Convert(test.given, test.want.Type)
		if err != nil {
			t.Errorf("%s to %s: %v", test.given.Type, test.want.Type, err)
			continue
		}
		if d := cmp.Diff(columntest.Rows(test.want), columntest.Rows(got)); d != "" || got.Type != test.want.Type || got.Name != "c" {
			t.Errorf("%s to %s: %+v\n%s", test.given.Type, test.want.Type, got, d)
		}
		for _, x := range got.Float64s {
			if x == 0 && math.Signbit(x) {
				t.Errorf("%s to %s: there is a negative zero", test.given.Type, test.want.Type)
			}
		}
	}
}

func TestWhatDoesNotConvert(t *testing.T) {
	tooMany := make([]float64, vector.MaxList+1)
	for _, test := range []struct {
		given *fstore.Column
		want  fstore.Type
		err   string
	}{
		{column(fstore.String, "1"), fstore.Float64, "request column c is string, not float64"},
		{column(fstore.Int64, int64(1)), fstore.Timestamp, "request column c is int64, not timestamp"},
		{column(fstore.Bool, true), fstore.Int64, "request column c is bool, not int64"},
		{column(fstore.Int64, int64(1)), fstore.List(fstore.Int64), "request column c is int64, not list<int64>"},
		{column(fstore.List(fstore.Int64), []int64{1}), fstore.Float64, "request column c is list<int64>, not float64"},
		{column(fstore.List(fstore.String), []string{"a"}), fstore.List(fstore.Bytes), "request column c is list<string>, not list<bytes>"},
		{column(fstore.Float64, 1.0, 0.5), fstore.Int64, "request column c: 0.5 in row 2 does not fit int64 (send values that int64 holds exactly, or declare the column float64)"},
		{column(fstore.Float64, 0x1p63), fstore.Int64, "request column c: 9223372036854776000 in row 1 does not fit int64 (send values that int64 holds exactly, or declare the column float64)"},
		{column(fstore.Float64, nil, inf), fstore.Int32, `request column c: "Infinity" in row 2 does not fit int32 (send values that int32 holds exactly, or declare the column float64)`},
		{column(fstore.Float64, 0.1), fstore.Float32, "request column c: 0.1 in row 1 does not fit float32 (send values that float32 holds exactly, or declare the column float64)"},
		{column(fstore.Float64, 1e300), fstore.Float32, "request column c: 1e+300 in row 1 does not fit float32 (send values that float32 holds exactly, or declare the column float64)"},
		{column(fstore.Int64, int64(1)<<53+1), fstore.Float64, "request column c: 9007199254740993 in row 1 does not fit float64 (send values that float64 holds exactly, or declare the column int64)"},
		{column(fstore.Int64, int64(math.MaxInt64)), fstore.Float64, "request column c: 9223372036854775807 in row 1 does not fit float64 (send values that float64 holds exactly, or declare the column int64)"},
		{column(fstore.Int32, int32(1<<24+1)), fstore.Float32, "request column c: 16777217 in row 1 does not fit float32 (send values that float32 holds exactly, or declare the column int32)"},
		{column(fstore.Int64, int64(1)<<31), fstore.Int32, "request column c: 2147483648 in row 1 does not fit int32 (send values that int32 holds exactly, or declare the column int64)"},
		{column(fstore.List(fstore.Float64), []float64{1}, []float64{}, []float64{2, nan}), fstore.List(fstore.Int64), `request column c: "NaN" in row 3 does not fit list<int64> (send values that list<int64> holds exactly, or declare the column list<float64>)`},
		{column(fstore.String, "", "\xff"), fstore.String, `request column c: "\ufffd" in row 2 is not UTF-8`},
		{column(fstore.List(fstore.String), []string{"a"}, []string{"b", "\xc3"}), fstore.List(fstore.String), `request column c: "\ufffd" in row 2 is not UTF-8`},
		{column(fstore.String, strings.Repeat("x", vector.MaxText+1)), fstore.String, "request column c: a text in row 1 is longer than 64 KiB"},
		{column(fstore.List(fstore.Float64), nil, tooMany), fstore.List(fstore.Float64), "request column c: the list in row 2 has 4097 elements; the limit is 4096"},
		{column(fstore.Timestamp, nil, fstore.FromMicros(vector.LastInstant+1)), fstore.Timestamp, `request column c: "10000-01-01T00:00:00Z" in row 2 is outside the years 1 to 9999`},
		{column(fstore.Timestamp, fstore.FromMicros(math.MaxInt64)), fstore.Timestamp, `request column c: "infinity" in row 1 is outside the years 1 to 9999`},
	} {
		test.given.Name = "c"
		if _, err := Convert(test.given, test.want); err == nil || err.Error() != test.err || !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%s to %s: %v\nwant %s", test.given.Type, test.want, err, test.err)
		}
	}
}

// The slot of a null says nothing, whatever it holds.
func TestConvertIgnoresTheSlotsOfNulls(t *testing.T) {
	none := fstore.Bitmap{0}
	for _, test := range []struct {
		given fstore.Column
		want  fstore.Type
	}{
		{fstore.Column{Type: fstore.Float64, Len: 1, Valid: none, Float64s: []float64{0.5}}, fstore.Int64},
		{fstore.Column{Type: fstore.String, Len: 1, Valid: none, Strings: []string{"\xff"}}, fstore.String},
		{fstore.Column{Type: fstore.Timestamp, Len: 1, Valid: none, Int64s: []int64{math.MaxInt64}}, fstore.Timestamp},
		{fstore.Column{Type: fstore.List(fstore.Float64), Len: 1, Valid: none, Offsets: []int32{1, 2}, Float64s: []float64{0.5, 0.5, 0.5}}, fstore.List(fstore.Int32)},
	} {
		if got, err := Convert(&test.given, test.want); err != nil || !got.IsNull(0) {
			t.Errorf("%s to %s: %v, %v", test.given.Type, test.want, got, err)
		}
	}
}

func TestConvertCopiesNothingThatFits(t *testing.T) {
	for _, typ := range columntest.Types() {
		c, list := fstore.NewColumn("", typ, 1000), oddValues(typ.Elem(), 3)
		if isNumber(typ) {
			list = oddValues(typ.Elem(), 4) // NaN among them
		}
		for range 1000 {
			if typ.IsList() {
				c.AppendList(list)
			} else {
				c.AppendFrom(oddValues(typ, 2), 1)
			}
		}
		var got *fstore.Column
		if n := testing.AllocsPerRun(10, func() { got, _ = Convert(&c, typ) }); n > 0 || got != &c {
			t.Errorf("%s: %v allocations", typ, n)
		}
	}
}

// drawColumn draws a request column, of numbers that other types often hold.
func drawColumn(t *rapid.T) fstore.Column {
	typ := rapid.SampledFrom(columntest.Types()).Draw(t, "type")
	c := columntest.Draw(t, typ, rapid.IntRange(0, 12).Draw(t, "rows"))
	if rapid.Bool().Draw(t, "whole") {
		for i := range c.Float64s {
			c.Float64s[i] = math.Trunc(math.Remainder(c.Float64s[i], 1e5))
		}
		for i := range c.Float32s {
			c.Float32s[i] = float32(math.Trunc(math.Remainder(float64(c.Float32s[i]), 1e5)))
		}
		if typ.Elem() != fstore.Timestamp {
			for i := range c.Int64s {
				c.Int64s[i] %= 1e6
			}
		}
	}
	return c
}

// A value converts if and only if it is the same number afterwards.
func TestConvertIsExact(t *testing.T) { rapid.Check(t, convertIsExact) }

func FuzzConvert(f *testing.F) { f.Fuzz(rapid.MakeFuzz(convertIsExact)) }

func convertIsExact(t *rapid.T) {
	c := drawColumn(t)
	want := rapid.SampledFrom(columntest.Types()).Draw(t, "want")
	before := columntest.Rows(&c)
	got, err := Convert(&c, want)
	if d := cmp.Diff(before, columntest.Rows(&c)); d != "" {
		t.Fatalf("the column has changed:\n%s", d)
	}
	fits := c.Type == want || isNumber(c.Type) && isNumber(want) && c.Type.IsList() == want.IsList()
	for row := 0; row < c.Len && fits; row++ {
		fits = c.IsNull(row) || rowFits(&c, row, want)
	}
	if fits != (err == nil) {
		t.Fatalf("%s to %s: %v\n%q", c.Type, want, err, before)
	}
	if err != nil {
		return
	}
	if !got.Whole() || got.Type != want || got.Len != c.Len {
		t.Fatalf("%s to %s: %+v", c.Type, want, got)
	}
	for row := range c.Len {
		from, to := elementsOf(&c, row)
		if isNull := c.IsNull(row) || !c.Type.IsList() && isNumber(c.Type) && bigOf(&c, row) == nil; isNull != got.IsNull(row) {
			t.Fatalf("%s to %s: row %d is null: %v", c.Type, want, row, got.IsNull(row))
		}
		for i := from; i < to && isNumber(want) && !got.IsNull(row); i++ {
			if x, y := bigOf(&c, i), bigOf(got, i); (x == nil) != (y == nil) || x != nil && (x.Cmp(y) != 0 || y.Sign() == 0 && y.Signbit()) {
				t.Fatalf("%s to %s: row %d: %v is %v", c.Type, want, row, x, y)
			}
		}
	}
}

// bigOf returns an element of a column of numbers; nil for NaN.
func bigOf(c *fstore.Column, i int) *big.Float {
	x := new(big.Float).SetPrec(80)
	switch c.Type.Elem() {
	case fstore.Int32:
		return x.SetInt64(int64(c.Int32s[i]))
	case fstore.Int64:
		return x.SetInt64(c.Int64s[i])
	case fstore.Float32:
		if f := float64(c.Float32s[i]); !math.IsNaN(f) {
			return x.SetFloat64(f)
		}
	default:
		if f := c.Float64s[i]; !math.IsNaN(f) {
			return x.SetFloat64(f)
		}
	}
	return nil
}

// rowFits is the rule in a form that is slow and plain.
func rowFits(c *fstore.Column, row int, want fstore.Type) bool {
	from, to := elementsOf(c, row)
	for i := from; i < to; i++ {
		if c.Type.Elem() == fstore.Timestamp && (c.Int64s[i] < vector.FirstInstant || c.Int64s[i] > vector.LastInstant) {
			return false
		}
		if !isNumber(c.Type) {
			continue // drawn texts are UTF-8, and short
		}
		x := bigOf(c, i)
		if x == nil {
			if c.Type.IsList() && (want.Elem() == fstore.Int32 || want.Elem() == fstore.Int64) {
				return false
			}
			continue
		}
		switch want.Elem() {
		case fstore.Int32:
			n, accuracy := x.Int64()
			if accuracy != big.Exact || n != int64(int32(n)) {
				return false
			}
		case fstore.Int64:
			if _, accuracy := x.Int64(); accuracy != big.Exact {
				return false
			}
		case fstore.Float32:
			if _, accuracy := x.Float32(); accuracy != big.Exact {
				return false
			}
		default:
			if _, accuracy := x.Float64(); accuracy != big.Exact {
				return false
			}
		}
	}
	return true
}

// A column that is not whole is an error.
func TestConvertRefusesColumnsThatAreNotWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawColumn(t)
		switch rapid.IntRange(0, 3).Draw(t, "damage") {
		case 0:
			c.Len += rapid.IntRange(1, 100).Draw(t, "more")
		case 1:
			c.Len = -1
		case 2:
			c.Len += 8
			c.Valid = make(fstore.Bitmap, c.Len/8)
		case 3:
			if !c.Type.IsList() {
				c.Type = fstore.List(c.Type) // without offsets
				break
			}
			c.Offsets[rapid.IntRange(0, c.Len).Draw(t, "offset")] += rapid.SampledFrom([]int32{-1 << 30, 1 << 30}).Draw(t, "by")
		}
		if _, err := Convert(&c, c.Type); !errors.Is(err, fstore.ErrInvalid) {
			t.Fatalf("%+v: %v", c, err)
		}
	})
	broken := &fstore.Column{Name: "c", Type: fstore.Float64, Len: 2, Int64s: []int64{1, 2}}
	if _, err := Convert(broken, fstore.Float64); fmt.Sprint(err) != "request column c does not hold its 2 rows" {
		t.Errorf("got %v", err)
	}
}
