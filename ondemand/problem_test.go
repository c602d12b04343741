package ondemand

import (
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

var shop = Env{
	Columns: []Column{
		{"pickup_lat", fstore.Float64},
		{"n", fstore.Int64},
		{"small", fstore.Int32},
		{"half", fstore.Float32},
		{"name", fstore.String},
		{"vip", fstore.Bool},
		{"raw", fstore.Bytes},
		{"paid", fstore.Timestamp},
		{"tags", fstore.List(fstore.String)},
		{"vec", fstore.List(fstore.Float32)},
		{"customer_orders.order_value", fstore.Float64},
		{"store_location.lat", fstore.Float64},
	},
	Events:   []string{"customer_orders"},
	NoEvents: map[string]string{"store_location": "it is a static table"},
}

func TestProblemsNameThePlaceAndTheRemedy(t *testing.T) {
	for _, test := range []struct{ expression, want string }{
		{"", "1:1: the expression is empty"},
		{"1 +", "1:4: syntax: the expression is incomplete, or a bracket has no partner"},
		{"pickup_lot + 1", `1:1: unknown name pickup_lot (did you mean "pickup_lat"?)`},
		{"1.0 +\n  customer_orders.order_valeu", `2:3: unknown name customer_orders.order_valeu (did you mean "customer_orders.order_value"?)`},
		{"n * pickup_lat", "1:3: * has no meaning for int64 and float64 (write float64(n))"},
		{"(n + 1) * 2.5", "1:9: * has no meaning for int64 and float64 (write float64(…))"},
		{"abs2(n)", `1:1: unknown function abs2 (did you mean "abs"?)`},
		{"1.0 + startsWith(name, 'a')", `1:7: unknown function startsWith (did you mean "starts_with"?)`},
		{"float64(hour(at, 'Asia/Kolkatta'))", `1:18: unknown time zone "Asia/Kolkatta" (did you mean "Asia/Kolkata"?)`},
		{"float64(hour(at, 'Local'))", `1:18: unknown time zone "Local" (a name of the IANA database, such as Asia/Kolkata or UTC)`},
		{"float64(hour(at, ''))", `1:18: unknown time zone "" (a name of the IANA database, such as Asia/Kolkata or UTC)`},
		{"float64(hour(at, '+05:30'))", `1:18: unknown time zone "+05:30" (a name of the IANA database, such as Asia/Kolkata or UTC)`},
		{"matches(name, '(a') ? 1.0 : 2.0", "1:15: the pattern is wrong: missing closing ): `(a` (patterns have the syntax of RE2)"},
		{"matches(name, name) ? 1.0 : 2.0", "1:15: the pattern of matches must be a literal"},
		{"matches(name, '((a{100}){100}){100}') ? 1.0 : 2.0", "1:15: the pattern is wrong: invalid repeat count: `{100}` (patterns have the syntax of RE2)"},
		{"matches(name, '(abcdefghij){100}') ? 1.0 : 2.0", "1:15: the pattern costs 120100 for each row; at most 10000 is allowed (shorten it; x{100} counts as a hundred x)"},
		{"matches(name, 'a{60}') && matches(name, 'b{60}') ? 1.0 : 2.0", "1:1: the expression costs 12205 for each row; at most 10000 is allowed (an addition costs 1; patterns, texts and lists cost most)"},
		{"seconds(date_trunc('fortnight', at) - at)", `1:20: unknown unit "fortnight" (known: day, hour, minute, month, quarter, second, week, year)`},
		{"hours(duration('1 hour'))", `1:16: "1 hour" is not a duration (for example 90d, 12h or 1h30m; units us, ms, s, m, h, d, w)`},
		{"float64(bucket(n, 0))", "1:19: the number of buckets must be positive (for example 100)"},
		{"float64(length(geohash(1, 2, 13)))", "1:30: a geohash has 1 to 12 characters (5 characters are about 5 km, 7 about 150 m)"},
		{"round(1.5, 23)", "1:12: round takes -22 to 22 digits"},
		{"haversine_km(pickup_lat, n, 0, 0)", "1:1: haversine_km does not take (float64, int64, int64, int64); it is haversine_km(lat1 float64, lon1 float64, lat2 float64, lon2 float64) (write float64(n))"},
		{"coalesce()", "1:1: coalesce does not take (); it is coalesce(x T, ...) T"},
		{"sum(tags)", "1:1: sum does not take (list<string>); it is sum(xs list<float64>)"},
		{"pickup_lat.abs()", "1:12: functions are not called as members (write abs(x) instead of x.abs())"},
		{"n", "1:1: the feature is declared float64, but its expression is int64 (write float64(n))"},
		{"vip + 1.0", "1:5: + has no meaning for bool and float64 (write vip ? 1 : 0)"},
		{"vip && n", "1:8: && takes bool, not int64 (write n != 0)"},
		{"n ? 1.0 : 2.0", "1:1: the condition of ?: is bool, not int64 (write n != 0)"},
		{"vip ? 1.0 : name", "1:13: the branches of ?: have the types float64 and string (they must have one type: write float64(name))"},
		{"null", "1:1: the expression is always null"},
		{"null + 1", "1:1: null is not allowed here (null may be compared with == and !=, and be a branch of ?:)"},
		{"5u", "1:1: unsigned integers are not supported (write 5)"},
		{"{1: 2}", "1:1: maps are not supported"},
		{"Point{x: 1}", "1:6: messages such as Point{} are not supported"},
		{"hours(at - event(store_location))", "1:18: event(store_location) has no instant: it is a static table"},
		{"hours(at - event(customer_order))", `1:18: unknown view customer_order (did you mean "customer_orders"?)`},
		{"a.b.c", "1:4: only a view has features (a feature is written view.feature)"},
		{"later", "1:1: later comes later in the view, so it is not known yet (move later up)"},
		{"x", "1:1: the feature x uses itself"},
		{"[]", "1:1: the type of an empty list is unknown"},
		{"[1, 'a']", "1:5: the elements of a list have the types int64 and string (they must have one type)"},
		{"as + 1", "1:1: syntax: as is a reserved word and cannot be a name"},
		{strings.Repeat("(1 + ", 500) + "1" + strings.Repeat(")", 500), "1:1: the expression nests operators and functions more than 100 deep (split it into several features)"},
		{strings.Repeat("[", 5000), "1:1: the expression nests operators and functions more than 100 deep (split it into several features)"},
		{"n in [" + strings.Repeat("1, ", 1000) + "1]", "1:1: the expression has more than 1000 operators, functions, names and literals (split it into several features)"},
		{"'" + strings.Repeat("x", 9000) + "'", "1:1: the expression has more than 8192 characters (split it into several features)"},
	} {
		_, problems := Compile(shop, []Feature{
			{Name: "x", Type: fstore.Float64, Expression: test.expression},
			{Name: "later", Type: fstore.Float64, Expression: "1"},
		})
		if len(problems) != 1 || problems[0].Error() != "x:"+test.want {
			t.Errorf("%.60q:\n got %v\nwant [x:%s]", test.expression, problems, test.want)
		}
	}
}

// A comment begins its line. Python's // would otherwise drop the divisor in silence.
func TestACommentHasALineOfItsOwn(t *testing.T) {
	const message = ": // begins a comment, which must stand on a line of its own (to divide integers and drop the fraction, write /; for float64, floor(x / y))"
	for expression, at := range map[string]string{
		"n // 2": "1:3", "n//2": "1:2", "n +\n  small // the count": "2:9", "n + // the sum\n1": "1:5", "'é' // x": "1:5",
		`'\'' // x`: "1:6", `r'\' // x`: "1:6", "'''a\n'b''' // x": "2:7", "'a // b // c": "", "// one\nn // 2": "2:3",
		"// one\n \t// two\r\nn\n// three": "", "name + 'http://x'": "", `"a//b"`: "", `"a\"//b"`: "", `r'\//'`: "", `b'//'`: "", "\"\"\"a \" // b\"\"\"": "",
		"'''a\n// b'''": "", `rb'\' + b'//'`: "", "n / 2 / small": "",
	} {
		_, problem := parse(expression)
		got := ""
		if problem != nil && strings.Contains(problem.Message, "comment") {
			got = problem.Error()
		}
		if want := "x:" + at + message; at == "" && got != "" || at != "" && "x"+got != want {
			t.Errorf("%q: %v, not %s", expression, got, want)
		}
	}
}

// What is reported elsewhere is not reported again, and all other problems are.
func TestProblemsThatAreReportedElsewhere(t *testing.T) {
	env := shop
	env.Columns = append([]Column{{"untyped", fstore.Invalid}, {"customer_orders.untyped", fstore.Invalid}}, shop.Columns...)
	env.Unknown = []string{"nowhere"}
	p, problems := Compile(env, []Feature{
		{Name: "a", Type: fstore.Int64, Expression: "untyped + 1"},
		{Name: "b", Type: fstore.Int64, Expression: "customer_orders.untyped"},
		{Name: "c", Type: fstore.Int64, Expression: "nowhere.x + 1"},
		{Name: "d", Type: fstore.Bool, Expression: "event(nowhere) > at"},
		{Name: "e", Expression: "n + 1"},
		{Name: "f", Type: fstore.Int64, Expression: "e + 1"},
	})
	if p != nil || problems != nil {
		t.Errorf("program %v, problems %v", p, problems)
	}
	if _, problems = Compile(env, []Feature{{Name: "e", Expression: "m"}}); len(problems) != 1 {
		t.Errorf("problems %v", problems)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"hour": true, "x": true, "event": true, "at": false, "in": false, "true": false, "null": false, "package": false, "a b": false, "a.b": false, "": false, "1": false,
	} {
		if IsName(name) != want {
			t.Errorf("IsName(%q) is %t", name, !want)
		}
	}
}
