package registry

import (
	"slices"
	"strings"
)

// Sums of floats differ in their last bits with the order of additions, that is with the number of threads. The
// tree has no types, so that what is a float is worked out from the inputs' columns and the casts: a doubt may
// be missed or be one too many, and is a warning only.

var floatAggregates = functionSet(`sum avg mean favg fsum kahan_sum sumkahan product geomean geometric_mean wavg weighted_avg
	stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp skewness kurtosis kurtosis_pop sem entropy
	regr_avgx regr_avgy regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy`)

var floatFunctions = functionSet(`/ sqrt cbrt ln log log2 log10 exp pow power ^ ** sin cos tan cot asin acos atan atan2 sinh cosh tanh
	radians degrees pi epoch avg mean exact_avg quantile_cont median fdiv`)

var exactFunctions = functionSet(`count count_star count_if countif length len strlen date_diff datediff date_sub datesub sign
	epoch_ms epoch_us epoch_ns day month year hour minute dayofweek dayofyear week weekday quarter list_count ascii unicode`)

// floats knows which column names hold floats.
type floats map[string]bool

// alwaysFloat accumulate in floats whatever they are given.
var alwaysFloat = functionSet(`stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp skewness kurtosis
	kurtosis_pop sem entropy geomean geometric_mean product regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy`)

// isFloat reports whether a type is or holds floats: a list or a struct of them too.
func isFloat(engineType string) bool {
	t := strings.ToUpper(engineType)
	return strings.Contains(t, "DOUBLE") || strings.Contains(t, "FLOAT")
}

// plainFloatSums returns the calls in the tree that add up floats in no fixed order.
func plainFloatSums(root node, columns floats) []node {
	columns.addAliases(map[string]any(root))
	var found []node
	eachNode(map[string]any(root), func(n node) {
		class, name := n.str("class"), callName(n)
		if (class == "FUNCTION" || class == "WINDOW") && floatAggregates[name] && (alwaysFloat[name] || columns.arguments(n)) {
			found = append(found, n)
		}
	})
	return found
}

// addAliases adds the names that the query itself gives to floats, until there are no more.
func (f floats) addAliases(root any) {
	for before := -1; before != len(f); {
		before = len(f)
		eachNode(root, func(n node) {
			if alias := n.str("alias"); alias != "" && n.str("class") != "" && f.of(n) {
				f[strings.ToLower(alias)] = true
			}
		})
	}
}

// arguments reports whether a call has a float among its arguments. In x.sum() it stands in the place of a schema.
func (f floats) arguments(n node) bool {
	return f.in(n.list("children")) || f[strings.ToLower(n.str("schema"))]
}

func (f floats) in(list []any) bool {
	for _, e := range list {
		if f.of(asNode(e)) {
			return true
		}
	}
	return false
}

// of reports whether an expression holds a float.
func (f floats) of(n node) bool {
	switch n.str("class") {
	case "":
		return false
	case "COLUMN_REF":
		// One may be the column of a field, or the table of a column.
		return slices.ContainsFunc(n.strings("column_names"), func(name string) bool { return f[strings.ToLower(name)] })
	case "STAR": // of COLUMNS
		return len(f) > 0
	case "CONSTANT":
		return isFloat(n.child("value").child("type").str("id"))
	case "CAST":
		return isFloat(n.child("cast_type").str("id"))
	case "COMPARISON", "CONJUNCTION", "BETWEEN", "SUBQUERY", "LAMBDA":
		return false
	case "CASE":
		for _, c := range n.list("case_checks") {
			if f.of(asNode(c).child("then_expr")) {
				return true
			}
		}
		return f.of(n.child("else_expr"))
	}
	name := callName(n)
	return floatFunctions[name] || !exactFunctions[name] && f.arguments(n)
}
