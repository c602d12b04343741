package sqlgate

import "strings"

// The last bits of a sum of floats differ with the order of additions, and so with the number of threads.

var floatAggregates = functionSet(`sum avg mean favg fsum kahan_sum sumkahan product
	stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp skewness kurtosis kurtosis_pop sem entropy
	regr_avgx regr_avgy regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy`)

// alwaysFloat lists aggregates that accumulate in floats whatever their arguments.
var alwaysFloat = functionSet(`stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp skewness kurtosis
	kurtosis_pop sem entropy product regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy`)

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
