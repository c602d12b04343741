package sqlgate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/functions"
)

// Finding is something the gate has to say about a place in SQL.
type Finding struct {
	Offset  int    // in bytes; -1: not known
	Message string // what is wrong
	Hint    string // what would be right; may be empty
}

// Table is a table that SQL reads by name.
type Table struct {
	Name   string
	Offset int
}

// Query is what the gate knows of SQL text.
type Query struct {
	Tables   []Table // every table that is not a CTE, in the order of the text
	Refused  []Finding
	Doubts   []Finding // what runs but is rarely what is wanted
	TooLarge bool      // beyond a limit of what the engine can bind in time

	root   node
	groups []node // what the query being walked groups by
}

func (q *Query) refuse(n node, hint, format string, args ...any) {
	q.Refused = append(q.Refused, Finding{n.offset(), fmt.Sprintf(format, args...), hint})
}

func (q *Query) doubt(n node, hint, format string, args ...any) {
	q.Doubts = append(q.Doubts, Finding{n.offset(), fmt.Sprintf(format, args...), hint})
}

// inspect walks the tree of a query, of which text is the SQL. It finds every table that is read, wherever the tree has
// it, and refuses whatever could give another result tomorrow, on more threads or on another machine: it knows a list of
// node kinds and of functions, and what is not on a list is refused.
func inspect(root node, text string) *Query {
	q := &Query{root: root}
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

// queryNode walks a SELECT or a set operation. A CTE sees those before it.
func (q *Query) queryNode(n node, s *scope) {
	switch n.str("type") {
	case "SELECT_NODE", "SET_OPERATION_NODE":
	case "RECURSIVE_CTE_NODE":
		if len(n.list("key_targets")) > 0 {
			q.refuse(n, "keep all rows, and choose one by ORDER BY", "USING KEY keeps any of several rows of one key")
		}
	default:
		q.refuse(n, "", "%s is not known to fstore", kindName(n))
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
		q.refuse(n, "write a SELECT", "DESCRIBE, SUMMARIZE and SHOW are not queries of data")
	case "JOIN":
		for _, name := range n.strings("using_columns") {
			q.rowid(n, name)
		}
		switch n.str("ref_type") {
		case "POSITIONAL":
			q.refuse(n, "join on columns", "a POSITIONAL JOIN depends on the order of rows")
		case "ASOF":
			q.doubt(n, "make the right side one row per key and time", "ASOF JOIN picks any of several rows with one time")
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
		q.refuse(n, "", "%s is not known to fstore", kindName(n))
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
		q.refuse(n, "", "%s is not known to fstore", kindName(n))
		return
	}
	q.children(n, s)
}

// constant refuses a number that would become another one: the engine takes 1e400 for infinity.
func (q *Query) constant(n node) {
	value := n.child("value")
	if _, infinite := value["value"].(string); infinite && value.child("type").str("id") == "DOUBLE" {
		q.refuse(n, "'inf'::double, if that is meant", "a number greater than a float64 holds")
	}
}

const parameterMessage = "a parameter has no value here"

// argument walks an argument of a call. It may be a list in any order where the call gives the same for all of them.
func (q *Query) argument(call, n node, s *scope) {
	if settlingFunctions[callName(call)] && n.str("class") == "FUNCTION" && unsettledLists[callName(n)] {
		q.children(n, s)
		return
	}
	q.walk(map[string]any(n), s)
}

func callName(n node) string { return strings.ToLower(n.str("function_name")) }

// kindName is the engine's name for a node, as words.
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
			q.refuse(n, fstore.DidYouMean(name, functionNames), "%s() is not on the list of functions that SQL of a view may call", name)
		}
		return
	}
	if name == "age" && arguments(n) < 2 {
		q.refuse(n, "age(later, earlier)", "age() with one argument reads the clock")
	}
	if name == "bitstring_agg" && arguments(n) < 3 {
		q.refuse(n, "bitstring_agg(x, least, greatest)", "bitstring_agg() with one argument takes its range from what the files say of theirs")
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

// macro reports whether a call of a macro has nothing but arguments, and refuses what the engine takes for functions
// only, as it does not say where that stands.
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

// aggregatesByName call the aggregate that their second argument names.
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
		q.refuse(n, "write its name out: "+name+"(l, 'sum')", "%s() calls an aggregate that is not known here", name)
	case r.why != "":
		q.refuse(n, r.instead, "%s() calls %s, which %s", name, value, r.why)
	case !functions.Allowed(value):
		q.refuse(n, fstore.DidYouMean(value, functionNames), "%s() calls %s, which is not on the list of functions", name, value)
	}
}
