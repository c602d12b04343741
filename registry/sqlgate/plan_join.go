package sqlgate

import "slices"

// join walks a join of any kind.
func (b *binding) join(op node) relation {
	left := b.below(op, 0)
	if op.str("type") == "LOGICAL_DELIM_JOIN" {
		b.delims = append(b.delims, b.list(op.list("duplicate_eliminated_columns"), left.columns))
	}
	first := len(b.reads)
	right := b.below(op, 1)
	if op.str("type") == "LOGICAL_DELIM_JOIN" {
		b.delims = b.delims[:len(b.delims)-1]
	}
	for i := first; i < len(b.reads); i++ {
		r := &b.reads[i]
		r.origin.inner = r.origin.inner || joinKind(op) == subqueryRead
		if r.origin.kind == rowRead {
			r.origin.kind = joinKind(op)
		}
	}
	j := joined{b: b, left: left, right: right}
	j.conditions(op)
	if joinKind(op) == asofRead {
		b.joinAsOf(right.columns, j.rightKeys)
	}
	left.columns, right.columns = j.left.columns, j.right.columns
	switch op.str("join_type") {
	case "SEMI", "ANTI":
		return project(left, op.list("left_projection_map"))
	case "MARK":
		left.columns = append(slices.Clone(left.columns), b.intern(term{op: b.unique("mark"), of: j.leftKeys, varies: j.other}))
		return left
	case "LEFT", "SINGLE":
		right.columns = j.missing(right.columns, j.leftKeys)
	case "RIGHT":
		left.columns = j.missing(left.columns, j.rightKeys)
	case "OUTER", "FULL":
		j.other = true
		left.columns, right.columns = j.missing(left.columns, nil), j.missing(right.columns, nil)
	}
	single := left.single && (right.single || op.str("join_type") == "SINGLE")
	l, r := project(left, op.list("left_projection_map")), project(right, op.list("right_projection_map"))
	return relation{columns: append(slices.Clone(l.columns), r.columns...), single: single}
}

// joinAsOf remembers whether an ASOF JOIN may choose among different rows: columns are those of its right side, and keys
// what its condition compares there.
func (b *binding) joinAsOf(columns, keys []int) {
	b.asof = true
	b.arbitrary = b.arbitrary || slices.ContainsFunc(columns, func(c int) bool { return !b.fixed(c, keys) })
}

func joinKind(op node) readKind {
	switch {
	case op.str("type") == "LOGICAL_ASOF_JOIN":
		return asofRead
	case op.str("type") == "LOGICAL_DELIM_JOIN" || slices.Contains([]string{"MARK", "SEMI", "ANTI", "SINGLE"}, op.str("join_type")):
		return subqueryRead
	}
	return rowRead
}

// joined is the two sides of a join and the comparisons of its condition.
type joined struct {
	b                   *binding
	left, right         relation
	leftKeys, rightKeys []int
	other               bool // the condition has more than comparisons between the two sides
}

// conditions reads the condition of a join. In an inner join, columns that are equal become one term.
func (j *joined) conditions(op node) {
	for _, c := range op.list("conditions") {
		c := asNode(c)
		l, r := j.b.term(c.child("left"), j.left.columns), j.b.term(c.child("right"), j.right.columns)
		j.leftKeys, j.rightKeys = append(j.leftKeys, l), append(j.rightKeys, r)
		j.b.compare(l, r, c.str("comparison"), -1)
		if op.str("join_type") == "INNER" && isEquality(c.str("comparison")) {
			j.right.columns = replaced(j.right.columns, r, l)
		}
	}
	if condition := op.child("condition"); condition != nil { // a condition of any form, over both sides
		j.b.condition(condition, append(slices.Clone(j.left.columns), j.right.columns...))
		j.other = true
	}
	if op.child("predicate") != nil {
		j.b.condition(op.child("predicate"), append(slices.Clone(j.left.columns), j.right.columns...))
		j.other = true
	}
}

// missing returns columns that are null in rows without a match on the other side.
func (j *joined) missing(columns, keys []int) []int {
	out := make([]int, len(columns))
	for i, c := range columns {
		t := j.b.terms[c]
		out[i] = j.b.intern(term{op: j.b.unique("outer"), of: append([]int{c}, keys...), varies: j.other, zero: t.zero, interval: t.interval, scale: t.scale, offset: t.offset})
		j.b.equal(out[i], c)
	}
	return out
}

func isEquality(comparison string) bool {
	return comparison == "COMPARE_EQUAL" || comparison == "COMPARE_NOT_DISTINCT_FROM"
}

func replaced(columns []int, old, with int) []int {
	out := slices.Clone(columns)
	for i := range out {
		if out[i] == old {
			out[i] = with
		}
	}
	return out
}

// filter walks a WHERE, HAVING or QUALIFY. Columns that it holds equal become one term. Columns that it holds equal
// to a constant are constant. row_number() = 1 leaves one row per partition.
func (b *binding) filter(op node) relation {
	in := b.below(op, 0)
	out := relation{columns: slices.Clone(in.columns), single: in.single}
	for _, e := range op.list("expressions") {
		b.term(asNode(e), in.columns)
		b.condition(asNode(e), in.columns)
		for _, c := range conjuncts(asNode(e)) {
			l, r := b.term(c.child("left"), in.columns), b.term(c.child("right"), in.columns)
			kind := c.str("type")
			switch {
			case b.terms[l].numbers != nil && isOne(c.child("right")) && (kind == "COMPARE_LESSTHANOREQUALTO" || kind == "COMPARE_EQUAL"):
				out.columns = b.perKey(out.columns, b.terms[l].numbers)
			case !isEquality(kind):
			case b.fixed(l, nil):
				out.columns = replaced(out.columns, r, l)
			default:
				out.columns = replaced(out.columns, l, r)
			}
		}
	}
	return project(out, op.list("projection_map"))
}

// conjuncts returns the comparisons that a condition implies.
func conjuncts(e node) []node {
	switch {
	case e.str("expression_class") == "BOUND_COMPARISON":
		return []node{e}
	case e.str("type") == "CONJUNCTION_AND":
		var out []node
		for _, c := range e.list("children") {
			out = append(out, conjuncts(asNode(c))...)
		}
		return out
	}
	return nil
}

func isOne(e node) bool {
	for e.str("expression_class") == "BOUND_CAST" {
		e = e.child("child")
	}
	return e.str("expression_class") == "BOUND_CONSTANT" && numeral(e.child("value"), "value") == "1"
}

// held returns the terms that a condition holds constant, including the operand of a cast that it holds constant.
func (b *binding) held(e node, in []int) []int {
	var out []int
	for _, c := range conjuncts(e) {
		l, r := b.term(c.child("left"), in), b.term(c.child("right"), in)
		if !isEquality(c.str("type")) {
			continue
		}
		if b.fixed(l, nil) {
			l, r = r, l
		}
		if !b.fixed(r, nil) {
			continue
		}
		for out = append(out, l); b.terms[l].cast && len(b.terms[l].of) == 1; out = append(out, l) {
			l = b.terms[l].of[0]
		}
	}
	return out
}
