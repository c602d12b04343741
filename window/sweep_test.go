package window

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// testRow is a row of one key.
type testRow struct {
	event, created int64
	available      int64
	passes         []bool
	values         []any // of each series; nil is null
}

// bruteForce is value(K, T, P), by brute force: the meaning that Sweep and Recorder are held to.
func bruteForce(f *fstore.Feature, series int, rows []testRow, t, p int64) any {
	span := SpanOf(f.Window)
	var in []testRow
	for _, r := range rows {
		if max(r.event, r.available) <= p && r.passes[series] && span.Holds(r.event, t) {
			in = append(in, r)
		}
	}
	if len(in) == 0 {
		return nil
	}
	slices.SortStableFunc(in, func(a, b testRow) int {
		return cmp.Or(cmp.Compare(a.event, b.event), cmp.Compare(a.created, b.created), order(a.values[series], b.values[series]))
	})
	var values []any
	for _, r := range in {
		if r.values[series] != nil {
			values = append(values, r.values[series])
		}
	}
	switch w := f.Window; w.Function {
	case fstore.First:
		return in[0].values[series]
	case fstore.Last:
		return in[len(in)-1].values[series]
	case fstore.LastN:
		out := []any{}
		for i := len(in) - 1; i >= 0 && i >= len(in)-w.N; i-- {
			if v := in[i].values[series]; v != nil {
				out = append(out, v)
			}
		}
		return out
	case fstore.Count:
		return int64(len(values))
	case fstore.CountDistinct:
		slices.SortFunc(values, order)
		return int64(len(slices.CompactFunc(values, func(a, b any) bool { return order(a, b) == 0 })))
	case fstore.Min, fstore.Max, fstore.Percentile, fstore.Sum, fstore.Mean, fstore.Stddev:
		if len(values) == 0 {
			return nil
		}
		return numbers(f, values)
	}
	panic("no such function")
}

func numbers(f *fstore.Feature, values []any) any {
	slices.SortFunc(values, order)
	n := float64(len(values))
	total, ints := 0.0, int64(0)
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			ints += v
		case float64:
			total += v // the values that are drawn add up exactly
		}
	}
	switch f.Window.Function {
	case fstore.Min:
		return values[0]
	case fstore.Max:
		return values[len(values)-1]
	case fstore.Percentile:
		place := f.Window.P * (n - 1)
		low, high := values[int(math.Floor(place))].(float64), values[int(math.Ceil(place))].(float64)
		return interpolate(low, high, place-math.Floor(place))
	case fstore.Mean:
		return total / n
	case fstore.Stddev:
		if n < 2 {
			return nil
		}
		squares := 0.0
		for _, v := range values {
			squares += v.(float64) * v.(float64)
		}
		return math.Sqrt((n*squares - total*total) / (n * (n - 1)))
	default: // a sum
	}
	if f.Type == fstore.Int64 {
		return ints
	}
	return total
}

func order(a, b any) int {
	switch {
	case a == nil || b == nil:
		return b2i(a != nil) - b2i(b != nil)
	}
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return compareValues(a, b.(float64))
	}
	return cmp.Compare(a.(string), b.(string))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func drawFeature(t *rapid.T, i int, functions []fstore.Function) fstore.Feature {
	w := &fstore.Window{Function: rapid.SampledFrom(functions).Draw(t, "function"), Where: rapid.SampledFrom([]string{"", "w"}).Draw(t, "where")}
	if rapid.IntRange(0, 4).Draw(t, "bounded") > 0 {
		hop := fstore.Duration(rapid.IntRange(1, 6).Draw(t, "hop") * 1000)
		w.Hop, w.Length = hop, hop*fstore.Duration(rapid.IntRange(1, 6).Draw(t, "hops"))
	}
	f := fstore.Feature{Name: fmt.Sprintf("f%d", i), Window: w}
	kinds := []fstore.Type{fstore.Int64, fstore.Float64, fstore.String}
	switch w.Function {
	case fstore.Count, fstore.CountDistinct:
		f.Type = fstore.Int64
	case fstore.Mean, fstore.Stddev, fstore.Percentile:
		f.Type = fstore.Float64
	case fstore.Sum:
		f.Type = rapid.SampledFrom(kinds[:2]).Draw(t, "type")
	case fstore.Min, fstore.Max, fstore.First, fstore.Last:
		f.Type = rapid.SampledFrom(kinds).Draw(t, "type")
	case fstore.LastN:
		f.Type = fstore.List(rapid.SampledFrom(kinds).Draw(t, "type"))
	}
	if w.Function == fstore.Percentile {
		w.P = rapid.SampledFrom([]float64{0, 0.25, 0.5, 0.9, 1}).Draw(t, "p")
	}
	if w.Function == fstore.LastN {
		w.N = rapid.IntRange(1, 4).Draw(t, "n")
	}
	if w.Function != fstore.Count || rapid.Bool().Draw(t, "of values") {
		w.Expression = "x"
	}
	return f
}

