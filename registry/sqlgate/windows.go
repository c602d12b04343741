package sqlgate

import (
	"encoding/json"
	"slices"
	"strings"
)

// This file works out which rows a call with OVER reads. A row may be computed only from rows that were known at its
// event time, so the gate warns of calls that read later rows. It assumes that the ORDER BY of a window is the order
// of time.

// windowFunction is what the gate knows of a window function.
type windowFunction struct {
	reads   reach
	ordered bool // its result depends on the order of rows that tie in the ORDER BY
	crashes bool // DuckDB 1.5 crashes if it has its own ORDER BY and the frame of a row is empty
}

// reach says which rows of its partition a window function reads.
type reach int

const (
	readsFrame     reach = iota // those in the frame of the row
	readsPreceding              // those before the row
	readsLag                    // the one that is an offset before the row
	readsLead                   // the one that is an offset after the row
	readsAll                    // all of them
)

// windowFunctions lists DuckDB's window functions by their kind in the parse tree and the plan. With an ORDER BY
// among its arguments, each reads the frame instead, except fill(), which SQL may not call yet.
var windowFunctions = map[string]windowFunction{
	"WINDOW_AGGREGATE":    {reads: readsFrame},
	"WINDOW_FIRST_VALUE":  {reads: readsFrame, ordered: true},
	"WINDOW_LAST_VALUE":   {reads: readsFrame, ordered: true},
	"WINDOW_NTH_VALUE":    {reads: readsFrame, ordered: true},
	"WINDOW_ROW_NUMBER":   {reads: readsPreceding, ordered: true},
	"WINDOW_RANK":         {reads: readsPreceding},
	"WINDOW_RANK_DENSE":   {reads: readsPreceding},
	"WINDOW_LAG":          {reads: readsLag, ordered: true},
	"WINDOW_LEAD":         {reads: readsLead, ordered: true},
	"WINDOW_NTILE":        {reads: readsAll, ordered: true, crashes: true},
	"WINDOW_PERCENT_RANK": {reads: readsAll, crashes: true},
	"WINDOW_CUME_DIST":    {reads: readsAll},
	"WINDOW_FILL":         {reads: readsAll, ordered: true},
}

const (
	notKnownYet  = "which were not known yet"
	lookBack     = "look back only: order by the event time, in a frame that ends at the current row"
	orderTheRows = "over (… order by …), by columns without ties"
)

// window checks a call with OVER.
func (q *Query) window(n node, name string) {
	var partition []node
	for _, e := range n.list("partitions") {
		partition = append(partition, asNode(e))
	}
	orders, argOrders := n.list("orders"), n.list("arg_orders")
	ordered := isOrdered(orders, partition)
	rows := countsRows(n.str("start")) || countsRows(n.str("end"))
	function, known := windowFunctions[n.str("type")]
	switch {
	case !known:
		q.refuse(n, "", "%s() is not a window function that fstore knows", name)
	case function.crashes && len(argOrders) > 0 && !frameHoldsRow(n):
		q.refuse(n, "omit the frame: it then ends at the current row", "%s() with an ORDER BY of its own needs a frame that includes the current row", name)
	case !ordered && !isOrdered(argOrders, partition) && (function.ordered || orderedAggregates[name]):
		q.refuse(n, orderTheRows, "%s() depends on the order of rows%s", name, constantOrder(slices.Concat(orders, argOrders), ", and its"))
	case !ordered && rows:
		q.refuse(n, orderTheRows, "a frame of ROWS depends on their order%s", constantOrder(orders, ", and the"))
	case ordered:
		q.lookAhead(n, name, function, descends(orders, partition))
	case function.reads == readsFrame || len(argOrders) > 0:
		q.doubt(n, "over (… order by the event time)", "%s() over all rows reads later ones, "+notKnownYet, name)
	}
}

