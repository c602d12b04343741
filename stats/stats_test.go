package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"pgregory.net/rapid"
)

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Every number is counted in the bin that the documentation says, whatever its type.
func TestNumbersAreCountedInTheirBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := rapid.SliceOfNDistinct(rapid.Float64Range(-100, 100), 2, 40, rapid.ID).Draw(t, "bounds")
		slices.Sort(bounds)
		s := &Statistics{Min: raw(bounds[0])}
		for i, x := range bounds[1:] {
			s.Histogram = append(s.Histogram, Bin{UpTo: raw(x), Count: int64(i)})
			s.Count += int64(i)
		}
		e, reference, err := s.Divide(fstore.Float64)
		if err != nil {
			t.Fatal(err)
		}
		if reference.Values() != s.Count || reference.Low() != 0 || reference.High() != 0 || !reference.MeansUnknown {
			t.Errorf("%+v", reference)
		}
		special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.MaxFloat64, bounds[0], bounds[1], bounds[len(bounds)-1]}
		values := rapid.SliceOf(rapid.OneOf(rapid.Float64Range(-120, 120), rapid.SampledFrom(special))).Draw(t, "values")
		got := e.NewCounts()
		c := fstore.NewColumn("x", fstore.Float64, len(values))
		want := e.NewCounts()
		for _, v := range values {
			if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
				c.AppendNull()
				want.Slots[nulls]++
				continue
			}
			c.AppendFloat64(v)
			at := e.above()
			switch {
			case math.IsNaN(v):
				at = nans
			case math.IsInf(v, 1):
				at = e.highest()
			case math.IsInf(v, -1):
				at = lowest
			case v < bounds[0]:
				at = below
			case v == bounds[0]:
				at = firstBin
			default:
				for i := range len(bounds) - 1 {
					if bounds[i] < v && v <= bounds[i+1] {
						at = firstBin + i
					}
				}
			}
			want.Slots[at]++
		}
		e.Add(&c, Into{Counts: []*Counts{got}}, nil)
		if !slices.Equal(got.Slots, want.Slots) {
			t.Errorf("got %v, want %v", got.Slots, want.Slots)
		}
		if got.Rows() != int64(len(values)) {
			t.Errorf("%d rows of %d", got.Rows(), len(values))
		}
	})
}

// The decimals of a float32 name that float32, not the float64 of the same decimals.
func TestBoundsOfFloat32(t *testing.T) {
	s := &Statistics{Count: 2, Min: raw(float32(0.1)), Histogram: []Bin{{UpTo: raw(float32(0.1)), Count: 1}, {UpTo: raw(float32(0.3)), Count: 1}}}
	e, _, err := s.Divide(fstore.Float32)
	if err != nil {
		t.Fatal(err)
	}
	c := fstore.NewColumn("x", fstore.Float32, 2)
	c.Append(float32(0.1))
	c.Append(float32(0.3))
	got := e.NewCounts()
	e.Add(&c, Into{Counts: []*Counts{got}}, nil)
	if !slices.Equal(got.Bins(), []int64{1, 1}) {
		t.Errorf("bins %v", got.Bins())
	}
}

// The counts of two windows add up to those of both, in any split.
func TestCountsMerge(t *testing.T) {
	s := &Statistics{Count: 3, Min: raw(0), Histogram: []Bin{{UpTo: raw(1), Count: 1}, {UpTo: raw(5), Count: 2}}}
	texts := &Statistics{Count: 2, Histogram: []Bin{{UpTo: raw("a"), Count: 1}, {UpTo: raw("b"), Count: 1}}}
	rapid.Check(t, func(t *rapid.T) {
		numbers, words := fstore.NewColumn("x", fstore.Int64, 0), fstore.NewColumn("y", fstore.String, 0)
		var window []int32
		want := int64(0)
		for range rapid.IntRange(0, 50).Draw(t, "rows") {
			numbers.Append(rapid.SampledFrom([]any{nil, int64(-1), int64(0), int64(1), int64(3), int64(9)}).Draw(t, "number"))
			words.Append(rapid.SampledFrom([]any{nil, "a", "b", "c", ""}).Draw(t, "word"))
			w := int32(rapid.IntRange(-1, 2).Draw(t, "window"))
			if window = append(window, w); w >= 0 {
				want++
			}
		}
		for _, c := range []struct {
			of     *Statistics
			column *fstore.Column
		}{{s, &numbers}, {texts, &words}} {
			e, _, err := c.of.Divide(c.column.Type)
			if err != nil {
				t.Fatal(err)
			}
			parts := []*Counts{e.NewCounts(), e.NewCounts(), e.NewCounts()}
			e.Add(c.column, Into{Counts: parts, Window: window}, nil)
			merged := parts[0].Clone()
			merged.Merge(parts[1])
			merged.Merge(parts[2])

			all := e.NewCounts()
			taken := make([]int32, len(window)) // all in one window, but those that are in none
			for i, w := range window {
				taken[i] = min(w, 0)
			}
			e.Add(c.column, Into{Counts: []*Counts{all}, Window: taken}, nil)
			if !slices.Equal(merged.Slots, all.Slots) || merged.Sum() != all.Sum() || all.Rows() != want {
				t.Errorf("%v merge to %v with sum %v, want %v with %v", parts, merged.Slots, merged.Sum(), all.Slots, all.Sum())
			}
		}
	})
}

