package sqlgate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/functions"
)

// Finding is a refusal or a warning about a place in SQL.
type Finding struct {
	Offset  int    // in bytes, or -1 if unknown
	Message string // what is wrong
	Hint    string // what would be right; may be empty
}

// Table is a table that SQL reads by name.
type Table struct {
	Name   string
	Offset int
}

// Query is the result of inspecting SQL text.
type Query struct {
	Tables   []Table // every table that is not a CTE, in text order
	Refused  []Finding
	Doubts   []Finding // valid SQL that is rarely what its author wants
	TooLarge bool      // it exceeds a limit of what the engine binds in time

	root   node
	text   string
	groups []node // the GROUP BY of the query being walked
}

func (q *Query) refuse(n node, hint, format string, args ...any) {
	q.Refused = append(q.Refused, Finding{n.offset(), fmt.Sprintf(format, args...), hint})
}

func (q *Query) doubt(n node, hint, format string, args ...any) {
	q.Doubts = append(q.Doubts, Finding{n.offset(), fmt.Sprintf(format, args...), hint})
}

// inspect walks the tree of a query and lists every table that it reads. It refuses whatever could give another
// result tomorrow, with more threads or on another machine: node kinds and functions that are not on its lists. text
// is the SQL.
func inspect(root node, text string) *Query {
	q := &Query{root: root, text: text}
	q.TooLarge = q.bounds(root)
	q.walk(map[string]any(root), nil)
	q.collations()
	placeParameters(q.Refused, text)
	slices.SortStableFunc(q.Tables, func(a, b Table) int { return a.Offset - b.Offset })
	return q
}

func (q *Query) walk(v any, s *scope) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			q.walk(e, s)
		}
	case map[string]any:
		n := node(v)
		switch {
		case has(n, "cte_map"):
			q.queryNode(n, s)
		case n.str("class") != "":
			q.expression(n, s)
		case has(n, "sample"):
			q.tableRef(n, s)
		default:
			q.children(n, s)
		}
	}
}

func has(n node, key string) bool { _, ok := n[key]; return ok }

func (q *Query) children(n node, s *scope) {
	for _, key := range n.keys() {
		q.walk(n[key], s)
	}
}

const sampleHint = "choose rows by a key: where md5(customer_id::text) < '1' keeps one in 16"

// queryNode walks a SELECT or a set operation. A CTE sees the CTEs before it.
func (q *Query) queryNode(n node, s *scope) {
	switch n.str("type") {
	case "SELECT_NODE", "SET_OPERATION_NODE":
	case "RECURSIVE_CTE_NODE":
		if len(n.list("key_targets")) > 0 {
			q.refuse(n, "keep all rows, and choose one by ORDER BY", "USING KEY keeps an arbitrary one of several rows with one key")
		}
	default:
		q.refuse(n, "", "fstore does not support %s", kindName(n))
		return
	}
	for _, e := range n.child("cte_map").list("map") {
		cte := asNode(e)
		q.relationName(n, cte.str("key"))
		q.walk(cte["value"], s)
		s = s.with(cte.str("key"))
	}
	if n["sample"] != nil {
		q.refuse(n, sampleHint, "a sample is random")
	}
	q.modifiers(n)
	defer func(outer []node) { q.groups = outer }(q.groups)
	q.groups = groupedBy(n)
	for _, key := range n.keys() {
		switch key {
		case "cte_map", "sample":
		case "right":
			q.walk(n[key], s.recursive(n))
		default:
			q.walk(n[key], s)
		}
	}
}

// arbitraryRow is the doubt about an ASOF JOIN.
const arbitraryRow = "ASOF JOIN picks an arbitrary one of several rows with the same time"

func (q *Query) tableRef(n node, s *scope) {
	q.relationName(n, n.str("alias"))
	if n["sample"] != nil {
		q.refuse(n, sampleHint, "a sample is random")
	}
	switch n.str("type") {
	case "BASE_TABLE":
		q.baseTable(n, s)
	case "TABLE_FUNCTION":
		q.tableFunction(n.child("function"))
	case "SHOW_REF":
		q.refuse(n, "write a SELECT", "DESCRIBE, SUMMARIZE and SHOW do not query data")
	case "JOIN":
		for _, name := range n.strings("using_columns") {
			q.rowid(n, name)
		}
		switch n.str("ref_type") {
		case "POSITIONAL":
			q.refuse(n, "join on columns", "a POSITIONAL JOIN depends on the order of rows")
		case "ASOF":
			q.doubt(n, "make the right side one row per key and time", arbitraryRow)
		}
		q.children(n, s)
	case "PIVOT":
		for _, name := range n.strings("groups") {
			q.column(n, name)
		}
		q.children(n, s)
	case "SUBQUERY", "EXPRESSION_LIST", "EMPTY":
		q.children(n, s)
	default:
		q.refuse(n, "", "fstore does not support %s", kindName(n))
	}
}

func (q *Query) tableFunction(n node) {
	name := strings.ToLower(n.str("function_name"))
	r, known := refusedFunctions[name]
	switch {
	case known:
		q.refuse(n, r.instead, "%s() %s", name, r.why)
	case name == "unnest" || name == "range" || name == "generate_series":
		q.refuse(n, "call it in the SELECT list: select unnest(…)", "%s() is a table function", name)
	default:
		q.refuse(n, "read sources and views by name", "%s() is a table function", name)
	}
}

