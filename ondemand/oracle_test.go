package ondemand

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// variables are the columns of the property test, by type.
var variables = map[valueType][]string{
	boolType: {"p", "q"}, intType: {"a", "b", "c"}, floatType: {"x", "y"}, textType: {"s", "t"}, timeType: {"u", "v"}, bytesType: {"r", "z"},
	floatType | listOf: {"l"}, textType | listOf: {"w"}, boolType | listOf: {"lp"}, intType | listOf: {"la"}, timeType | listOf: {"lu"},
	bytesType | listOf: {"lr"},
}

// drawTwin draws an expression of a type.
func drawTwin(t *rapid.T, typ valueType, depth int) twin {
	switch pick := rapid.IntRange(0, 9).Draw(t, "shape"); {
	case depth == 0 || pick == 0 || rulesFor[typ] == nil:
		return drawLeaf(t, typ)
	case pick == 1:
		c, a, b := drawTwin(t, boolType, depth-1), drawTwin(t, typ, depth-1), drawTwin(t, typ, depth-1)
		return twin{fmt.Sprintf("(%s ? %s : %s)", c.ours, a.ours, b.ours), fmt.Sprintf("(%s ? %s : %s)", c.cel, a.cel, b.cel)}
	}
	return rapid.SampledFrom(rulesFor[typ]).Draw(t, "rule").draw(t, depth)
}

// draw draws the operands of a rule.
func (r rule) draw(t *rapid.T, depth int) twin {
	var ours, cels []any
	for _, o := range r.operands {
		x := drawTwin(t, o, depth-1)
		ours, cels = append(ours, x.ours), append(cels, x.cel)
	}
	return twin{fmt.Sprintf(r.ours, ours...), fmt.Sprintf(r.cel, cels...)}
}

func drawLeaf(t *rapid.T, typ valueType) twin {
	if typ.isList() || typ == timeType || typ == boolType || typ == bytesType || rapid.Bool().Draw(t, "variable") {
		name := rapid.SampledFrom(variables[typ]).Draw(t, "name")
		return twin{name, name}
	}
	var s string
	switch typ {
	case intType:
		s = strconv.FormatInt(max(drawInt(t), -math.MaxInt64), 10)
		if s[0] == '-' {
			s = "(" + s + ")"
		}
	case floatType:
		s = fmt.Sprintf("(%.6e)", rapid.Float64Range(-1e6, 1e6).Draw(t, "float"))
	default:
		s = strconv.Quote(rapid.SampledFrom(someTexts).Draw(t, "text"))
	}
	return twin{s, s}
}

// Texts with combining marks, and letters beyond 16 bits.
var someTexts = []string{
	"", "e", "abe1", "e\u0301a", "\U0001f600e", "  e\t", "E,e,e", "\u00e9", "\u00a0\u1e9e\u0130\u01c5\u2003", "-7", "42", "1e3", "true", "2011-12-09T18:45:07.5Z",
	"Infinity", "9223372036854775808",
}

func drawInt(t *rapid.T) int64 {
	return rapid.OneOf(rapid.Int64Range(-5, 30), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 1 << 53, -1 << 31})).Draw(t, "int")
}

func drawFloat(t *rapid.T) float64 {
	return rapid.OneOf(rapid.Float64Range(-100, 100), rapid.Float64(), rapid.SampledFrom([]float64{
		math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, 0.5, -2.5, math.MaxFloat64, 5e-324, 1 << 53,
	})).Draw(t, "x")
}

// drawTime draws an instant: any, or one near a change of a clock.
func drawTime(t *rapid.T) time.Time {
	changes := []time.Time{
		time.Date(2018, 11, 4, 3, 0, 0, 0, time.UTC), time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(2021, 3, 28, 1, 0, 0, 0, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), time.Date(1972, 1, 7, 0, 44, 30, 0, time.UTC),
	}
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(-62135596800e6, 253402300799e6), fstore.FromMicros),
		rapid.Custom(func(t *rapid.T) time.Time {
			us := fstore.Micros(rapid.SampledFrom(changes).Draw(t, "change")) + rapid.Int64Range(-3600e6, 3600e6).Draw(t, "around")
			return fstore.FromMicros(min(max(us, -62135596800e6), 253402300799e6))
		}),
	).Draw(t, "u")
}

