package ondemand

import "github.com/fstore-dev/fstore/ondemand/vector"

func conversionTable() []*function {
	all := []*function{
		{
			name: "int64", about: "A float64 without its fraction; a decimal number in a text; the whole seconds of an instant since 1970, rounded down.",
			errors: "the value is not a number, or is outside int64",
			forms: []*form{
				sig("int64(x float64) int64", vector.IntFromFloat).mayFail(),
				sig("int64(x string) int64", vector.IntFromText).costing(costOfText),
				sig("int64(x timestamp) int64", vector.IntFromInstant),
			},
			examples: []example{{"int64(-2.7)", "-2"}, {"int64('42')", "42"}, {"int64('4 2')", "null"}, {"int64(timestamp('1970-01-02'))", "86400"}},
		},
		{
			name: "float64", about: "The nearest float64 of an integer; a number in a text, written as in JSON, or NaN, Infinity or -Infinity.",
			errors: "the text is not a number",
			forms: []*form{
				sig("float64(x int64) float64", vector.FloatFromInt),
				sig("float64(x string) float64", vector.FloatFromText).costing(costOfText),
			},
			examples: []example{{"float64(3)", "3.0"}, {"float64('1e3')", "1000.0"}, {"float64('0x1')", "null"}},
		},
		{
			name: "string", about: "A number, bool or instant as fstore writes it in JSON.",
			forms: []*form{
				sig("string(x int64) string", vector.TextFrom(vector.WriteInt)).costing(20),
				sig("string(x float64) string", vector.TextFrom(vector.WriteFloat)).costing(20),
				sig("string(x bool) string", vector.TextFrom(vector.WriteBool)).costing(20),
				sig("string(x timestamp) string", vector.TextFrom(vector.WriteInstant)).costing(20),
			},
			examples: []example{{"string(7)", "'7'"}, {"string(0.1 + 0.2)", "'0.30000000000000004'"}, {"string(timestamp(0))", "'1970-01-01T00:00:00Z'"}},
		},
		{
			name: "bool", about: "The texts true and false.", errors: "the text is another",
			forms:    []*form{sig("bool(x string) bool", vector.BoolFromText).mayFail()},
			examples: []example{{"bool('true')", "true"}, {"bool('yes')", "null"}},
		},
		{
			name: "timestamp", about: "An instant in RFC 3339, or without a zone, which is UTC; seconds since 1970.",
			errors: "the text is not an instant; the instant is outside the years 1 to 9999",
			forms: []*form{
				sig("timestamp(x string) timestamp", vector.InstantFromText).costing(20),
				sig("timestamp(x int64) timestamp", vector.InstantFromInt).mayFail(),
			},
			examples: []example{{"timestamp('2011-12-09 12:50')", "'2011-12-09T12:50:00Z'"}, {"timestamp(1)", "'1970-01-01T00:00:01Z'"}, {"timestamp('soon')", "null"}},
		},
	}
	for _, f := range all {
		f.group = conversionGroup
	}
	return all
}
