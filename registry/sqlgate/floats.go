package sqlgate

import (
	"strings"

	"github.com/fstore-dev/fstore/functions"
)

// The last bits of a sum of floats differ with the order of additions, and so with the number of threads.

var floatAggregates, alwaysFloat = functions.FloatSums, functions.AlwaysFloatSums

// isFloat reports whether a type is a float type.
func isFloat(engineType string) bool { return engineType == "DOUBLE" || engineType == "FLOAT" }

// exactHint suggests what to write instead of a sum of floats.
func exactHint(n node) string {
	name := callName(n)
	exact := map[string]string{"sum": "exact_sum", "fsum": "exact_sum", "kahan_sum": "exact_sum", "sumkahan": "exact_sum", "avg": "exact_avg", "mean": "exact_avg", "favg": "exact_avg"}[name]
	switch {
	case exact == "":
		return "keep it if the last bits do not matter, or build it from exact sums: var_pop(x) is exact_avg(x * x) - exact_avg(x) ^ 2"
	case n.str("class") == "WINDOW": // exact_sum is a macro, and macros take no OVER
		return "a sum of decimals is exact: " + strings.TrimPrefix(exact, "exact_") + "(x::DECIMAL(38, 9)) OVER (…)"
	}
	return exact + "() always gives the same bits"
}