// A category of the reference is counted by itself, and every other value is met.
func TestCategoriesAreCounted(t *testing.T) {
	for _, c := range []struct {
		name       string
		typ        fstore.Type
		statistics Statistics
		values     []any
		want       []int64
		met        string
	}{
		{"text", fstore.String, Statistics{Count: 3, Histogram: []Bin{{UpTo: raw(""), Count: 1}, {UpTo: raw("b"), Count: 2}}}, []any{"b", "", "c", nil, "b"}, []int64{1, 2}, "c"},
		{"bytes", fstore.Bytes, Statistics{Count: 1, Histogram: []Bin{{UpTo: raw([]byte{0, 255}), Count: 1}}}, []any{[]byte{0, 255}, []byte{1}}, []int64{1}, "\x01"},
		{"bool", fstore.Bool, Statistics{Count: 1, Histogram: []Bin{{UpTo: raw(true), Count: 1}}}, []any{true, true, false}, []int64{2}, "false"},
	} {
		e, r, err := c.statistics.Divide(c.typ)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if !e.Complete || r.Values() != c.statistics.Count {
			t.Errorf("%s: %+v", c.name, r)
		}
		column := fstore.NewColumn("x", c.typ, 0)
		for _, v := range c.values {
			column.Append(v)
		}
		got, met := e.NewCounts(), ""
		e.Add(&column, Into{Counts: []*Counts{got}}, func(_ int, v string) { met += v })
		if !slices.Equal(got.Bins(), c.want) || met != c.met || got.High() != 1 || got.Rows() != int64(len(c.values)) {
			t.Errorf("%s: %+v, met %q", c.name, got, met)
		}
	}
}

// A lock from somebody else may hold any histogram.
func TestHistogramsThatContradictThemselves(t *testing.T) {
	for _, c := range []struct {
		typ  fstore.Type
		s    Statistics
		want string
	}{
		{fstore.Float64, Statistics{Min: raw(1), Histogram: []Bin{{UpTo: raw(0)}}}, "do not ascend"},
		{fstore.Float64, Statistics{Min: raw(1), Histogram: []Bin{{UpTo: raw(2)}, {UpTo: raw(2)}}}, "do not ascend"},
		{fstore.Float64, Statistics{Min: raw("NaN"), Histogram: []Bin{{UpTo: raw(2)}}}, "finite"},
		{fstore.Float64, Statistics{Min: raw("-Infinity"), Histogram: []Bin{{UpTo: raw(2)}}}, "finite"},
		{fstore.Float64, Statistics{Min: raw(1), Histogram: []Bin{{UpTo: json.RawMessage("1e999")}}}, "finite"},
		{fstore.Int64, Statistics{Histogram: []Bin{{UpTo: raw(2)}}}, "finite"},
		{fstore.String, Statistics{Histogram: []Bin{{UpTo: raw(2)}}}, "not a text"},
		{fstore.String, Statistics{Histogram: []Bin{{UpTo: raw("a")}, {UpTo: raw("a")}}}, "twice"},
		{fstore.Bytes, Statistics{Histogram: []Bin{{UpTo: raw("?")}}}, "base64"},
		{fstore.Int32, Statistics{Min: raw(1), Histogram: make([]Bin, maxBins+1)}, "65,536"},
	} {
		if _, _, err := c.s.Divide(c.typ); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", fmt.Sprint(c.typ), err, c.want)
		}
	}
}

// The norm of a list is its Euclidean length; a null has none.
func TestNorms(t *testing.T) {
	c := fstore.NewColumn("e", fstore.List(fstore.Float32), 0)
	c.Append([]float32{3, 4})
	c.AppendNull()
	c.Append([]float32{})
	n := Norms(&c)
	if n.Len != 3 || n.Float64s[0] != 5 || !n.IsNull(1) || n.Float64s[2] != 0 {
		t.Errorf("%+v", n)
	}
	for typ, want := range map[fstore.Type]bool{fstore.List(fstore.Int32): true, fstore.Float32: false, fstore.List(fstore.String): false} {
		if HasNorm(typ) != want {
			t.Errorf("%s: %v", typ, !want)
		}
	}
}
