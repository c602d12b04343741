package sqlgate

import (
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// OneRowPerKey reports whether a query keeps one row per key of a view with event times, by a GROUP BY or DISTINCT ON
// over keys alone, and returns its offset. It looks only at the outermost SELECT.
func (q *Query) OneRowPerKey(v *fstore.View) (offset int, found bool) {
	if n := oneRowPerKey(q.root, v); n != nil {
		return n.offset(), true
	}
	return 0, false
}

func oneRowPerKey(root node, v *fstore.View) node {
	if v.Static() || root.str("type") != "SELECT_NODE" {
		return nil
	}
	isKey := map[string]bool{}
	for _, k := range v.Keys {
		isKey[strings.ToLower(k.Name)] = true
	}
	onlyKeys := func(exprs []any) bool {
		for _, e := range exprs {
			if !isKey[outputName(asNode(e), root.list("select_list"))] {
				return false
			}
		}
		return true
	}
	for _, m := range root.list("modifiers") {
		if on := asNode(m).list("distinct_on_targets"); len(on) > 0 && onlyKeys(on) {
			return asNode(m)
		}
	}
	groups := []any{}
	for _, n := range groupedBy(root) {
		groups = append(groups, map[string]any(n))
	}
	if isFirst(root.list("select_list"), v.Event) { // what came first stays: later rows make no other past
		return nil
	}
	if len(groups) > 0 && onlyKeys(groups) {
		return asNode(groups[0])
	}
	if len(groups) == 0 && aggregates(root["select_list"]) {
		return asNode(root.list("select_list")[0])
	}
	return nil
}

// isFirst reports whether an output column is the least of its group's values.
func isFirst(selected []any, column string) bool {
	return slices.ContainsFunc(selected, func(e any) bool {
		n := asNode(e)
		return strings.EqualFold(n.str("alias"), column) && strings.EqualFold(n.str("function_name"), "min")
	})
}

// outputName returns the lower-case output name of a GROUP BY expression, or "".
func outputName(n node, selected []any) string {
	if at, ok := position(n); ok && at >= 1 && at <= len(selected) {
		n = asNode(selected[at-1])
	}
	if alias := n.str("alias"); alias != "" {
		return strings.ToLower(alias)
	}
	names := n.strings("column_names")
	if n.str("class") != "COLUMN_REF" || len(names) == 0 {
		return ""
	}
	last := strings.ToLower(names[len(names)-1])
	for _, e := range selected {
		e := asNode(e)
		if from := e.strings("column_names"); len(from) > 0 && strings.ToLower(from[len(from)-1]) == last && e.str("alias") != "" {
			return strings.ToLower(e.str("alias"))
		}
	}
	return last
}

// aggregates reports whether an expression calls an aggregate outside subqueries and windows.
func aggregates(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if aggregates(e) {
				return true
			}
		}
	case map[string]any:
		n := node(v)
		switch n.str("class") {
		case "WINDOW", "SUBQUERY":
			return false
		case "FUNCTION":
			if aggregateNames[n.str("function_name")] {
				return true
			}
		}
		for _, key := range n.keys() {
			if aggregates(n[key]) {
				return true
			}
		}
	}
	return false
}

// aggregateNames are the usual aggregates. The heuristic needs no more.
var aggregateNames = functionSet(`sum avg mean min max count count_star count_if first last any_value arg_max arg_min max_by min_by list
	array_agg string_agg median quantile_cont quantile_disc mode stddev variance bool_and bool_or exact_sum exact_avg product`)
