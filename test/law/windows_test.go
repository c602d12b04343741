package law

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// inWindow is what value(K, T, P) aggregates: the rows of a key that are visible at p, pass, and are in the window that is
// asked for at t. It includes its end and excludes its start.
func inWindow(v *fstore.View, f *fstore.Feature, history []row, key []any, t, p int64, passes func(*row) bool) []*row {
	var in []*row
	for i := range history {
		r := &history[i]
		if sameKey(r.key, key) && visible(v, r, p) && passes(r) && (f.Window.Length == 0 || *r.event > windowStart(f.Window, t)) {
			in = append(in, r)
		}
	}
	return in
}

// windowStart is floor((t - length) / hop) * hop.
func windowStart(w *fstore.Window, t int64) int64 {
	hop := w.Hop.Micros()
	n := t - w.Length.Micros()
	return n - ((n%hop)+hop)%hop
}

// aggregate is the value of a feature over the rows in its window, whose expression is value.
func aggregate(f *fstore.Feature, in []*row, value func(*row) any) any {
	if len(in) == 0 {
		return nil
	}
	slices.SortStableFunc(in, func(a, b *row) int {
		return cmp.Or(cmp.Compare(*a.event, *b.event), cmp.Compare(known(a), known(b)), order(value(a), value(b)))
	})
	var values []any
	for _, r := range in {
		if x := value(r); x != nil {
			values = append(values, x)
		}
	}
	switch w := f.Window; w.Function {
	case fstore.First:
		return value(in[0])
	case fstore.Last:
		return value(in[len(in)-1])
	case fstore.LastN:
		list := []float32{}
		for i := len(in) - 1; i >= max(0, len(in)-w.N); i-- {
			if x := value(in[i]); x != nil {
				list = append(list, x.(float32))
			}
		}
		return list
	case fstore.Count:
		return int64(len(values))
	case fstore.CountDistinct:
		slices.SortFunc(values, order)
		return int64(len(slices.CompactFunc(values, func(a, b any) bool { return order(a, b) == 0 })))
	default: // below
	}
	if len(values) == 0 {
		return nil
	}
	slices.SortFunc(values, order)
	switch f.Window.Function {
	case fstore.Min:
		return values[0]
	case fstore.Max:
		return values[len(values)-1]
	case fstore.Percentile:
		place := f.Window.P * float64(len(values)-1)
		low, high := values[int(math.Floor(place))].(float64), values[int(math.Ceil(place))].(float64)
		if share := place - math.Floor(place); share > 0 {
			return low*(1-share) + high*share
		}
		return low
	default:
		return sums(f, values)
	}
}

// sums is a sum, a mean or a deviation, worked out in rational numbers and rounded once. NaN and infinities give what adding
// them gives.
func sums(f *fstore.Feature, values []any) any {
	plainly := 0.0
	for _, v := range values {
		if x, ok := v.(float64); ok {
			plainly += x - x // zero, or NaN
		}
	}
	if math.IsNaN(plainly) {
		return special(f, values)
	}
	total, squares, n := new(big.Rat), new(big.Rat), new(big.Rat).SetInt64(int64(len(values)))
	for _, v := range values {
		x := new(big.Rat)
		switch v := v.(type) {
		case int64:
			x.SetInt64(v)
		case float64:
			x.SetFloat64(v)
		}
		total.Add(total, x)
		squares.Add(squares, x.Mul(x, x))
	}
	sum, _ := total.Float64()
	switch f.Window.Function {
	case fstore.Mean:
		return sum / float64(len(values))
	case fstore.Stddev:
		if len(values) < 2 {
			return nil
		}
		numerator, _ := squares.Sub(squares.Mul(squares, n), total.Mul(total, total)).Float64()
		return math.Sqrt(numerator / (float64(len(values)) * float64(len(values)-1)))
	default: // a sum
	}
	if f.Type == fstore.Int64 {
		return total.Num().Int64()
	}
	return sum
}

// special is a sum, a mean or a deviation of values that are not all finite.
func special(f *fstore.Feature, values []any) any {
	sum := 0.0
	for _, v := range values {
		sum += v.(float64)
	}
	switch {
	case f.Window.Function != fstore.Stddev:
		return sum
	case len(values) < 2:
		return nil
	}
	return math.NaN()
}