// drawRow draws a value for each variable.
func drawRow(t *rapid.T) map[string]any {
	row := map[string]any{}
	for _, name := range variables[boolType] {
		row[name] = rapid.Bool().Draw(t, name)
	}
	for _, name := range variables[intType] {
		row[name] = drawInt(t)
	}
	for _, name := range variables[floatType] {
		row[name] = drawFloat(t)
	}
	for _, name := range variables[textType] {
		row[name] = rapid.SampledFrom(someTexts).Draw(t, name)
	}
	for _, name := range variables[timeType] {
		row[name] = drawTime(t)
	}
	row["l"] = []float64{drawFloat(t), 1, drawFloat(t)}[:rapid.IntRange(0, 3).Draw(t, "length")]
	row["w"] = someTexts[:rapid.IntRange(0, 5).Draw(t, "words")]
	for _, name := range variables[bytesType] {
		row[name] = rapid.SampledFrom([][]byte{{}, {0}, []byte("a"), {0xff, 0}, []byte("ab")}).Draw(t, name)
	}
	n := rapid.IntRange(0, 3).Draw(t, "elements")
	row["lp"], row["la"], row["lu"] = []bool{true, false, row["p"].(bool)}[:n], []int64{0, row["b"].(int64), row["a"].(int64)}[:n], []time.Time{drawTime(t), row["v"].(time.Time), row["u"].(time.Time)}[:n]
	row["lr"] = [][]byte{{}, row["r"].([]byte), row["z"].([]byte)}[:n]
	return row
}

// celEnv declares the variables.
func celEnv(t testing.TB) *cel.Env {
	types := map[valueType]*cel.Type{
		boolType: cel.BoolType, intType: cel.IntType, floatType: cel.DoubleType, textType: cel.StringType, timeType: cel.TimestampType,
		bytesType: cel.BytesType,
	}
	options := []cel.EnvOption{ext.Strings(), ext.Math()}
	for typ, names := range variables {
		ct := types[typ.elem()]
		if typ.isList() {
			ct = cel.ListType(ct)
		}
		for _, name := range names {
			options = append(options, cel.Variable(name, ct))
		}
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// Wherever cel-go's own evaluator has a value, an expression has the same. Where cel-go has an error, there is null, or a
// value by fstore's rules for nulls.
func TestCelAgrees(t *testing.T) {
	env := celEnv(t)
	values, failed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]valueType{boolType, intType, floatType, textType, bytesType, timeType, textType | listOf}).Draw(t, "type")
		e := drawTwin(t, typ, 4)
		agreed, errors := compareWithCel(t, env, typ, e, rapid.IntRange(1, 12).Draw(t, "rows"))
		values, failed = values+agreed, failed+errors
	})
	if values < failed/4 {
		t.Errorf("%d values were compared, and %d rows have errors in cel", values, failed)
	}
}

// compareWithCel compares an expression with cel-go's value of it in random rows. It returns in how many rows the two agree,
// and in how many cel-go has an error.
func compareWithCel(t *rapid.T, env *cel.Env, typ valueType, e twin, rows int) (values, failed int) {
	tree, issues := env.Compile(e.cel)
	if issues.Err() != nil {
		t.Fatalf("cel: %s: %v", e.cel, issues.Err())
	}
	program, err := env.Program(tree)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]*fstore.Column{}
	var want []any
	for range rows {
		row := drawRow(t)
		appendRow(columns, row)
		v, _, err := program.Eval(row)
		if err != nil {
			want = append(want, err)
			continue
		}
		want = append(want, v.Value())
	}
	got := evalColumns(t, Feature{Name: "f", Type: columnType(typ), Expression: e.ours}, columns, rows).Columns[0]
	for i, w := range want {
		if _, isError := w.(error); isError {
			failed++
			continue
		}
		values++
		if !sameValue(got.Value(i), w) {
			t.Fatalf("%s\nrow %d: got %v; cel has %v", e.ours, i, got.Value(i), w)
		}
	}
	return values, failed
}

// columnType returns the type of a column of values.
func columnType(typ valueType) fstore.Type {
	t, err := fstore.ParseType(typ.String())
	if err != nil {
		panic(err)
	}
	return t
}

func appendRow(columns map[string]*fstore.Column, row map[string]any) {
	for typ, names := range variables {
		for _, name := range names {
			if columns[name] == nil {
				c := fstore.NewColumn(name, columnType(typ), 0)
				columns[name] = &c
			}
			columns[name].Append(row[name])
		}
	}
}

func evalColumns(t *rapid.T, f Feature, columns map[string]*fstore.Column, rows int) *Result {
	env := Env{}
	for name, c := range columns {
		env.Columns = append(env.Columns, Column{name, c.Type})
	}
	p, problems := Compile(env, []Feature{f})
	if problems != nil {
		t.Fatalf("%s: %v", f.Expression, problems)
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

// sameValue compares a value of fstore's with one of cel-go's.
func sameValue(got, want any) bool {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		return ok && (g == w || g != g && w != w)
	case time.Time:
		g, ok := got.(time.Time)
		return ok && g.Equal(w)
	case []ref.Val:
		if g, ok := got.([]float64); ok {
			return slices.EqualFunc(g, w, func(x float64, y ref.Val) bool { return sameValue(x, y.Value()) })
		}
	}
	return fmt.Sprintf("%v", got) == fmt.Sprintf("%v", want)
}
