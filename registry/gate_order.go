package registry

import "strings"

// Results that depend on the order of rows, and rows that would depend on later ones.

// modifiers checks the ORDER BY, LIMIT and DISTINCT ON of a query.
func (q *query) modifiers(n node) {
	ordered := false
	for _, m := range n.list("modifiers") {
		ordered = ordered || asNode(m).str("type") == "ORDER_MODIFIER"
	}
	if ordered {
		return
	}
	for _, m := range n.list("modifiers") {
		m := asNode(m)
		switch m.str("type") {
		case "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER":
			q.refuse(m, "add an ORDER BY that leaves no two rows equal", "LIMIT and OFFSET take any rows without ORDER BY")
		case "DISTINCT_MODIFIER":
			if len(m.list("distinct_on_targets")) > 0 {
				q.refuse(m, "add an ORDER BY that leaves no two rows equal", "DISTINCT ON keeps any row without ORDER BY")
			}
		}
	}
}

// aggregate checks a call without OVER.
func (q *query) aggregate(n node, name string) {
	ordered := isOrdered(n.child("order_bys").list("orders"))
	switch {
	case orderedAggregates[name] && !ordered:
		q.refuse(n, name+"(… ORDER BY …), by columns that leave no two rows equal", "%s() depends on the order of rows", name)
	case tiedAggregates[name] && !ordered:
		q.doubt(n, name+"(… ORDER BY …) decides it", "%s() takes any of several equal rows", name)
	}
}

// window checks a call with OVER.
func (q *query) window(n node, name string) {
	ordered := isOrdered(n.list("orders")) || isOrdered(n.list("arg_orders"))
	rows := countsRows(n.str("start")) || countsRows(n.str("end"))
	switch {
	case !ordered && (orderedWindows[name] || orderedAggregates[name]):
		q.refuse(n, "over (… order by …), by columns that leave no two rows equal", "%s() depends on the order of rows", name)
		return
	case !ordered && rows:
		q.refuse(n, "over (… order by …), by columns that leave no two rows equal", "a frame of ROWS depends on their order")
		return
	}
	orders := n.list("orders")
	switch {
	case (name == "lead") != descends(orders) && isOrdered(orders), strings.Contains(n.str("end"), "FOLLOWING") && n.str("type") == "WINDOW_AGGREGATE":
		q.doubt(n, "look back only: order by the event time and use lag(), or a frame that ends at the current row",
			"%s() reads later rows, which were not known yet", name)
	case n.str("type") == "WINDOW_AGGREGATE" && !isOrdered(orders):
		q.doubt(n, "over (… order by the event time)", "%s() over all rows reads later ones, which were not known yet", name)
	}
}

// countsRows reports whether a bound of a frame counts rows or groups of them: which rows these are depends on
// the order, where a bound of RANGE does not.
func countsRows(bound string) bool {
	return strings.HasSuffix(bound, "_ROWS") || strings.HasSuffix(bound, "_GROUPS")
}

// isOrdered reports whether there is an ORDER BY that orders anything: a constant does not.
func isOrdered(orders []any) bool {
	for _, o := range orders {
		if asNode(o).child("expression").str("class") != "CONSTANT" {
			return true
		}
	}
	return false
}

func descends(orders []any) bool {
	return len(orders) > 0 && asNode(orders[0]).str("type") == "DESCENDING"
}
