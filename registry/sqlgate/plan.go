package sqlgate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The parse tree has neither scopes nor types. The plan of the engine's binder has both, so it answers the questions
// that need them: whether an ORDER BY tells rows apart, which equal values can be told apart, and which sums add
// floats. Each column of each relation in the plan is a term. A term knows what it is computed from, through
// subqueries, CTEs and joins down to the columns of the inputs.

// term is a column or an expression.
type term struct {
	op       string // distinguishes terms computed from the same terms
	of       []int  // the terms that it is computed from
	varies   bool   // it may differ between rows even if the terms that it is computed from do not
	zero     zero
	interval bool
	cast     bool  // a cast of its only operand
	alike    bool  // equal wherever its only operand is equal
	numbers  []int // for row_number(): its PARTITION BY

	scale      float64 // the microseconds of its unit, if it is an instant or counts time
	scan       int     // for a column: the scan that reads it; for a window, the number of the window
	counts     bool    // it is computed by adding to something
	aggregated bool    // an aggregate
	offset     int     // 1 + its offset in the text, or 0
}

// relation is the output of an operator of a plan.
type relation struct {
	columns []int
	single  bool  // at most one row
	same    []any // the ORDER BY of its rows, if it does not tell them apart
	reads   []read
}

// binding walks a plan.
type binding struct {
	terms  []term
	ids    map[string]int
	known  map[uintptr]int // the terms of expressions, by their address
	fresh  int
	ctes   map[string]relation
	delims [][]int // the outer columns that the enclosing subqueries read
	found  []verdict

	windows []windowed

	asof, arbitrary bool // there are ASOF JOINs; one of them may choose among different rows of one time

	history     History
	reads       []read         // of the operator that is being walked
	edges       map[int][]edge // of instants, by term
	scans       int
	comparisons []compared
	aggregates  map[int]origin // by term
}

// windowed is a call with OVER and its PARTITION BY.
type windowed struct {
	partition []int
	verdict   verdict
	timed     bool // it reads rows that have a time
}

// verdict is a finding about a plan. The plan does not always say where in the SQL it is.
type verdict struct {
	Finding
	doubt bool
	call  string   // the function, or the clause: LIMIT, DISTINCT ON
	names []string // of its columns

	table    string   // that it reads rows of
	inner    bool     // it is in a subquery
	declared declared // for a window whose value goes stale
	at       node     // the call in the parse tree
}

// sameInstant is the verdict for a window whose partitions hold rows of one event time only.
const sameInstant = "all rows have one event time"

// oneRowPerTime is the verdict for a query whose ASOF JOINs have one row per key and time on their right sides.
const oneRowPerTime = "ASOF JOIN finds at most one row per time"

// inspectPlan judges the plan of a query.
func inspectPlan(raw []byte, h History) ([]verdict, error) {
	plan, err := parsePlan(raw)
	if err != nil {
		return nil, err
	}
	b := &binding{ids: map[string]int{}, known: map[uintptr]int{}, ctes: map[string]relation{}, history: h, edges: map[int][]edge{}, aggregates: map[int]origin{}}
	b.judgeReads(b.relation(plan))
	if b.asof && !b.arbitrary {
		b.found = append(b.found, verdict{Finding: Finding{Offset: -1, Message: oneRowPerTime}, doubt: true})
	}
	return b.found, nil
}

// intern returns the term of an op and its operands: the same term for the same op and operands.
func (b *binding) intern(t term) int {
	var key strings.Builder
	key.WriteString(t.op)
	for _, id := range t.of {
		key.WriteString(" " + strconv.Itoa(id))
	}
	if id, ok := b.ids[key.String()]; ok {
		return id
	}
	b.ids[key.String()] = len(b.terms)
	b.terms = append(b.terms, t)
	return len(b.terms) - 1
}

// unique returns an op that no other term has.
func (b *binding) unique(what string) string {
	b.fresh++
	return what + "#" + strconv.Itoa(b.fresh)
}

// column returns a new column of a type. Its values differ between rows.
func (b *binding) column(typ node, z zero) int {
	return b.intern(term{op: b.unique("column"), varies: true, zero: z, interval: holdsInterval(typ)})
}

