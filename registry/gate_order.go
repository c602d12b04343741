package registry

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Results that depend on the order of rows, and rows that would depend on later ones.

// modifiers checks the ORDER BY, LIMIT and DISTINCT ON of a query.
func (q *query) modifiers(n node) {
	selected := n.list("select_list")
	orders := []any{}
	for _, m := range n.list("modifiers") {
		for _, o := range asNode(m).list("orders") {
			by := selectedAt(asNode(o).child("expression"), selected)
			orders = append(orders, map[string]any{"expression": map[string]any(by)})
		}
	}
	for _, m := range n.list("modifiers") {
		m := asNode(m)
		switch m.str("type") {
		case "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER":
			if !isOrdered(orders, nil) {
				q.refuse(m, totalOrder, "LIMIT and OFFSET take any rows without ORDER BY")
			}
		case "DISTINCT_MODIFIER":
			var on []node
			for _, e := range m.list("distinct_on_targets") {
				on = append(on, selectedAt(asNode(e), selected))
			}
			switch {
			case len(on) == 0 || isOrdered(orders, on):
			case isOrdered(orders, nil):
				q.refuse(m, totalOrder, "DISTINCT ON keeps any row: the ORDER BY names only what is distinct")
			default:
				q.refuse(m, totalOrder, "DISTINCT ON keeps any row without ORDER BY")
			}
		}
	}
}

// collations refuses text that compares equal where it differs, wherever it is written: max(), DISTINCT, GROUP BY and
// what else keeps one of equal values would keep any of them.
func (q *query) collations() {
	eachNode(map[string]any(q.root), func(n node) {
		name := n.child("cast_type").child("type_info").str("collation")
		if n.str("class") == "COLLATE" {
			name = n.str("collation")
		}
		if !plainCollations[strings.ToLower(name)] {
			q.refuse(n, "compare lower(x), or strip_accents(x)", "COLLATE %s makes texts equal that differ", name)
		}
	})
}

// plainCollations compare texts byte by byte.
var plainCollations = map[string]bool{"": true, "binary": true, "c": true, "posix": true}

const totalOrder = "add an ORDER BY that leaves no two rows equal"

// aggregate checks a call without OVER.
func (q *query) aggregate(n node, name string) {
	ordered := isOrdered(n.child("order_bys").list("orders"), q.groups)
	switch {
	case orderedAggregates[name] && !ordered:
		q.refuse(n, name+"(… ORDER BY …), by columns that leave no two rows equal", "%s() depends on the order of rows", name)
	case unsettledLists[name] && !orderedAggregates[name]:
		q.refuse(n, "list_sort("+name+"(…))", "%s() gives its values in no order that is promised", name)
	case tiedAggregates[name] && !ordered:
		q.doubt(n, name+"(… ORDER BY …) decides it", "%s() takes any of several equal rows", name)
	}
}

const notKnownYet = "which were not known yet"

// window checks a call with OVER.
func (q *query) window(n node, name string) {
	var partition []node
	for _, e := range n.list("partitions") {
		partition = append(partition, asNode(e))
	}
	ordered := isOrdered(n.list("orders"), partition)
	rows := countsRows(n.str("start")) || countsRows(n.str("end"))
	switch {
	case !ordered && !isOrdered(n.list("arg_orders"), partition) && (orderedWindows[name] || orderedAggregates[name]):
		q.refuse(n, "over (… order by …), by columns that leave no two rows equal", "%s() depends on the order of rows", name)
		return
	case !ordered && rows:
		q.refuse(n, "over (… order by …), by columns that leave no two rows equal", "a frame of ROWS depends on their order")
		return
	}
	orders := n.list("orders")
	switch {
	case (name == "lead") != descends(orders) && ordered, strings.Contains(n.str("end"), "FOLLOWING") && n.str("type") == "WINDOW_AGGREGATE":
		q.doubt(n, "look back only: order by the event time and use lag(), or a frame that ends at the current row",
			"%s() reads later rows, "+notKnownYet, name)
	case n.str("type") == "WINDOW_AGGREGATE" && !ordered:
		q.doubt(n, "over (… order by the event time)", "%s() over all rows reads later ones, "+notKnownYet, name)
	}
}

// countsRows reports whether a bound of a frame counts rows or groups of them: which rows these are depends on
// the order, where a bound of RANGE does not.
func countsRows(bound string) bool {
	return strings.HasSuffix(bound, "_ROWS") || strings.HasSuffix(bound, "_GROUPS")
}

// isOrdered reports whether there is an ORDER BY that tells any rows apart: a constant does not, nor what is the
// same for all rows that are ordered, such as what they are grouped by.
func isOrdered(orders []any, same []node) bool {
	for _, o := range orders {
		by := asNode(o).child("expression")
		if varies(map[string]any(by)) && !slices.ContainsFunc(same, func(n node) bool { return sameExpression(n, by) }) {
			return true
		}
	}
	return false
}

// varies reports whether an expression reads anything.
func varies(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, varies)
	case map[string]any:
		switch node(v).str("class") {
		case "COLUMN_REF", "STAR", "SUBQUERY", "POSITIONAL_REFERENCE":
			return true
		}
		for _, e := range v {
			if varies(e) {
				return true
			}
		}
	}
	return false
}

// sameExpression reports whether two expressions of one query are certainly the same. A column without its table
// is the one of that name.
func sameExpression(a, b node) bool {
	x, y := a.strings("column_names"), b.strings("column_names")
	if a.str("class") == "COLUMN_REF" && b.str("class") == "COLUMN_REF" && len(x) > 0 && len(y) > 0 && (len(x) == 1 || len(y) == 1) {
		return strings.EqualFold(x[len(x)-1], y[len(y)-1])
	}
	p, q := maps.Clone(a), maps.Clone(b)
	delete(p, "alias")
	delete(q, "alias")
	return reflect.DeepEqual(strip(map[string]any(p), false), strip(map[string]any(q), false))
}

// selectedAt returns what an expression of ORDER BY 1 or GROUP BY 1 stands for: an expression, or the place of a
// column that the tree does not show.
func selectedAt(n node, selected []any) node {
	at, ok := position(n)
	if !ok {
		return n
	}
	isStar := func(e any) bool { return asNode(e).str("class") == "STAR" }
	if at < 1 || at > len(selected) || slices.ContainsFunc(selected[:at], isStar) {
		return node{"class": "POSITIONAL_REFERENCE"}
	}
	return asNode(selected[at-1])
}

// groupedBy returns what a SELECT groups by.
func groupedBy(n node) []node {
	var out []node
	for _, e := range n.list("group_expressions") {
		out = append(out, selectedAt(asNode(e), n.list("select_list")))
	}
	if n.str("aggregate_handling") == "FORCE_AGGREGATES" { // GROUP BY ALL: by what has no aggregate
		for _, e := range n.list("select_list") {
			if !aggregates(e) {
				out = append(out, asNode(e))
			}
		}
	}
	return out
}

func descends(orders []any) bool {
	return len(orders) > 0 && asNode(orders[0]).str("type") == "DESCENDING"
}