func (q *Query) expression(n node, s *scope) {
	switch n.str("class") {
	case "CONSTANT":
		q.constant(n)
		return
	case "COLUMN_REF":
		q.column(n, n.strings("column_names")...)
		return
	case "CAST":
		q.walk(n["child"], s)
		return
	case "FUNCTION", "WINDOW":
		q.call(n)
		for _, e := range n.list("children") {
			q.argument(n, asNode(e), s)
		}
		for _, key := range n.keys() {
			if key != "children" {
				q.walk(n[key], s)
			}
		}
		return
	case "PARAMETER":
		q.refuse(n, "write the value out", parameterMessage)
		return
	case "COMPARISON", "CONJUNCTION", "OPERATOR", "CASE", "BETWEEN", "SUBQUERY", "STAR", "LAMBDA", "COLLATE", "POSITIONAL_REFERENCE":
	default:
		q.refuse(n, "", "fstore does not support %s", kindName(n))
		return
	}
	q.children(n, s)
}

// constant refuses a number that would change silently: the engine reads 1e400 as infinity.
func (q *Query) constant(n node) {
	value := n.child("value")
	if _, infinite := value["value"].(string); infinite && value.child("type").str("id") == "DOUBLE" {
		q.refuse(n, "write 'inf'::double if you mean infinity", "a number too large for a float64")
	}
}

const parameterMessage = "SQL of a view has no parameters"

// argument walks an argument of a call. The argument may be an unordered list if the order does not affect the call.
func (q *Query) argument(call, n node, s *scope) {
	if settlingFunctions[callName(call)] && n.str("class") == "FUNCTION" && unsettledLists[callName(n)] {
		q.children(n, s)
		return
	}
	q.walk(map[string]any(n), s)
}

func callName(n node) string { return strings.ToLower(n.str("function_name")) }

// kindName returns the engine's name for a node, with spaces.
func kindName(n node) string {
	name := n.str("class")
	if name == "" {
		name = n.str("type")
	}
	return strings.ReplaceAll(name, "_", " ")
}

func (q *Query) call(n node) {
	name := callName(n)
	q.qualifier(n, name)
	if !functions.Allowed(name) {
		if r, ok := refusedFunctions[name]; ok {
			q.refuse(n, r.instead, "%s() %s", name, r.why)
		} else {
			q.refuse(n, fstore.DidYouMean(name, functionNames), "%s() is not on the list of functions that a view's SQL may call", name)
		}
		return
	}
	if name == "age" && arguments(n) < 2 {
		q.refuse(n, "age(later, earlier)", "age() with one argument reads the clock")
	}
	if name == "bitstring_agg" && arguments(n) < 3 {
		q.refuse(n, "bitstring_agg(x, least, greatest)", "bitstring_agg() with one argument takes its range from the statistics in the files")
	}
	if aggregatesByName[name] {
		q.aggregateByName(n, name)
	}
	if macros[name] && !q.macro(n, name) {
		return
	}
	if n.str("class") == "WINDOW" {
		q.window(n, name)
	} else {
		q.aggregate(n, name)
	}
}

// macro reports whether a call of a macro has only arguments. It refuses OVER, FILTER, DISTINCT and ORDER BY, for
// which the engine's error has no position.
func (q *Query) macro(n node, name string) bool {
	sum, exact := strings.CutPrefix(name, "exact_")
	refuse := func(what, hint string) bool {
		if !exact {
			hint = "write out what it stands for, with functions that take " + what
		}
		q.refuse(n, hint, "%s() takes no %s", name, what)
		return false
	}
	switch {
	case n.str("class") == "WINDOW":
		return refuse("OVER", sum+"(x::DECIMAL(38, 9)) OVER (…) is exact too")
	case n["filter"] != nil:
		return refuse("FILTER", name+"(CASE WHEN … THEN x END)")
	case n["distinct"] == true:
		return refuse("DISTINCT", "select "+name+"(x) from (select distinct x from …)")
	case len(n.child("order_bys").list("orders")) > 0:
		return refuse("ORDER BY", name+"(x), which is the same in every order")
	}
	return true
}

// aggregatesByName lists functions whose second argument names an aggregate to call.
var aggregatesByName = functionSet("list_aggregate list_aggr array_aggregate array_aggr aggregate")

func (q *Query) aggregateByName(n node, name string) {
	args, value := n.list("children"), ""
	if arguments(n) > len(args) { // l.aggregate('sum')
		args = append([]any{nil}, args...)
	}
	if len(args) > 1 {
		value, _ = asNode(args[1]).child("value")["value"].(string)
	}
	value = strings.ToLower(value)
	switch r := refusedFunctions[value]; {
	case value == "":
		q.refuse(n, "write its name out: "+name+"(l, 'sum')", "%s() calls an aggregate whose name is not a constant", name)
	case r.why != "":
		q.refuse(n, r.instead, "%s() calls %s, which %s", name, value, r.why)
	case !functions.Allowed(value):
		q.refuse(n, fstore.DidYouMean(value, functionNames), "%s() calls %s, which is not on the list of functions", name, value)
	}
}