func drawValue(t *rapid.T, of fstore.Type) any {
	if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
		return nil
	}
	n := rapid.IntRange(-4, 4).Draw(t, "value")
	switch of {
	case fstore.Float64:
		switch rapid.IntRange(0, 30).Draw(t, "special") {
		case 0:
			return math.NaN()
		case 1:
			return math.Inf(1)
		case 2:
			return math.Inf(-1)
		}
		return float64(n) / 4
	case fstore.String:
		return fmt.Sprint(n)
	default:
		return int64(n)
	}
}

// A sweep gives what brute force gives, at every instant, for every function, whatever the order in which rows come and
// become visible.
func TestSweepsAreWhatWindowsMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		features, all, of := drawFeatures(t, fstore.Functions())
		sweep := NewSweep(features, all)
		for range rapid.IntRange(1, 3).Draw(t, "keys") {
			checkKey(t, sweep, features, all, of)
		}
	})
}

// drawFeatures draws features of some functions, and returns their series and which of them each feature has.
func drawFeatures(t *rapid.T, functions []fstore.Function) (features []fstore.Feature, all []Series, of []int) {
	for i := range rapid.IntRange(1, 5).Draw(t, "features") {
		features = append(features, drawFeature(t, i, functions))
	}
	all, of = SeriesOf(features), make([]int, len(features))
	for i := range features {
		wanted := seriesOf(&features[i])
		of[i] = find(all, &wanted)
	}
	for i := range all {
		if all[i].Type == fstore.Invalid {
			all[i].Type = fstore.Float64
		}
		if all[i].Type == fstore.Bool {
			all[i].Type = fstore.Int64
		}
	}
	return features, all, of
}

func checkKey(t *rapid.T, sweep *Sweep, features []fstore.Feature, all []Series, of []int) {
	rows := drawRows(t, all)
	input := columnsOf(rows, all)
	out := make([]fstore.Column, len(features))
	for i, f := range features {
		out[i] = fstore.NewColumn(f.Name, f.Type, 0)
	}
	next, asked := 0, 0
	sweep.Reset()
	for at := int64(-35); at < 80; at += rapid.Int64Range(0, 9).Draw(t, "step") + int64(asked%2) {
		for ; next < len(rows) && max(rows[next].event, rows[next].available) <= at; next++ {
			sweep.Enter(input, next)
		}
		has := sweep.Has(at)
		if err := sweep.At(at, out); err != nil {
			t.Fatal(err)
		}
		wantHas := false
		for i := range features {
			want := bruteForce(&features[i], of[i], rows, at, at)
			if got := boxed(&out[i], asked); !same(got, want) {
				t.Fatalf("%+v at %d: %v, want %v, of %+v", *features[i].Window, at, got, want, rows)
			}
			for _, r := range rows {
				wantHas = wantHas || max(r.event, r.available) <= at && SpanOf(features[i].Window).Holds(r.event, at)
			}
		}
		if has != wantHas {
			t.Fatalf("at %d the key has a row: %v, want %v", at, has, wantHas)
		}
		asked++
	}
}

// drawRows draws the rows of a key, in the order in which they become visible.
func drawRows(t *rapid.T, all []Series) (rows []testRow) {
	for range rapid.IntRange(0, 25).Draw(t, "rows") {
		r := testRow{event: rapid.Int64Range(-30, 30).Draw(t, "event")}
		r.created = r.event + rapid.Int64Range(-2, 2).Draw(t, "created")
		r.available = r.event + rapid.SampledFrom([]int64{0, 0, 0, 1, 7, 40}).Draw(t, "lag")
		passes := rapid.Bool().Draw(t, "passes")
		for _, s := range all {
			r.passes = append(r.passes, s.Where == "" || passes)
			r.values = append(r.values, drawValue(t, s.Type))
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b testRow) int {
		return cmp.Compare(max(a.event, a.available), max(b.event, b.available))
	})
	return rows
}

func columnsOf(rows []testRow, all []Series) []fstore.Column {
	out := []fstore.Column{fstore.NewColumn("event", fstore.Timestamp, 0), fstore.NewColumn("created", fstore.Timestamp, 0)}
	for i, s := range all {
		passes, values := fstore.NewColumn("", fstore.Bool, 0), fstore.NewColumn("", s.Type, 0)
		for _, r := range rows {
			passes.Append(r.passes[i])
			values.Append(r.values[i])
		}
		out = append(out, passes, values)
	}
	for _, r := range rows {
		out[0].AppendInt64(r.event)
		out[1].AppendInt64(r.created)
	}
	return out
}

// boxed returns a row's value, a list as []any.
func boxed(c *fstore.Column, row int) any {
	if !c.Type.IsList() || c.IsNull(row) {
		return c.Value(row)
	}
	out := []any{}
	elems := fstore.Column{Type: c.Type.Elem(), Int64s: c.Int64s, Float64s: c.Float64s, Strings: c.Strings}
	for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
		out = append(out, elems.Value(int(i)))
	}
	return out
}

func same(a, b any) bool {
	as, list := a.([]any)
	bs, also := b.([]any)
	if list || also {
		return list && also && slices.EqualFunc(as, bs, same)
	}
	return order(a, b) == 0
}
