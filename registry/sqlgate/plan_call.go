package sqlgate

import (
	"slices"
	"strings"
)

// choosing are the aggregates that keep one of equal values.
var choosing = functionSet(`max min mode median quantile quantile_cont quantile_disc mad histogram histogram_exact`)

// summing are the aggregates whose result is a sum or derived from one, and so is never -0.0.
var summing = functionSet(`sum avg mean favg fsum kahan_sum sumkahan count stddev stddev_pop stddev_samp variance var_pop var_samp`)

// counting are the aggregates whose result does not depend on which of several equal values DISTINCT keeps.
var counting = functionSet(`count sum avg mean sum_no_overflow fsum kahan_sum sumkahan favg stddev stddev_pop stddev_samp variance var_pop var_samp
	bool_and bool_or regr_count`)

// names returns the names of the columns in a part of a plan.
func names(v any) []string {
	var out []string
	eachNode(v, func(n node) {
		if n.str("expression_class") == "BOUND_REF" {
			out = append(out, lastName(n.str("alias")))
		}
	})
	return out
}

func lastName(s string) string { return strings.ToLower(s[strings.LastIndexByte(s, '.')+1:]) }

// aggregate walks a GROUP BY, or the aggregates of a SELECT without one.
func (b *binding) aggregate(op node) relation {
	in := b.below(op, 0)
	groups := b.list(op.list("groups"), in.columns)
	simple := len(op.list("grouping_sets")) <= 1
	out := relation{single: len(groups) == 0 && simple}
	grouped := slices.Clone(groups)
	if !simple {
		grouped = nil
	}
	for i, g := range groups {
		g = b.choose("GROUP BY", g, names(op.list("groups")[i]))
		if !simple { // null in the rows of other grouping sets
			g = b.intern(term{op: b.unique("set"), of: []int{g}, varies: true, zero: b.terms[g].zero})
		}
		out.columns = append(out.columns, g)
	}
	for _, e := range op.list("expressions") { // their terms come before the bounds
		b.list(asNode(e).list("children"), in.columns)
	}
	rows := b.boundsOf(b.reads)
	b.groupReads(rows, grouped, aggregateOrigin(op))
	for _, r := range b.reads {
		if r.many && keepsFirst(op.list("expressions")) {
			b.unjudged(r.at)
		}
	}
	for _, e := range op.list("expressions") {
		t := b.call(asNode(e), in.columns, b.alike(groups))
		b.anyValue(asNode(e), in.columns, grouped)
		t.op, t.of, t.varies, t.aggregated = b.unique("aggregate"), slices.Clone(out.columns[:len(groups)]), !simple, true
		at := b.intern(t)
		b.aggregates[at] = origin{call: callOf(asNode(e)), names: names(e), offset: asNode(e).ownOffset()}
		b.groupInstants(asNode(e), at, rows, in.columns, grouped)
		out.columns = append(out.columns, at)
	}
	for range op.list("grouping_functions") {
		out.columns = append(out.columns, b.column(nil, unsigned))
	}
	return out
}

// aggregateOrigin returns the first aggregate of a GROUP BY. The binder itself adds first() and count() to a subquery
// that has one value.
func aggregateOrigin(op node) origin {
	list := op.list("expressions")
	if len(list) == 2 && len(op.list("groups")) == 0 && callOf(asNode(list[0])) == "first" && callOf(asNode(list[1])) == "count_star" {
		return origin{kind: subqueryRead, offset: -1}
	}
	if len(list) > 0 {
		e := asNode(list[0])
		return origin{kind: aggregateRead, call: callOf(e), names: names(map[string]any(e)), offset: e.ownOffset()}
	}
	return origin{kind: aggregateRead, call: "GROUP BY", names: names(op.list("groups")), offset: -1}
}

