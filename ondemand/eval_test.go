package ondemand

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

// column returns a column of boxed values.
func column(t fstore.Type, values ...any) *fstore.Column {
	c := fstore.NewColumn("", t, len(values))
	for _, v := range values {
		c.Append(v)
	}
	return &c
}

// run evaluates features over columns by name.
func run(t testing.TB, features []Feature, columns map[string]*fstore.Column) *Result {
	t.Helper()
	env, rows := Env{}, 1
	for name, c := range columns {
		if rows = c.Len; name != atName {
			env.Columns = append(env.Columns, Column{name, c.Type})
		}
	}
	p, problems := Compile(env, features)
	if problems != nil {
		t.Fatal(problems)
	}
	var inputs []*fstore.Column
	for _, in := range p.Inputs() {
		inputs = append(inputs, columns[in.Name])
	}
	r, err := p.Eval(rows, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// values returns a column's boxed values.
func values(c *fstore.Column) []any {
	out := make([]any, c.Len)
	for i := range out {
		out[i] = c.Value(i)
	}
	return out
}

func TestNulls(t *testing.T) {
	columns := map[string]*fstore.Column{
		"x": column(fstore.Int64, int64(1), nil, int64(3)), "y": column(fstore.Int64, int64(1), int64(2), nil),
		"b": column(fstore.Bool, true, false, nil), "c": column(fstore.Bool, nil, nil, nil),
		"l": column(fstore.List(fstore.String), []string{"a"}, nil, []string{}), "s": column(fstore.String, "a", "b", nil),
	}
	for _, test := range []struct {
		expression string
		typ        fstore.Type
		want       []any
	}{
		{"x + y", fstore.Int64, []any{int64(2), nil, nil}},
		{"x == y", fstore.Bool, []any{true, nil, nil}},
		{"x == null", fstore.Bool, []any{false, true, false}},
		{"null != y", fstore.Bool, []any{true, true, false}},
		{"b && c", fstore.Bool, []any{nil, false, nil}},
		{"c && b", fstore.Bool, []any{nil, false, nil}},
		{"b || c", fstore.Bool, []any{true, nil, nil}},
		{"c || b || false", fstore.Bool, []any{true, nil, nil}},
		{"!b", fstore.Bool, []any{false, true, nil}},
		{"b ? x : y", fstore.Int64, []any{int64(1), int64(2), nil}},
		{"c ? x : y", fstore.Int64, []any{nil, nil, nil}},
		{"b ? null : x", fstore.Int64, []any{nil, nil, nil}},
		{"coalesce(x, y)", fstore.Int64, []any{int64(1), int64(2), int64(3)}},
		{"coalesce(y, x, 9)", fstore.Int64, []any{int64(1), int64(2), int64(3)}},
		{"if_null(x, 0)", fstore.Int64, []any{int64(1), int64(0), int64(3)}},
		{"coalesce(l, split('z', ','))", fstore.List(fstore.String), []any{[]string{"a"}, []string{"z"}, []string{}}},
		{"b ? l : split(s, ',')", fstore.List(fstore.String), []any{[]string{"a"}, []string{"b"}, nil}},
		{"x in [y, 3]", fstore.Bool, []any{true, nil, true}},
		{"x in [7, 8]", fstore.Bool, []any{false, nil, false}},
		{"s in l", fstore.Bool, []any{true, nil, nil}},
		{"[x, y]", fstore.List(fstore.Int32), []any{[]int32{1, 1}, nil, nil}},
		{"size(l)", fstore.Int64, []any{int64(1), nil, int64(0)}},
		{"is_null(x + y) ? -1 : x", fstore.Int32, []any{int32(1), int32(-1), int32(-1)}},
	} {
		r := run(t, []Feature{{Name: "f", Type: test.typ, Expression: test.expression}}, columns)
		if d := cmp.Diff(test.want, values(&r.Columns[0])); d != "" {
			t.Errorf("%s (-want +got)\n%s", test.expression, d)
		}
		if r.Faults != nil {
			t.Errorf("%s: a null operand is no fault: %v", test.expression, r.Faults)
		}
	}
}

func TestFaultsCountOnTheBranchTaken(t *testing.T) {
	const most = int64(math.MaxInt64)
	columns := map[string]*fstore.Column{
		"n": column(fstore.Int64, int64(0), int64(2), most, nil), "zone": column(fstore.String, "UTC", "Mars", "Local", nil),
		"long": column(fstore.String, strings.Repeat("x", vector.MaxText+1), "", "", nil),
		"at":   column(fstore.Timestamp, fstore.FromMicros(0), fstore.FromMicros(0), fstore.FromMicros(math.MaxInt64), nil),
		"big":  column(fstore.List(fstore.Float32), make([]float32, vector.MaxList+1), []float32{1}, []float32{}, nil),
	}
	for _, test := range []struct {
		expression string
		typ        fstore.Type
		want       string
	}{
		{"1 / n", fstore.Int64, "division by zero 1 at 0"},
		{"n == 0 ? 0 : 1 / n", fstore.Int64, ""},
		{"n == 0 ? 1 / n : n + 1", fstore.Int64, "integer overflow 1 at 2, division by zero 1 at 0"},
		{"n != 0 && 1 / n == 0", fstore.Bool, ""},
		{"n == 0 || 1 / n == 0", fstore.Bool, ""},
		{"1 / n == 0 || n == 0", fstore.Bool, "division by zero 1 at 0"},
		{"coalesce(n, 1 / 0)", fstore.Int64, "division by zero 1 at 3"},
		{"1 / n + 1 / n", fstore.Int64, "division by zero 1 at 0"},
		{"n * n + n * n", fstore.Int64, "integer overflow 1 at 2"},
		{"n", fstore.Int32, "integer overflow 1 at 2"},
		{"[n, 1]", fstore.List(fstore.Int32), "integer overflow 1 at 2"},
		{"hour(at, zone)", fstore.Int64, "instant out of range 1 at 2, unknown time zone 1 at 1"},
		{"n == 0 ? hour(at, zone) : 0", fstore.Int64, ""},
		{"at + duration('1h')", fstore.Timestamp, "instant out of range 1 at 2"},
		{"at", fstore.Timestamp, ""},
		{"long", fstore.String, "text too long 1 at 0"},
		{"length(long)", fstore.Int64, "text too long 1 at 0"},
		{"n == 2 ? length(long) : 0", fstore.Int64, ""},
		{"n == 2 ? long : ''", fstore.String, ""},
		{"sum(big)", fstore.Float64, "list too long 1 at 0"},
		{"big[n]", fstore.Float64, "list too long 1 at 0, index out of bounds 2 at 1"},
		{"int64(string(n)) + int64('x')", fstore.Int64, "failed conversion 4 at 0"},
		{"replace(upper('" + strings.Repeat("a", 1000) + "'), 'A', '" + strings.Repeat("b", 100) + "')", fstore.String, "text too long 4 at 0"},
		{"split('" + strings.Repeat(",", 5000) + "', ',')", fstore.List(fstore.String), "list too long 4 at 0"},
		{"geohash(float64(n), 0, 5)", fstore.String, "argument out of range 1 at 2"},
	} {
		r := run(t, []Feature{{Name: "f", Type: test.typ, Expression: test.expression}}, columns)
		var got []string
		for _, f := range r.Faults {
			got = append(got, fmt.Sprintf("%s %d at %d", f.Reason, f.Rows, f.First))
		}
		if got := strings.Join(got, ", "); got != test.want {
			t.Errorf("%.60s: %q, not %q", test.expression, got, test.want)
		}
	}
}

// A feature reads the earlier ones as they are stored: rounded, in range, with their defaults.
func TestEarlierFeatures(t *testing.T) {
	value := func(v any, typ fstore.Type) *fstore.Value { return &fstore.Value{Column: *column(typ, v)} }
	r := run(t, []Feature{
		{Name: "rounded", Type: fstore.Float32, Expression: "x"},
		{Name: "exact", Type: fstore.Bool, Expression: "rounded == x"},
		{Name: "small", Type: fstore.Int32, Expression: "int64(x * 1e10)", Default: value(int32(-1), fstore.Int32)},
		{Name: "next", Type: fstore.Int64, Expression: "small + 1"},
		{Name: "words", Type: fstore.List(fstore.String), Expression: "x > 1 ? split('a b', ' ') : null", Default: value([]string{"none"}, fstore.List(fstore.String))},
		{Name: "word", Type: fstore.String, Expression: "words[0]"},
	}, map[string]*fstore.Column{"x": column(fstore.Float64, 0.1, 2.0, nil)})
	var got [][]any
	for i := range r.Columns {
		got = append(got, values(&r.Columns[i]))
	}
	want := [][]any{
		{float32(0.1), float32(2), nil},
		{false, true, nil},
		{int32(1e9), int32(-1), int32(-1)},
		{int64(1e9 + 1), int64(0), int64(0)},
		{[]string{"none"}, []string{"a", "b"}, []string{"none"}},
		{"none", "a", "none"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if d := cmp.Diff([]fstore.Bitmap{{0b011}, {0b011}, {0b001}, nil, {0b010}, nil}, r.Present); d != "" {
		t.Errorf("present: -want +got\n%s", d)
	}
	if d := cmp.Diff([]Fault{{"small", vector.Overflow, 1, 1}}, r.Faults); d != "" {
		t.Errorf("faults: -want +got\n%s", d)
	}
}

// A feature has one NaN and no negative zero, whatever the expression made of the input's.
func TestFloatsAreCanonical(t *testing.T) {
	other := math.Float64frombits(0xfff8_0000_0000_0123)
	r := run(t, []Feature{
		{Name: "a", Type: fstore.Float64, Expression: "x"},
		{Name: "b", Type: fstore.Float32, Expression: "x"},
		{Name: "c", Type: fstore.List(fstore.Float64), Expression: "[x, x]"},
		{Name: "d", Type: fstore.Float64, Expression: "1 / x"},
	}, map[string]*fstore.Column{"x": column(fstore.Float64, other, math.Copysign(0, -1))})
	nan := math.Float64bits(math.NaN())
	a, b, c, d := r.Columns[0].Float64s, r.Columns[1].Float32s, r.Columns[2].Float64s, r.Columns[3].Float64s
	for _, x := range []float64{a[0], c[0], c[1], d[0]} {
		if math.Float64bits(x) != nan {
			t.Errorf("NaN is %x", math.Float64bits(x))
		}
	}
	if math.Float32bits(b[0]) != math.Float32bits(float32(math.NaN())) {
		t.Errorf("float32 NaN is %x", math.Float32bits(b[0]))
	}
	if math.Signbit(a[1]) || math.Signbit(float64(b[1])) || math.Signbit(c[2]) || !math.IsInf(d[1], -1) {
		t.Errorf("negative zero: %v %v %v %v", a[1], b[1], c[2], d[1])
	}
}

// Rows do not depend on the rows around them: chunks, memory that is used again, and order do not matter.
func TestChunks(t *testing.T) {
	const rows = 3*vector.Rows + 17
	n, s := fstore.NewColumn("n", fstore.Int64, rows), fstore.NewColumn("s", fstore.String, rows)
	for i := range rows {
		if i%7 == 0 {
			n.AppendNull()
		} else {
			n.AppendInt64(int64(i % 5))
		}
		s.Append(fmt.Sprint(i % 3))
	}
	features := []Feature{
		{Name: "a", Type: fstore.Int64, Expression: "coalesce(12 / n, -1) + (n > 2 ? n : 0)", Default: &fstore.Value{Column: *column(fstore.Int64, int64(99))}},
		{Name: "b", Type: fstore.List(fstore.String), Expression: "n == 0 ? null : split(s + ',' + s, ',')"},
		{Name: "c", Type: fstore.Bool, Expression: "(s == '0' || n > 3) && !(a == 99)"},
		{Name: "d", Type: fstore.Int64, Expression: "size(b) + a"},
	}
	all := run(t, features, map[string]*fstore.Column{"n": &n, "s": &s})
	env := Env{Columns: []Column{{"n", fstore.Int64}, {"s", fstore.String}}}
	p, problems := Compile(env, features)
	if problems != nil {
		t.Fatal(problems)
	}
	for i := range rows {
		one, two := fstore.NewColumn("", fstore.Int64, 1), fstore.NewColumn("", fstore.String, 1)
		one.AppendFrom(&n, i)
		two.AppendFrom(&s, i)
		r, err := p.Eval(1, []*fstore.Column{&one, &two})
		if err != nil {
			t.Fatal(err)
		}
		for j := range features {
			if got, want := all.Columns[j].Value(i), r.Columns[j].Value(0); !cmp.Equal(got, want) {
				t.Fatalf("row %d, %s: %v among others, %v alone", i, features[j].Name, got, want)
			}
		}
	}
	zeros := 0
	for i := range rows {
		if !n.IsNull(i) && n.Int64s[i] == 0 {
			zeros++
		}
	}
	if d := cmp.Diff([]Fault{{"a", vector.DivisionByZero, zeros, 5}}, all.Faults); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestInputsAreChecked(t *testing.T) {
	p, problems := Compile(shop, []Feature{{Name: "f", Type: fstore.Float64, Expression: "pickup_lat"}})
	if problems != nil {
		t.Fatal(problems)
	}
	for _, test := range []struct {
		inputs []*fstore.Column
		want   string
	}{
		{nil, "the features read 1 columns, got 0"},
		{[]*fstore.Column{nil}, "the column pickup_lat is missing"},
		{[]*fstore.Column{column(fstore.Int64, int64(1))}, "the column pickup_lat is int64, not float64"},
		{[]*fstore.Column{column(fstore.Float64)}, "the column pickup_lat has 0 rows, not 1"},
	} {
		if _, err := p.Eval(1, test.inputs); err == nil || err.Error() != test.want || !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%v, not %s", err, test.want)
		}
	}
}

func TestAViewHasABoundOnItsCost(t *testing.T) {
	var features []Feature
	for i := range 80 {
		features = append(features, Feature{Name: fmt.Sprintf("f%d", i), Type: fstore.Bool, Expression: "matches(name, '(abcd){15}')"})
	}
	_, problems := Compile(shop, features)
	if len(problems) == 0 || !strings.Contains(problems[0].Message, "with this expression, the view costs") {
		t.Errorf("%v", problems)
	}
}

func TestADefaultHasTheTypeOfItsFeature(t *testing.T) {
	_, problems := Compile(shop, []Feature{{
		Name: "f", Type: fstore.Int64, Expression: "n", Default: &fstore.Value{Column: *column(fstore.Int32, int32(1))},
	}})
	if len(problems) != 1 || problems[0].Message != "the feature is declared int64, but its default is int32" {
		t.Errorf("%v", problems)
	}
}

func TestHoursOfAt(t *testing.T) {
	p, problems := Compile(shop, []Feature{
		{Name: "a", Type: fstore.Int64, Expression: "vip ? 0 : 1 + hour(at, 'Asia/Kolkata')"},
		{Name: "b", Type: fstore.Int64, Expression: "weekday(at)"},
		{Name: "c", Type: fstore.Int64, Expression: "hour(paid)"},
		{Name: "d", Type: fstore.Int64, Expression: "minute(at)"},
	})
	if problems != nil {
		t.Fatal(problems)
	}
	if d := cmp.Diff([]string{"a", "d"}, p.HoursOfAt()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// One program evaluates for many requests at once.
func TestProgramsAreShared(t *testing.T) {
	env := Env{Columns: []Column{{"n", fstore.Int64}, {"zone", fstore.String}}}
	p, problems := Compile(env, []Feature{
		{Name: "a", Type: fstore.Int64, Expression: "coalesce(100 / n, -1) + (n > 2 ? n : 0)"},
		{Name: "b", Type: fstore.String, Expression: "matches(zone, 'a') && a > 0 ? upper(zone) : string(a)"},
		{Name: "c", Type: fstore.Int64, Expression: "hour(timestamp(n * 3600), zone)"},
	})
	if problems != nil {
		t.Fatal(problems)
	}
	zones := []string{"UTC", "Asia/Kolkata", "America/Havana", "Mars"}
	results := make([]*Result, 16)
	var wait sync.WaitGroup
	for k := range results {
		wait.Go(func() {
			n, zone := fstore.NewColumn("", fstore.Int64, 0), fstore.NewColumn("", fstore.String, 0)
			for i := range 2000 {
				n.AppendInt64(int64(i % 7))
				zone.Append(zones[(i+k)%4])
			}
			r, err := p.Eval(2000, []*fstore.Column{&n, &zone})
			if err != nil {
				t.Error(err)
			}
			results[k] = r
		})
	}
	wait.Wait()
	for k, r := range results {
		if d := cmp.Diff(results[k%4], r); d != "" {
			t.Fatalf("evaluation %d: %s", k, d)
		}
	}
}
