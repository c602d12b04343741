package ondemand

import "github.com/fstore-dev/fstore/ondemand/vector"

func operatorTable() []*function {
	ops := append(arithmetic(), comparisons()...)
	ops = append(append(ops, logic()...), listOperators()...)
	for _, f := range ops {
		f.group, f.operator = operatorGroup, true
	}
	return ops
}

func arithmetic() []*function {
	const overflow = "the result is outside int64"
	return []*function{
		{
			name: "+", about: "Adds; joins texts.", errors: overflow + "; the instant is outside the years 1 to 9999; the text is too long",
			forms: []*form{
				sig("+(x int64, y int64) int64", vector.AddInts).mayFail(), sig("+(x float64, y float64) float64", vector.AddFloats),
				sig("+(x string, y string) string", vector.Concat).costing(costOfText),
				sig("+(x timestamp, y duration) timestamp", vector.AddInstant(0)).mayFail(),
				sig("+(x duration, y timestamp) timestamp", vector.AddInstant(1)).mayFail(),
				sig("+(x duration, y duration) duration", vector.AddSpans).mayFail(),
			},
			examples: []example{{"1 + 2", "3"}, {"0.5 + 1", "1.5"}, {"'a' + 'b'", "'ab'"}, {"9223372036854775807 + 1", "null"}},
		},
		{
			name: "-", about: "Subtracts.", errors: overflow + "; the instant is outside the years 1 to 9999",
			forms: []*form{
				sig("-(x int64, y int64) int64", vector.SubInts).mayFail(), sig("-(x float64, y float64) float64", vector.SubFloats),
				sig("-(x timestamp, y timestamp) duration", vector.Between).mayFail(),
				sig("-(x timestamp, y duration) timestamp", vector.SubInstant).mayFail(),
				sig("-(x duration, y duration) duration", vector.SubSpans).mayFail(),
			},
			examples: []example{{"1 - 2", "-1"}},
		},
		{
			name: "*", about: "Multiplies.", errors: overflow,
			forms: []*form{
				sig("*(x int64, y int64) int64", vector.MulInts).mayFail(), sig("*(x float64, y float64) float64", vector.MulFloats),
			},
			examples: []example{{"3 * 4", "12"}, {"0.5 * 4", "2.0"}},
		},
		{
			name: "/", about: "Divides. Integers round towards zero. A float64 divided by zero is an infinity or NaN.",
			errors: "an integer is divided by zero; " + overflow,
			forms: []*form{
				sig("/(x int64, y int64) int64", vector.DivInts).mayFail(), sig("/(x float64, y float64) float64", vector.DivFloats),
			},
			examples: []example{{"7 / 2", "3"}, {"-7 / 2", "-3"}, {"7.0 / 2", "3.5"}, {"1 / 0", "null"}, {"1.0 / 0", "Infinity"}},
		},
		{
			name: "%", about: "The remainder of `/`. It has the sign of the dividend.", errors: "the divisor is zero; " + overflow,
			forms:    []*form{sig("%(x int64, y int64) int64", vector.ModInts).mayFail()},
			examples: []example{{"7 % 3", "1"}, {"-7 % 3", "-1"}},
		},
		{
			name: "-x", about: "Changes the sign.", errors: overflow,
			forms: []*form{
				sig("-x(x int64) int64", vector.NegInts).mayFail(), sig("-x(x float64) float64", vector.NegFloats),
			},
			examples: []example{{"-(1 + 2)", "-3"}},
		},
	}
}

// ordered returns the forms of a comparison.
func ordered(name string, ints, floats, texts vector.Kernel, byOrder func(int) bool) []*form {
	return []*form{
		sig(name+"(x int64, y int64) bool", ints), sig(name+"(x float64, y float64) bool", floats),
		sig(name+"(x string, y string) bool", texts), sig(name+"(x timestamp, y timestamp) bool", ints),
		sig(name+"(x duration, y duration) bool", ints), sig(name+"(x bool, y bool) bool", vector.CompareBools(byOrder)),
		sig(name+"(x bytes, y bytes) bool", vector.CompareBytes(byOrder)),
	}
}

func comparisons() []*function {
	return []*function{
		{
			name: "==", about: "Equal. NaN equals nothing. `x == null` is `is_null(x)`.",
			forms: ordered("==", vector.Equal(vector.Ints), vector.Equal(vector.Floats), vector.Equal(vector.Texts),
				func(o int) bool { return o == 0 }),
			examples: []example{{"1 == 1", "true"}, {"'a' == 'A'", "false"}, {"0.0 / 0 == 0.0 / 0", "false"}},
		},
		{
			name: "!=", about: "Not equal. `x != null` is `!is_null(x)`.",
			forms: ordered("!=", vector.Unequal(vector.Ints), vector.Unequal(vector.Floats), vector.Unequal(vector.Texts),
				func(o int) bool { return o != 0 }),
			examples: []example{{"1 != 2", "true"}},
		},
		{
			name: "<", about: "Less, earlier or shorter. Text and bytes compare byte by byte; false is less than true.",
			forms: ordered("<", vector.Less(vector.Ints), vector.Less(vector.Floats), vector.Less(vector.Texts),
				func(o int) bool { return o < 0 }),
			examples: []example{{"1 < 2", "true"}, {"'b' < 'a'", "false"}},
		},
		{
			name: "<=", about: "Less or equal.",
			forms: ordered("<=", vector.LessEqual(vector.Ints), vector.LessEqual(vector.Floats), vector.LessEqual(vector.Texts),
				func(o int) bool { return o <= 0 }),
			examples: []example{{"2 <= 2", "true"}},
		},
		{
			name: ">", about: "Greater.",
			forms: ordered(">", vector.Greater(vector.Ints), vector.Greater(vector.Floats), vector.Greater(vector.Texts),
				func(o int) bool { return o > 0 }),
			examples: []example{{"1 > 2", "false"}},
		},
		{
			name: ">=", about: "Greater or equal.",
			forms: ordered(">=", vector.GreaterEqual(vector.Ints), vector.GreaterEqual(vector.Floats), vector.GreaterEqual(vector.Texts),
				func(o int) bool { return o >= 0 }),
			examples: []example{{"1.5 >= 1", "true"}},
		},
	}
}

func logic() []*function {
	return []*function{
		{
			name: "&&", about: "And.", takes: []string{"bool && bool"},
			nulls:    "false if any operand is false, else null if any is null",
			examples: []example{{"true && false", "false"}, {"(1 / 0 == 1) && false", "false"}, {"(1 / 0 == 1) && true", "null"}},
		},
		{
			name: "||", about: "Or.", takes: []string{"bool || bool"},
			nulls:    "true if any operand is true, else null if any is null",
			examples: []example{{"true || false", "true"}, {"(1 / 0 == 1) || true", "true"}, {"(1 / 0 == 1) || false", "null"}},
		},
		{
			name: "!", about: "Not.", forms: []*form{sig("!(x bool) bool", vector.Not)},
			examples: []example{{"!true", "false"}},
		},
		{
			name: "?:", about: "`c ? x : y` is x where c is true, and y where c is false. The other branch is not evaluated.",
			takes: []string{"bool ? T : T"},
			nulls: "null if c is null; a branch may be the literal null", examples: []example{{"1 < 2 ? 'a' : 'b'", "'a'"}, {"true ? null : 1", "null"}},
		},
	}
}
