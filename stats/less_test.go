package stats

import (
	"math"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
	"pgregory.net/rapid"
)

// TestLessCountsTheOthers: taking away rows of a value leaves what counting the other rows gives, of numbers, texts and presence, with
// nulls, NaN and infinities.
func TestLessCountsTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, typ, value := edgesAndValues(t)
		count := func(values []any) *Counts {
			c := fstore.NewColumn("x", typ, len(values))
			for _, v := range values {
				c.Append(v)
			}
			out := e.NewCounts()
			e.Add(&c, Into{Counts: []*Counts{out}}, nil)
			return out
		}
		others := rapid.SliceOf(value).Draw(t, "others")
		taken, n := value.Draw(t, "taken"), rapid.IntRange(0, 50).Draw(t, "n")
		all := slices.Concat(others, slices.Repeat([]any{taken}, n))
		got, err := count(all).Less(count([]any{taken}), int64(n))
		if err != nil {
			t.Fatal(err)
		}
		want := count(others)
		if !slices.Equal(got.Slots, want.Slots) {
			t.Errorf("%v, want %v", got.Slots, want.Slots)
		}
		counts, sums := got.FiniteSlots()
		_, wantSums := want.FiniteSlots()
		for i := range sums {
			if math.Abs(sums[i]-wantSums[i]) > 1e-9*float64(len(all)+1)*120 || counts[i] == 0 && sums[i] != 0 {
				t.Errorf("sums %v, want %v", sums, wantSums)
			}
		}
		there := count(all)
		for i, each := range count([]any{taken}).Slots {
			if each > 0 {
				if _, err := there.Less(count([]any{taken}), there.Slots[i]+1); err == nil {
					t.Error("more rows are taken than there are")
				}
			}
		}
	})
}

// edgesAndValues draws edges of a kind, and a generator of values to count in them.
func edgesAndValues(t *rapid.T) (*Edges, fstore.Type, *rapid.Generator[any]) {
	s, typ := &Statistics{}, rapid.SampledFrom([]fstore.Type{fstore.Float64, fstore.Int64, fstore.String, fstore.Timestamp}).Draw(t, "type")
	value := rapid.Map(rapid.IntRange(-9, 9), func(i int) any { return int64(i) })
	switch typ {
	case fstore.String:
		s.Histogram = []Bin{{UpTo: raw("a")}, {UpTo: raw("b")}}
		value = rapid.SampledFrom([]any{"a", "b", "c", ""})
	case fstore.Float64, fstore.Int64:
		s.Min = raw(-5)
		for _, x := range []int{-5, -1, 0, 4} {
			s.Histogram = append(s.Histogram, Bin{UpTo: raw(x)})
		}
		if typ == fstore.Float64 {
			value = rapid.OneOf(rapid.SampledFrom([]any{math.NaN(), math.Inf(1), math.Inf(-1), -5.0, 0.0}), rapid.Map(rapid.Float64Range(-9, 9), func(x float64) any { return x }))
		}
	default:
		value = rapid.Map(rapid.Int64Range(0, 9), func(i int64) any { return fstore.FromMicros(i) })
	}
	e, _, err := s.Divide(typ)
	if err != nil {
		t.Fatal(err)
	}
	return e, typ, rapid.OneOf(value, rapid.Just[any](nil))
}