// like returns a new term with the values of t that is computed from the terms of.
func (b *binding) like(t int, of []int) int {
	like := b.intern(term{op: b.unique("like"), of: of, zero: b.terms[t].zero, interval: b.terms[t].interval, scale: b.terms[t].scale, offset: b.terms[t].offset, aggregated: b.terms[t].aggregated})
	b.equal(like, t)
	return like
}

// fixed reports whether a term is the same for all rows in which the given terms are the same.
func (b *binding) fixed(t int, given []int) bool {
	known := map[int]bool{}
	for _, g := range given {
		known[g] = true
	}
	var fixed func(t int) bool
	fixed = func(t int) bool {
		if is, seen := known[t]; seen {
			return is
		}
		is := !b.terms[t].varies && !slices.ContainsFunc(b.terms[t].of, func(o int) bool { return !fixed(o) })
		known[t] = is
		return is
	}
	return fixed(t)
}

// alike adds to terms those that the engine compares them by: it compares intervals in a normal form.
func (b *binding) alike(terms []int) []int {
	out := slices.Clone(terms)
	for i := 0; i < len(out); i++ {
		if t := b.terms[out[i]]; t.alike && len(t.of) == 1 {
			out = append(out, t.of[0])
		}
	}
	return out
}

// orders reports whether an ORDER BY tells rows apart in which the given terms are the same.
func (b *binding) orders(list []any, in, given []int) bool {
	return slices.ContainsFunc(list, func(o any) bool { return !b.fixed(b.term(asNode(o).child("expression"), in), given) })
}

// perKey returns the columns of a relation that has one row per key.
func (b *binding) perKey(columns, keys []int) []int {
	out := make([]int, len(columns))
	for i, c := range columns {
		if out[i] = c; !b.fixed(c, keys) {
			out[i] = b.like(c, keys)
		}
	}
	return out
}

// relation walks an operator and its inputs.
func (b *binding) relation(op node) relation {
	outer := b.reads
	b.reads = nil
	r := b.operator(op)
	if r.single {
		r.columns = b.perKey(r.columns, nil)
	}
	r.reads, b.reads = b.reads[:min(len(b.reads), mostReads)], outer
	return r
}

// below walks an input of an operator, and adds its reads to those of the operator.
func (b *binding) below(op node, at int) relation {
	list := op.list("children")
	if at >= len(list) {
		return relation{}
	}
	r := b.relation(asNode(list[at]))
	b.reads = append(b.reads, r.reads...)
	return r
}

func (b *binding) operator(op node) relation {
	switch kind := op.str("type"); kind {
	case "LOGICAL_GET":
		return relation{columns: b.scan(op)}
	case "LOGICAL_DUMMY_SCAN":
		return relation{columns: []int{b.constant("dummy")}, single: true}
	case "LOGICAL_EXPRESSION_GET":
		return b.values(op)
	case "LOGICAL_PROJECTION":
		in := b.below(op, 0)
		return relation{columns: b.list(op.list("expressions"), in.columns), single: in.single, same: in.same}
	case "LOGICAL_FILTER":
		return b.filter(op)
	case "LOGICAL_ORDER_BY":
		return b.orderBy(op)
	case "LOGICAL_LIMIT":
		return b.limit(op)
	case "LOGICAL_DISTINCT":
		return b.distinct(op)
	case "LOGICAL_AGGREGATE_AND_GROUP_BY":
		return b.aggregate(op)
	case "LOGICAL_WINDOW":
		in := b.below(op, 0)
		for _, e := range op.list("expressions") { // their terms come before the bounds
			b.list(slices.Concat(asNode(e).list("children"), asNode(e).list("partitions"), orderExpressions(asNode(e).list("orders"))), in.columns)
		}
		columns, bounds := slices.Clone(in.columns), b.boundsOf(in.reads)
		for _, e := range op.list("expressions") {
			columns = append(columns, b.window(asNode(e), in, bounds))
		}
		return relation{columns: columns, single: in.single}
	case "LOGICAL_UNNEST":
		in := b.below(op, 0)
		columns := slices.Clone(in.columns)
		for _, e := range op.list("expressions") {
			t := b.term(asNode(e), in.columns)
			c := b.column(typeOf(asNode(e)), b.terms[t].zero)
			if isTemporal(typeOf(asNode(e))) { // taken to be a row of a calendar that begins with the row
				b.terms[c].scale = 1
				b.eachInstant(t, func(o int) { b.atMost(o, c, 0) })
			}
			columns = append(columns, c)
		}
		return relation{columns: columns}
	case "LOGICAL_PIVOT":
		return b.pivot(op)
	case "LOGICAL_UNION", "LOGICAL_EXCEPT", "LOGICAL_INTERSECT":
		return b.setOperation(op)
	case "LOGICAL_RECURSIVE_CTE":
		return b.recursive(op)
	case "LOGICAL_MATERIALIZED_CTE":
		b.ctes[numeral(op, "table_index")] = b.below(op, 0)
		b.reads = nil // whoever refers to it has them
		return b.below(op, 1)
	case "LOGICAL_CTE_REF":
		return b.cteRef(op)
	case "LOGICAL_DELIM_GET":
		return b.outer(op)
	case "LOGICAL_CROSS_PRODUCT", "LOGICAL_COMPARISON_JOIN", "LOGICAL_DELIM_JOIN", "LOGICAL_ASOF_JOIN", "LOGICAL_ANY_JOIN":
		return b.join(op)
	case "LOGICAL_EMPTY_RESULT":
		return b.typed(op.list("return_types"))
	default:
		b.found = append(b.found, verdict{Finding: Finding{-1, fmt.Sprintf("fstore does not support %s", strings.ReplaceAll(strings.TrimPrefix(kind, "LOGICAL_"), "_", " ")), ""}})
		return relation{}
	}
}

