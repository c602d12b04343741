package ondemand

import (
	"math"

	"github.com/fstore-dev/fstore/ondemand/mathx"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

func numberTable() []*function {
	all := []*function{
		{
			name: "abs", about: "The value without its sign.", errors: "the result is outside int64",
			forms:    []*form{sig("abs(x int64) int64", vector.AbsInts).mayFail(), floats("abs", math.Abs)},
			examples: []example{{"abs(-3)", "3"}, {"abs(-1.5)", "1.5"}},
		},
		{name: "floor", about: "The largest whole number that is not above x.", forms: []*form{floats("floor", math.Floor)}, examples: []example{{"floor(-1.5)", "-2.0"}}},
		{name: "ceil", about: "The smallest whole number that is not below x.", forms: []*form{floats("ceil", math.Ceil)}, examples: []example{{"ceil(1.2)", "2.0"}}},
		round(),
		{
			name: "sign", about: "-1, 0 or 1. The sign of NaN is NaN.",
			forms:    []*form{sig("sign(x int64) int64", vector.SignInts), floats("sign", vector.Sign)},
			examples: []example{{"sign(-3)", "-1"}, {"sign(0.5)", "1.0"}, {"1 / sign(-0.0)", "Infinity"}},
		},
		{name: "sqrt", about: "The square root. NaN below 0.", forms: []*form{floats("sqrt", math.Sqrt)}, examples: []example{{"sqrt(2)", "1.4142135623730951"}, {"sqrt(-1)", "NaN"}}},
		{name: "exp", about: "e to the power of x.", forms: []*form{floats("exp", mathx.Exp).costing(10)}, examples: []example{{"exp(0)", "1.0"}, {"exp(1000)", "Infinity"}}},
		{name: "log", about: "The natural logarithm. -Infinity at 0, NaN below.", forms: []*form{floats("log", mathx.Log).costing(10)}, examples: []example{{"log(10)", "2.302585092994046"}, {"log(0)", "-Infinity"}}},
		{
			name: "pow", about: "x to the power of y, as IEEE 754 defines it.",
			forms:    []*form{sig("pow(x float64, y float64) float64", vector.Pow).costing(20)},
			examples: []example{{"pow(2, 10)", "1024.0"}, {"pow(9, 0.5)", "3.0"}, {"pow(-8, 0.5)", "NaN"}},
		},
		extreme("min", "The smallest argument, or element of a list.", vector.Least(vector.Ints, (*vector.Vector).IntsFor),
			vector.Least(vector.Floats, (*vector.Vector).FloatsFor), vector.Min,
			example{"min(2, 1, 3)", "1"}, example{"min(1.5, 2)", "1.5"}, example{"min(1, 0.0 / 0)", "NaN"}, example{"min([2.5, 1])", "1.0"}),
		extreme("max", "The largest argument, or element of a list.", vector.Most(vector.Ints, (*vector.Vector).IntsFor),
			vector.Most(vector.Floats, (*vector.Vector).FloatsFor), vector.Max,
			example{"max(2, 1, 3)", "3"}, example{"max([2.5, 1])", "2.5"}),
		{
			name: "clamp", about: "`min(max(x, low), high)`: high where low is above high.",
			forms: []*form{
				sig("clamp(x int64, low int64, high int64) int64", vector.Clamp(vector.Ints, (*vector.Vector).IntsFor)),
				sig("clamp(x float64, low float64, high float64) float64", vector.Clamp(vector.Floats, (*vector.Vector).FloatsFor)),
			},
			examples: []example{{"clamp(17, 0, 10)", "10"}, {"clamp(0.5, 1, 2)", "1.0"}},
		},
		{
			name: "is_nan", about: "Whether x is NaN.",
			forms:    []*form{sig("is_nan(x float64) bool", vector.TestFloats(func(x float64) bool { return x != x }))},
			examples: []example{{"is_nan(0.0 / 0)", "true"}},
		},
		{
			name: "is_inf", about: "Whether x is an infinity.",
			forms:    []*form{sig("is_inf(x float64) bool", vector.TestFloats(func(x float64) bool { return math.IsInf(x, 0) }))},
			examples: []example{{"is_inf(-1.0 / 0)", "true"}},
		},
	}
	for _, f := range all {
		f.group = numberGroup
	}
	return all
}

func floats(name string, f func(float64) float64) *form {
	return sig(name+"(x float64) float64", vector.MapFloats(f))
}

// round has its number of digits as a literal or from a column.
func round() *function {
	digits := sig("round(x float64, digits int64) float64", vector.Round).costing(5)
	digits.bind = func(call *node, args []*node) (vector.Kernel, *badLiteral) {
		if d := args[1]; d.kind == literalNode && (d.lit.i < -vector.MaxDigits || d.lit.i > vector.MaxDigits) {
			return nil, &badLiteral{d, "round takes -22 to 22 digits", ""}
		}
		return call.kernel, nil
	}
	return &function{
		name: "round",
		about: "The nearest whole number; halves go away from zero. With digits, the nearest to `x * 10^digits`, divided by it again. " +
			"Negative digits are those before the point.",
		errors: "digits is outside -22 to 22",
		forms:  []*form{floats("round", math.Round), digits},
		examples: []example{
			{"round(2.5)", "3.0"}, {"round(-2.5)", "-3.0"}, {"round(3.14159, 2)", "3.14"}, {"round(1234.5, -2)", "1200.0"},
		},
	}
}

// extreme makes min or max.
func extreme(name, about string, ints, floats vector.Kernel, list func([]float64) float64, examples ...example) *function {
	return &function{
		name: name, about: about + " NaN if one is NaN.", nulls: "operand; an empty list",
		forms: []*form{
			sig(name+"(x int64, y int64, ...) int64", ints), sig(name+"(x float64, y float64, ...) float64", floats),
			sig(name+"(x timestamp, y timestamp, ...) timestamp", ints),
			sig(name+"(xs list<float64>) float64", vector.ReduceSome(list)).costing(costOfList),
		},
		examples: examples,
	}
}

func spaceTable() []*function {
	geohash := sig("geohash(lat float64, lon float64, length int64) string", vector.Geohash).costing(20)
	geohash.bind = func(call *node, args []*node) (vector.Kernel, *badLiteral) {
		if n := args[2]; n.kind == literalNode && (n.lit.i < 1 || n.lit.i > vector.MaxGeohash) {
			return nil, &badLiteral{n, "a geohash has 1 to 12 characters", "5 characters are about 5 km, 7 about 150 m"}
		}
		return call.kernel, nil
	}
	return []*function{
		{
			name: "haversine_km", group: spaceGroup,
			about: "The distance in kilometres between two points in degrees, on a sphere with the radius 6371.0088 km.",
			forms: []*form{
				sig("haversine_km(lat1 float64, lon1 float64, lat2 float64, lon2 float64) float64", vector.HaversineKm).costing(40),
			},
			examples: []example{{"round(haversine_km(28.6139, 77.2090, 19.0760, 72.8777), 1)", "1148.1"}, {"haversine_km(0, 0, 0, 0)", "0.0"}},
		},
		{
			name: "geohash", group: spaceGroup, about: "The geohash of a point: the cell that holds it, as 1 to 12 characters.",
			errors: "a coordinate is NaN or outside ±90 and ±180; the length is outside 1 to 12",
			forms:  []*form{geohash}, examples: []example{{"geohash(57.64911, 10.40744, 11)", "'u4pruydqqvj'"}, {"geohash(91, 0, 5)", "null"}},
		},
	}
}