// lookAhead warns of a call that reads later rows: rows after the current one in ascending order, or before it in
// descending order.
func (q *Query) lookAhead(n node, name string, function windowFunction, descending bool) {
	reads := function.reads
	if len(n.list("arg_orders")) > 0 && n.str("type") != "WINDOW_FILL" {
		reads = readsFrame
	}
	if reads == readsAll {
		q.doubt(n, name+"(… ORDER BY x) OVER (… ORDER BY the event time) counts only the rows so far",
			"%s() depends on how many rows its partition has, and counts later ones, "+notKnownYet, name)
		return
	}
	switch farthest := reaches(n, reads, descending); {
	case farthest == unknown:
		q.doubt(n, "write the offset as a number", "%s() may read later rows, "+notKnownYet, name)
	case farthest == after && !descending, farthest == before && descending:
		q.doubt(n, lookBackHint(reads), "%s() reads later rows, "+notKnownYet, name)
	}
}

// lookBackHint says how a call looks back instead.
func lookBackHint(reads reach) string {
	switch reads {
	case readsPreceding:
		return "number rows from the oldest, in ascending order of the event time; to take the newest row of each instant, partition by the event time too"
	case readsLag, readsLead:
		return "lag(x, 1) over (… order by the event time) takes the row before"
	case readsFrame, readsAll:
	}
	return lookBack
}

// side is the position of a row relative to the current one, in the order of the window.
type side int

const (
	before side = iota - 1
	here
	after
	unknown // it depends on a value
)

func (s side) opposite() side {
	if s == unknown {
		return s
	}
	return -s
}

// reaches returns the position of the row farthest in the direction of time that a call reads.
func reaches(n node, reads reach, descending bool) side {
	switch {
	case reads == readsPreceding:
		return before
	case reads == readsLag:
		return offsetSide(n.child("offset_expr")).opposite()
	case reads == readsLead:
		return offsetSide(n.child("offset_expr"))
	case descending:
		return boundSide(n.str("start"), n.child("start_expr"))
	}
	return boundSide(n.str("end"), n.child("end_expr"))
}

// frameHoldsRow reports whether the frame of every row certainly includes that row.
func frameHoldsRow(n node) bool {
	start, end := boundSide(n.str("start"), n.child("start_expr")), boundSide(n.str("end"), n.child("end_expr"))
	return start <= here && end >= here && end != unknown
}

// boundSide returns the position of a frame bound. The engine accepts negative offsets only in bounds of ROWS.
func boundSide(bound string, offset node) side {
	moved := after
	if strings.HasSuffix(bound, "_ROWS") {
		moved = offsetSide(offset)
	}
	switch {
	case strings.HasPrefix(bound, "UNBOUNDED_PRECEDING"):
		return before
	case strings.HasPrefix(bound, "UNBOUNDED_FOLLOWING"):
		return after
	case strings.HasPrefix(bound, "EXPR_PRECEDING"):
		return moved.opposite()
	case strings.HasPrefix(bound, "EXPR_FOLLOWING"):
		return moved
	}
	return here
}

// offsetSide returns the position of the row that is an offset after the current one. The default offset is 1.
func offsetSide(offset node) side {
	if offset == nil {
		return after
	}
	number, isNumber := offset.child("value")["value"].(json.Number)
	children := offset.list("children")
	switch {
	case offset.str("class") == "CAST":
		return offsetSide(offset.child("child"))
	case callName(offset) == "-" && len(children) == 1:
		return offsetSide(asNode(children[0])).opposite()
	case !isNumber || offset.str("class") != "CONSTANT":
		return unknown
	case strings.HasPrefix(string(number), "-"):
		return before
	case number == "0":
		return here
	}
	return after
}

// countsRows reports whether a frame bound counts rows or groups. Which rows these are depends on the order, unlike
// with RANGE.
func countsRows(bound string) bool {
	return strings.HasSuffix(bound, "_ROWS") || strings.HasSuffix(bound, "_GROUPS")
}