// call checks an aggregate over rows in which the given terms are the same. It returns the properties of its result.
func (b *binding) call(e node, in, given []int) term {
	name := callOf(e)
	orders := e.child("order_bys").list("orders")
	if filter := e.child("filter"); filter != nil {
		b.term(filter, in)
		given = append(slices.Clone(given), b.held(filter, in)...)
	}
	b.list(orderExpressions(orders), in)
	if len(orders) > 0 && (orderedAggregates[name] || tiedAggregates[name]) && !b.orders(orders, in, given) {
		b.found = append(b.found, verdict{
			Finding: Finding{-1, name + "() depends on the order of rows, and its ORDER BY does not tell them apart", name + "(… ORDER BY …), by columns without ties"},
			doubt:   !orderedAggregates[name], call: name, names: names(map[string]any(e)),
		})
	}
	return b.result(e, in, len(orders) == 0)
}

// anyValue refuses any_value() without ORDER BY, unless the rows are grouped by its argument.
func (b *binding) anyValue(e node, in, groups []int) {
	args := e.list("children")
	if callOf(e) != "any_value" || len(e.child("order_bys").list("orders")) > 0 || len(args) != 1 || slices.Contains(groups, b.term(asNode(args[0]), in)) {
		return
	}
	b.found = append(b.found, verdict{
		Finding: Finding{-1, "any_value() depends on the order of rows", "any_value(… ORDER BY …), by columns without ties"},
		call:    "any_value", names: names(map[string]any(e)),
	})
}

// result returns the properties of an aggregate's result. unordered says that no ORDER BY orders its rows.
func (b *binding) result(e node, in []int, unordered bool) term {
	name, of := callOf(e), names(map[string]any(e))
	typ := typeOf(e)
	t := term{zero: zeroIn(typ), interval: holdsInterval(typ)}
	args := b.list(e.list("children"), in)
	if isDistinct := e.str("aggregate_type") == "DISTINCT" || e["distinct"] == true; choosing[name] || isDistinct && !counting[name] {
		for i, a := range args {
			args[i] = b.choose(name+"()", a, of)
		}
	}
	if len(args) > 0 {
		t.zero = min(t.zero, signed)
		for _, a := range args {
			t.zero = max(t.zero, b.terms[a].zero)
		}
		if unordered && (unsettledLists[name] || name == "any_value") && t.zero == signed {
			t.zero = chance
		}
		if !holdsFloat(typ) || !alwaysFloat[name] && b.terms[args[0]].zero == unsigned {
			t.zero = unsigned
		}
	}
	if summing[name] {
		t.zero = unsigned
	}
	b.floatSum(e, name, of)
	return t
}

func callOf(e node) string {
	name := e.str("name")
	if name == "" {
		name = strings.TrimPrefix(e.str("type"), "WINDOW_")
	}
	return strings.ToLower(name)
}

// floatSum warns of an aggregate that adds up floats in no fixed order.
func (b *binding) floatSum(e node, name string, of []string) {
	args := e.list("children")
	at := slices.IndexFunc(args, func(c any) bool { return holdsFloat(typeOf(asNode(c))) })
	if !floatAggregates[name] || !alwaysFloat[name] && at < 0 {
		return
	}
	message := "the last bits of " + name + "() of floats depend on the number of threads"
	if at >= 0 {
		if from := typeOf(asNode(args[at]).child("child")); from != nil && !holdsFloat(from) { // cast by the binder or by the SQL
			message = "the last bits of " + name + "() of " + from.str("id") + " as float64 depend on the number of threads"
		}
	}
	if alwaysFloat[name] {
		message = name + "() computes in float64, so its last bits depend on the number of threads"
	}
	b.found = append(b.found, verdict{Finding: Finding{-1, message, ""}, doubt: true, call: name, names: of})
}