// The features of the windowed views of a story, as functions of a row: k, g, x, y, z.
var windowedRows = map[string]struct{ value, passes func(r []any) any }{
	"rows":      {value: func([]any) any { return true }},
	"xs":        {value: func(r []any) any { return r[2] }, passes: func(r []any) any { return r[3] != nil && r[3].(float64) > 0 }},
	"total":     {value: func(r []any) any { return r[2] }},
	"exact":     {value: func(r []any) any { return times(r[3], 2) }},
	"mean":      {value: func(r []any) any { return r[3] }},
	"deviation": {value: func(r []any) any { return r[3] }},
	"least":     {value: func(r []any) any { return r[2] }},
	"top":       {value: func(r []any) any { return r[4] }, passes: func(r []any) any { return r[2] != nil && r[2].(int64) != 0 }},
	"kinds":     {value: func(r []any) any { return r[3] }},
	"median":    {value: func(r []any) any { return r[3] }},
	"oldest":    {value: func(r []any) any { return r[4] }},
	"newest":    {value: func(r []any) any { return r[3] }},
	"recent": {value: func(r []any) any {
		if r[3] == nil {
			return nil
		}
		return float32(r[3].(float64))
	}},
}

func times(x any, by float64) any {
	if x == nil {
		return nil
	}
	return x.(float64) * by
}

// Training gives the values that windows mean, at every instant: before 1970 and after, on both sides of every bound, with
// late rows, corrections and rows that become available only after they have left. Windows end at publications or, without
// them, at the labels.
func TestTrainingOfWindowsAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	root, n := tempDir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := drawStory(rt)
		view := windowed[0]
		if view.publish = drawSchedule(rt); rapid.Bool().Draw(rt, "by the clock") {
			view = sawtooth
		}
		s.views = []storyView{view}
		dir := filepath.Join(root, fmt.Sprint(n))
		rows := s.chapters[len(s.chapters)-1].rows
		tb := fatal{t, rt}
		writeTable(tb, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}}, [][]any{{int64(1), "one"}})
		writeTable(tb, filepath.Join(dir, "src", "1.parquet"), srcColumns, rows)
		w := newWorld(tb, dir, 2, s.repo())
		defer w.close(tb)
		v := w.view(tb, "windows")
		history := s.history(rows)
		var labels []label
		for at := int64(-40); at < 100; at += rapid.Int64Range(1, 6).Draw(rt, "step") {
			labels = append(labels, label{key: []any{rapid.Int64Range(1, 5).Draw(rt, "k")}, at: at})
		}
		got, _ := w.training(tb, listOf(v), labels)
		for i, l := range labels {
			p := publishedBy(&v.View, l.at)
			for f := range v.View.Features {
				feature := &v.View.Features[f]
				if want := windowedValue(v, feature, history, l.key, p, p); !same(got[i][f], want) {
					rt.Fatalf("%s at %d (published %d), key %v: %v, want %v\n%v\n%s", feature.Name, l.at, p, l.key, got[i][f], want, rows, w.definitions())
				}
			}
		}
	})
}

// history returns rows of src as the windows over it have them.
func (s *story) history(rows [][]any) []row {
	history := []row{}
	for _, r := range rows {
		one := row{key: []any{r[0]}, values: []any{r[0], r[1], r[4], r[5], r[6]}}
		if at, ok := r[2].(int64); ok {
			one.event = &at
		}
		if at, ok := r[3].(int64); ok && s.byCreate {
			one.created = &at
		}
		history = append(history, one)
	}
	return history
}

// windowedValue is value(K, T, P), defaults filled in.
func windowedValue(v *fstore.ViewVersion, f *fstore.Feature, history []row, key []any, t, p int64) any {
	name := f.Name[:slices.Index([]byte(f.Name), '_')]
	of := windowedRows[name]
	in := inWindow(&v.View, f, history, key, t, p, func(r *row) bool { return of.passes == nil || of.passes(r.values) == true })
	value := aggregate(f, in, func(r *row) any { return of.value(r.values) })
	if value == nil && f.Default != nil {
		return f.Default.Value(0)
	}
	return value
}

// view returns the version of a view that apply makes.
func (w *world) view(t testing.TB, name string) *fstore.ViewVersion {
	t.Helper()
	for _, v := range w.apply(t).Live() {
		if v.Ref.Name == name {
			return v
		}
	}
	t.Fatalf("there is no view %s", name)
	return nil
}