// list returns the terms of expressions over the input columns.
func (b *binding) list(expressions []any, in []int) []int {
	out := make([]int, len(expressions))
	for i, e := range expressions {
		out[i] = b.term(asNode(e), in)
	}
	return out
}

func (b *binding) orderBy(op node) relation {
	in := b.below(op, 0)
	if in.same = nil; !in.single && !b.orders(op.list("orders"), in.columns, nil) {
		in.same = op.list("orders")
	}
	return project(in, op.list("projections"))
}

func orderExpressions(orders []any) []any {
	out := make([]any, len(orders))
	for i, o := range orders {
		out[i] = asNode(o)["expression"]
	}
	return out
}

// project keeps the columns at some positions, or all columns if there are no positions.
func project(r relation, places []any) relation {
	if len(places) == 0 {
		return r
	}
	out := relation{single: r.single, same: r.same}
	for _, p := range places {
		if i := index(p); i >= 0 && i < len(r.columns) {
			out.columns = append(out.columns, r.columns[i])
		}
	}
	return out
}

func index(v any) int {
	n, _ := v.(json.Number)
	i, err := strconv.Atoi(string(n))
	if err != nil {
		return -1
	}
	return i
}

func numeral(n node, key string) string { s, _ := n[key].(json.Number); return string(s) }

// typed returns a relation of new columns with these types.
func (b *binding) typed(types []any) relation {
	var r relation
	for _, t := range types {
		r.columns = append(r.columns, b.column(asNode(t), zeroIn(asNode(t))))
	}
	return r
}

func (b *binding) constant(op string) int { return b.intern(term{op: op}) }

// scan returns the columns of an input. fstore reads -0.0 as 0.0, except within lists and structs.
func (b *binding) scan(op node) []int {
	types := op.list("returned_types")
	var out []int
	for _, c := range op.list("column_indexes") {
		var typ node
		if i := index(asNode(c)["index"]); i >= 0 && i < len(types) {
			typ = asNode(types[i])
		}
		z := zeroIn(typ)
		if isFloat(typ.str("id")) {
			z = unsigned
		}
		out = append(out, b.column(typ, z))
	}
	b.readScan(op, out)
	return project(relation{columns: out}, op.list("projection_ids")).columns
}

// values walks a VALUES clause.
func (b *binding) values(op node) relation {
	in := b.below(op, 0)
	rows := op.list("expressions")
	var out relation
	for i, row := range rows {
		list, _ := row.([]any)
		terms := b.list(list, in.columns)
		if i == 0 {
			out.columns = terms
			continue
		}
		out.columns = b.union(out.columns, terms)
	}
	out.single = len(rows) == 1
	return out
}
