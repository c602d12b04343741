package ondemand

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// variables are the columns of the property test, by type.
var variables = map[valueType][]string{
	boolType: {"p", "q"}, intType: {"a", "b", "c"}, floatType: {"x", "y"}, textType: {"s", "t"}, timeType: {"u", "v"},
	floatType | listOf: {"l"}, textType | listOf: {"w"},
}

// twin is one expression as fstore and as CEL write it.
type twin struct{ ours, cel string }

// rule makes an expression of some operands. The formats take the operands in their order.
type rule struct {
	operands  []valueType
	ours, cel string
}

func infix(t valueType, operators ...string) (rules []rule) {
	for _, op := range operators {
		rules = append(rules, rule{[]valueType{t, t}, "(%s " + op + " %s)", "(%s " + op + " %s)"})
	}
	return rules
}

// rulesFor has the ways to make a value of a type.
var rulesFor = map[valueType][]rule{
	boolType: concat(
		infix(boolType, "&&", "||", "==", "!="), infix(intType, "<", "<=", ">", ">=", "==", "!="),
		infix(floatType, "<", "<=", ">", ">=", "==", "!="), infix(textType, "<", ">=", "=="), infix(timeType, "<", "<=", "=="),
		[]rule{
			{[]valueType{boolType}, "!%s", "!%s"},
			{[]valueType{textType, textType}, "starts_with(%s, %s)", "%s.startsWith(%s)"},
			{[]valueType{textType, textType}, "ends_with(%s, %s)", "%s.endsWith(%s)"},
			{[]valueType{textType, textType}, "contains(%s, %s)", "%s.contains(%s)"},
			{[]valueType{textType}, "matches(%s, '^[a-c]*e.$')", "%s.matches('^[a-c]*e.$')"},
			{[]valueType{intType, intType, intType}, "(%s in [%s, %s])", "(%s in [%s, %s])"},
			{[]valueType{textType, textType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{floatType, floatType | listOf}, "(%s in %s)", "(%s in %s)"},
			{[]valueType{floatType}, "is_nan(%s)", "math.isNaN(%s)"},
			{[]valueType{floatType}, "is_inf(%s)", "math.isInf(%s)"},
		}),
	intType: concat(infix(intType, "+", "-", "*", "/", "%%"), []rule{
		{[]valueType{intType}, "-(%s)", "-(%s)"},
		{[]valueType{floatType}, "int64(%s)", "int(%s)"},
		{[]valueType{timeType}, "int64(%s)", "int(%s)"},
		{[]valueType{textType}, "length(%s)", "size(%s)"},
		{[]valueType{textType | listOf}, "size(%s)", "size(%s)"},
		{[]valueType{intType}, "abs(%s)", "math.abs(%s)"},
		{[]valueType{intType}, "sign(%s)", "math.sign(%s)"},
		{[]valueType{intType, intType, intType}, "min(%s, %s, %s)", "math.least(%s, %s, %s)"},
		{[]valueType{intType, intType}, "max(%s, %s)", "math.greatest(%s, %s)"},
		{[]valueType{timeType}, "year(%s)", "%s.getFullYear()"},
		{[]valueType{timeType}, "month(%s, 'Europe/London')", "(%s.getMonth('Europe/London') + 1)"},
		{[]valueType{timeType}, "day(%s, 'Asia/Kolkata')", "%s.getDate('Asia/Kolkata')"},
		{[]valueType{timeType}, "day_of_year(%s, 'America/Sao_Paulo')", "(%s.getDayOfYear('America/Sao_Paulo') + 1)"},
		{[]valueType{timeType}, "(weekday(%s, 'Pacific/Apia') %% 7)", "%s.getDayOfWeek('Pacific/Apia')"},
		{[]valueType{timeType}, "hour(%s, 'Australia/Lord_Howe')", "%s.getHours('Australia/Lord_Howe')"},
		{[]valueType{timeType}, "minute(%s, 'Africa/Monrovia')", "%s.getMinutes('Africa/Monrovia')"},
		{[]valueType{timeType}, "second(%s)", "%s.getSeconds()"},
		{[]valueType{timeType, timeType}, "int64(hours(%s - %s))", "(%s - %s).getHours()"},
	}),
	floatType: concat(infix(floatType, "+", "-", "*", "/"), []rule{
		{[]valueType{floatType}, "-(%s)", "-(%s)"},
		{[]valueType{intType}, "float64(%s)", "double(%s)"},
		{[]valueType{floatType | listOf, intType}, "%s[%s]", "%s[%s]"},
		{[]valueType{floatType}, "floor(%s)", "math.floor(%s)"},
		{[]valueType{floatType}, "ceil(%s)", "math.ceil(%s)"},
		{[]valueType{floatType}, "round(%s)", "math.round(%s)"},
		{[]valueType{floatType}, "sqrt(%s)", "math.sqrt(%s)"},
		{[]valueType{floatType}, "abs(%s)", "math.abs(%s)"},
		{[]valueType{floatType}, "sign(%s)", "math.sign(%s)"},
	}),
	textType: concat(infix(textType, "+"), []rule{
		{[]valueType{intType}, "string(%s)", "string(%s)"},
		{[]valueType{boolType}, "string(%s)", "string(%s)"},
		{[]valueType{textType | listOf, intType}, "%s[%s]", "%s[%s]"},
		{[]valueType{textType, textType}, "replace(%s, 'e', %s)", "%s.replace('e', %s)"},
		{[]valueType{textType}, "trim(%s)", "%s.trim()"},
	}),
	timeType: {
		{[]valueType{timeType}, "(%s + duration('1h30m'))", "(%s + duration('1h30m'))"},
		{[]valueType{timeType}, "(duration('90m') + %s)", "(duration('90m') + %s)"},
		{[]valueType{timeType}, "(%s - duration('26h'))", "(%s - duration('26h'))"},
		{[]valueType{timeType, timeType, timeType}, "(%s + (%s - %s))", "(%s + (%s - %s))"},
	},
	floatType | listOf: {{[]valueType{floatType, floatType}, "[%s, %s]", "[%s, %s]"}},
	textType | listOf: {
		{[]valueType{textType, textType}, "split(%s, %s)", "%s.split(%s)"},
		{[]valueType{textType}, "split(%s, '')", "%s.split('')"},
	},
}

func concat(parts ...[]rule) (all []rule) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// drawTwin draws an expression of a type.
func drawTwin(t *rapid.T, typ valueType, depth int) twin {
	switch pick := rapid.IntRange(0, 9).Draw(t, "shape"); {
	case depth == 0 || pick == 0:
		return drawLeaf(t, typ)
	case pick == 1:
		c, a, b := drawTwin(t, boolType, depth-1), drawTwin(t, typ, depth-1), drawTwin(t, typ, depth-1)
		return twin{fmt.Sprintf("(%s ? %s : %s)", c.ours, a.ours, b.ours), fmt.Sprintf("(%s ? %s : %s)", c.cel, a.cel, b.cel)}
	}
	r := rapid.SampledFrom(rulesFor[typ]).Draw(t, "rule")
	var ours, cels []any
	for _, o := range r.operands {
		x := drawTwin(t, o, depth-1)
		ours, cels = append(ours, x.ours), append(cels, x.cel)
	}
	return twin{fmt.Sprintf(r.ours, ours...), fmt.Sprintf(r.cel, cels...)}
}

func drawLeaf(t *rapid.T, typ valueType) twin {
	if typ.isList() || typ == timeType || typ == boolType || rapid.Bool().Draw(t, "variable") {
		name := rapid.SampledFrom(variables[typ]).Draw(t, "name")
		return twin{name, name}
	}
	var s string
	switch typ {
	case intType:
		s = strconv.FormatInt(drawInt(t), 10)
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
var someTexts = []string{"", "e", "abe1", "e\u0301a", "\U0001f600e", "  e\t", "E,e,e", "\u00e9"}

func drawInt(t *rapid.T) int64 {
	return rapid.OneOf(rapid.Int64Range(-5, 30), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64 + 1, 1 << 53, -1 << 31})).Draw(t, "int")
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
		rapid.Map(rapid.Int64Range(0, 7200e6), func(us int64) time.Time {
			return changes[us%int64(len(changes))].Add(time.Duration(us/2) * time.Microsecond)
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
	return row
}

// celEnv declares the variables.
func celEnv(t testing.TB) *cel.Env {
	types := map[valueType]*cel.Type{
		boolType: cel.BoolType, intType: cel.IntType, floatType: cel.DoubleType, textType: cel.StringType, timeType: cel.TimestampType,
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
		typ := rapid.SampledFrom([]valueType{boolType, intType, floatType, textType, timeType, textType | listOf}).Draw(t, "type")
		e := drawTwin(t, typ, 4)
		tree, issues := env.Compile(e.cel)
		if issues.Err() != nil {
			t.Fatalf("cel: %s: %v", e.cel, issues.Err())
		}
		program, err := env.Program(tree)
		if err != nil {
			t.Fatal(err)
		}
		rows := rapid.IntRange(1, 12).Draw(t, "rows")
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
		ft, err := fstore.ParseType(typ.String())
		if err != nil {
			t.Fatal(err)
		}
		got := evalColumns(t, Feature{Name: "f", Type: ft, Expression: e.ours}, columns, rows).Columns[0]
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
	})
	if values < failed/4 {
		t.Errorf("%d values were compared, and %d rows have errors in cel", values, failed)
	}
}

func appendRow(columns map[string]*fstore.Column, row map[string]any) {
	for typ, names := range variables {
		for _, name := range names {
			if columns[name] == nil {
				ft, err := fstore.ParseType(typ.String())
				if err != nil {
					panic(err)
				}
				c := fstore.NewColumn(name, ft, 0)
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
	}
	return fmt.Sprintf("%v", got) == fmt.Sprintf("%v", want)
}