// window checks a call with OVER and returns its term.
func (b *binding) window(e node, over relation, bounds []map[int]float64) int {
	name, in := callOf(e), over.columns
	partition := b.alike(b.list(e.list("partitions"), in))
	orders, argOrders := e.list("orders"), e.list("arg_orders")
	ordered := b.orders(orders, in, partition)
	rows := countsRows(e.str("start")) || countsRows(e.str("end"))
	if filter := e.child("filter_expr"); filter != nil {
		b.term(filter, in)
	}
	b.windows = append(b.windows, windowed{
		partition: partition, timed: len(over.reads) > 0,
		verdict: verdict{Finding: Finding{-1, sameInstant, ""}, doubt: true, call: name, names: names(map[string]any(e))},
	})
	const hint = "over (… order by …), by columns without ties"
	report := func(message string, doubt bool) {
		b.found = append(b.found, verdict{Finding: Finding{-1, message, hint}, doubt: doubt, call: name, names: names(map[string]any(e))})
	}
	switch isAggregate := e.str("type") == "WINDOW_AGGREGATE"; {
	case ordered || len(orders) == 0 && len(argOrders) == 0: // the parse tree shows a missing ORDER BY
	case name == "row_number" && e.str("end") == "CURRENT_ROW_ROWS": // the binder turns a LIMIT in a correlated subquery into this
		b.found = append(b.found, anyRows(orders))
	case (windowFunctions[e.str("type")].ordered || orderedAggregates[name]) && !b.orders(argOrders, in, partition):
		report(name+"() depends on the order of rows, and its ORDER BY does not tell them apart", false)
	case rows && isAggregate:
		report("a frame of ROWS depends on their order, and the ORDER BY does not tell them apart", false)
	case tiedAggregates[name]:
		report(name+"() takes an arbitrary one of several equal rows", true)
	}
	t := b.result(e, in, len(orders) == 0 && len(argOrders) == 0)
	t.op, t.varies = b.unique("window"), true
	if e.str("type") == "WINDOW_AGGREGATE" && len(orders) == 0 && !rows {
		t.of, t.varies = partition, false
	}
	if name == "row_number" {
		t.numbers = append([]int{}, partition...)
	}
	b.scans++
	t.scan = b.scans
	at := b.intern(t)
	b.windowReads(e, at, over, bounds, partition)
	b.stale(e, in, over.reads)
	return at
}

// limit checks a LIMIT or OFFSET.
func (b *binding) limit(op node) relation {
	in := b.below(op, 0)
	if len(in.same) > 0 {
		b.found = append(b.found, anyRows(in.same))
	}
	limit := op.child("limit_val")
	return relation{columns: in.columns, single: in.single || limit.str("type") == "CONSTANT_VALUE" && numeral(limit, "constant_integer") == "1"}
}

func anyRows(orders []any) verdict {
	return verdict{Finding: Finding{-1, "LIMIT and OFFSET take arbitrary rows: the ORDER BY does not tell them apart", totalOrder}, call: "LIMIT", names: names(orders)}
}

// distinct checks a DISTINCT or DISTINCT ON.
func (b *binding) distinct(op node) relation {
	in := b.below(op, 0)
	targets := b.alike(b.list(op.list("distinct_targets"), in.columns))
	if op.str("distinct_type") != "DISTINCT_ON" {
		what := "DISTINCT"
		if len(op.list("children")) == 1 && asNode(op.list("children")[0]).str("type") == "LOGICAL_UNION" {
			what = "UNION"
		}
		columns := b.chooseAll(what, in.columns)
		b.groupReads(b.boundsOf(b.reads), columns, origin{kind: distinctRead, call: what, offset: -1})
		return relation{columns: columns, single: in.single}
	}
	if orders := op.child("order_by").list("orders"); len(orders) > 0 && !b.orders(orders, in.columns, targets) {
		b.found = append(b.found, verdict{
			Finding: Finding{-1, "DISTINCT ON keeps an arbitrary row: the ORDER BY is the same for all rows of a key", totalOrder},
			call:    "DISTINCT ON", names: names(orders),
		})
	}
	// The first row of a key stays; a later row takes the place of the last one.
	if by, descending := b.orderedBy(op.child("order_by").list("orders"), in.columns, targets); by >= 0 && descending && b.terms[by].scale > 0 {
		b.groupReads(b.boundsOf(b.reads), targets, origin{kind: distinctRead, call: "DISTINCT ON", offset: -1})
	}
	return relation{columns: b.perKey(in.columns, targets), single: in.single}
}
