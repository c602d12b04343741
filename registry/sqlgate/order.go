package sqlgate

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// This file finds results that depend on the order of rows, and rows that depend on later ones.

// modifiers checks the ORDER BY, LIMIT and DISTINCT ON of a query.
func (q *Query) modifiers(n node) {
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
			switch {
			case len(orders) == 0:
				q.refuse(m, totalOrder, "LIMIT and OFFSET take arbitrary rows without ORDER BY")
			case !isOrdered(orders, nil):
				q.refuse(m, totalOrder, "LIMIT and OFFSET take arbitrary rows:%s", constantOrder(orders, " the"))
			}
		case "DISTINCT_MODIFIER":
			var on []node
			for _, e := range m.list("distinct_on_targets") {
				on = append(on, selectedAt(asNode(e), selected))
			}
			switch {
			case len(on) == 0 || isOrdered(orders, on):
			case isOrdered(orders, nil):
				q.refuse(m, totalOrder, "DISTINCT ON keeps an arbitrary row: the ORDER BY lists only the DISTINCT ON expressions")
			case len(orders) > 0:
				q.refuse(m, totalOrder, "DISTINCT ON keeps an arbitrary row: the ORDER BY is the same for all rows of a key")
			default:
				q.refuse(m, totalOrder, "DISTINCT ON keeps an arbitrary row without ORDER BY")
			}
		}
	}
}

// collations refuses collations under which different texts compare equal, wherever they are written: max(),
// DISTINCT, GROUP BY and others keep one of several equal values, and could keep any of them. A comparison is fine:
// it yields a boolean that depends on its row alone.
func (q *Query) collations() {
	compared := map[uintptr]bool{}
	eachNode(map[string]any(q.root), func(n node) {
		if n.str("class") == "COMPARISON" {
			for _, side := range []node{n.child("left"), n.child("right")} {
				compared[reflect.ValueOf(side).Pointer()] = foldingCollations[strings.ToLower(side.str("collation"))]
			}
		}
	})
	eachNode(map[string]any(q.root), func(n node) {
		if compared[reflect.ValueOf(n).Pointer()] {
			return
		}
		name := n.child("cast_type").child("type_info").str("collation")
		if n.str("class") == "COLLATE" {
			name = n.str("collation")
		}
		if !plainCollations[strings.ToLower(name)] {
			q.refuse(n, "compare lower(x), or strip_accents(x)", "COLLATE %s makes different texts equal", name)
		}
	})
}

// plainCollations compare texts byte by byte.
var plainCollations = map[string]bool{"": true, "binary": true, "c": true, "posix": true}

// foldingCollations compare what functions of the engine make of texts. Other collations use tables that may change.
var foldingCollations = map[string]bool{"nocase": true, "noaccent": true, "nocase.noaccent": true, "noaccent.nocase": true}

const totalOrder = "add an ORDER BY without ties"

// aggregate checks a call without OVER.
func (q *Query) aggregate(n node, name string) {
	orders := n.child("order_bys").list("orders")
	ordered := isOrdered(orders, q.groups)
	switch {
	case name == "any_value" && len(orders) == 0 && q.isGrouped(n.list("children")):
	case orderedAggregates[name] && !ordered:
		q.refuse(n, name+"(… ORDER BY …), by columns without ties", "%s() depends on the order of rows%s", name, constantOrder(orders, ", and its"))
	case unsettledLists[name] && !orderedAggregates[name]:
		q.refuse(n, "list_sort("+name+"(…))", "%s() returns its values in no guaranteed order", name)
	case tiedAggregates[name] && !ordered:
		q.doubt(n, name+"(… ORDER BY …) decides it", "%s() takes an arbitrary one of several equal rows", name)
	}
}

// isGrouped reports whether an argument looks like an expression that the query groups by, and so has one value in
// each group. The plan tells for certain.
func (q *Query) isGrouped(args []any) bool {
	return len(args) == 1 && slices.ContainsFunc(q.groups, func(g node) bool { return sameExpression(g, asNode(args[0])) })
}

// constantOrder says in a message that an ORDER BY, if there is one, does not tell rows apart.
func constantOrder(orders []any, its string) string {
	if len(orders) == 0 {
		return ""
	}
	return its + " ORDER BY does not tell them apart"
}

// isOrdered reports whether an ORDER BY tells any rows apart. A constant does not. Neither does what is the same for
// all the ordered rows, such as the expressions that they are grouped by.
func isOrdered(orders []any, same []node) bool {
	for _, o := range orders {
		by := asNode(o).child("expression")
		if varies(map[string]any(by)) && !slices.ContainsFunc(same, func(n node) bool { return sameExpression(n, by) }) {
			return true
		}
	}
	return false
}

// varies reports whether an expression reads any column.
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

// sameExpression reports whether two expressions of one query are certainly the same. An unqualified column matches
// the qualified one of that name.
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

// selectedAt returns what an expression of ORDER BY 1 or GROUP BY 1 stands for: an expression, or the position of a
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

// groupedBy returns the expressions that a SELECT groups by.
func groupedBy(n node) []node {
	var out []node
	for _, e := range n.list("group_expressions") {
		out = append(out, selectedAt(asNode(e), n.list("select_list")))
	}
	if n.str("aggregate_handling") == "FORCE_AGGREGATES" { // GROUP BY ALL: every expression without an aggregate
		for _, e := range n.list("select_list") {
			if !aggregates(e) {
				out = append(out, asNode(e))
			}
		}
	}
	return out
}

// descends reports whether the first expression of an ORDER BY that tells rows apart is descending.
func descends(orders []any, same []node) bool {
	at := slices.IndexFunc(orders, func(o any) bool { return isOrdered([]any{o}, same) })
	return at >= 0 && asNode(orders[at]).str("type") == "DESCENDING"
}

// grouped returns the offset in the SELECT list of an expression of a GROUP BY, and other offsets as they are.
func grouped(root node, offset int) int {
	out := offset
	eachNode(map[string]any(root), func(n node) {
		selected := n.list("select_list")
		for _, e := range n.list("group_expressions") {
			if asNode(e).ownOffset() != offset {
				continue
			}
			by := selectedAt(asNode(e), selected)
			if i := slices.IndexFunc(selected, func(s any) bool { return sameExpression(asNode(s), by) }); i >= 0 {
				out = asNode(selected[i]).offset()
			}
		}
	})
	return out
}
