package sqlgate

import (
	"slices"
	"strconv"
	"strings"
)

// union returns the columns of the rows of two relations.
func (b *binding) union(left, right []int) []int {
	out := make([]int, min(len(left), len(right)))
	for i := range out {
		l, r := b.terms[left[i]], b.terms[right[i]]
		if out[i] = left[i]; left[i] != right[i] || !b.fixed(left[i], nil) {
			out[i] = b.intern(term{op: b.unique("union"), varies: true, zero: max(l.zero, r.zero), interval: l.interval || r.interval, scale: min(l.scale, r.scale)})
		}
	}
	return out
}

func (b *binding) setOperation(op node) relation {
	var inputs []relation
	var columns []int
	for at := range op.list("children") {
		in := b.below(op, at)
		if inputs = append(inputs, in); at == 0 {
			columns = in.columns
		} else {
			columns = b.union(columns, in.columns)
		}
	}
	b.reads = nil
	for _, in := range inputs {
		for _, r := range in.reads {
			b.reads = append(b.reads, b.rebase(r, b.bounds(r.at), in.columns, columns))
		}
	}
	if op.str("type") != "LOGICAL_UNION" {
		columns = b.chooseAll(strings.TrimPrefix(op.str("type"), "LOGICAL_"), columns)
	}
	return relation{columns: columns}
}

func (b *binding) recursive(op node) relation {
	anchor := b.below(op, 0)
	defer func() { b.reads = nil }() // what a recursion reads is not judged
	columns := make([]int, len(anchor.columns))
	for i, c := range anchor.columns { // what later rounds yield is not known yet
		t := b.terms[c]
		columns[i] = b.intern(term{op: b.unique("recursive"), varies: true, zero: max(t.zero, signed), interval: t.interval})
	}
	b.ctes[numeral(op, "table_index")] = relation{columns: columns}
	b.below(op, 1)
	if all, _ := op["union_all"].(bool); !all {
		columns = b.chooseAll("UNION", columns)
	}
	return relation{columns: columns}
}

// cteRef returns the columns of a CTE as new terms: another reference to the CTE reads other rows.
func (b *binding) cteRef(op node) relation {
	cte, ok := b.ctes[numeral(op, "cte_index")]
	if !ok {
		return b.typed(op.list("chunk_types"))
	}
	tag, known, scans := b.unique("ref"), map[int]int{}, map[int]int{0: 0}
	var copied func(t int) int
	copied = func(t int) int {
		if c, ok := known[t]; ok {
			return c
		}
		c := t
		if !b.fixed(t, nil) && !b.isOuter(t) {
			n := b.terms[t]
			n.op = tag + " " + strconv.Itoa(t)
			n.of = slices.Clone(n.of)
			if _, ok := scans[n.scan]; !ok {
				b.scans++
				scans[n.scan] = b.scans
			}
			n.scan = scans[n.scan]
			for i, o := range n.of {
				n.of[i] = copied(o)
			}
			c = b.intern(n)
			if from, ok := b.aggregates[t]; ok {
				b.aggregates[c] = from
			}
		}
		known[t] = c
		return c
	}
	out := relation{single: cte.single}
	for _, c := range cte.columns {
		out.columns = append(out.columns, copied(c))
	}
	b.reads = b.copyReads(cte.reads, copied)
	return out
}

// isOuter reports whether a term is a column of an enclosing query.
func (b *binding) isOuter(t int) bool {
	return slices.ContainsFunc(b.delims, func(columns []int) bool { return slices.Contains(columns, t) })
}

// outer returns the columns of the outer query that a subquery reads, with the same terms as there.
func (b *binding) outer(op node) relation {
	types := op.list("chunk_types")
	if len(b.delims) == 0 || len(b.delims[len(b.delims)-1]) != len(types) {
		return b.typed(types)
	}
	return relation{columns: slices.Clone(b.delims[len(b.delims)-1])}
}

func (b *binding) pivot(op node) relation {
	in := b.below(op, 0)
	pivot := op.child("bound_pivot")
	groups := index(pivot["group_count"])
	var out relation
	for i, t := range pivot.list("types") {
		if i < groups && i < len(in.columns) {
			out.columns = append(out.columns, in.columns[i])
		} else {
			out.columns = append(out.columns, b.column(asNode(t), zeroIn(asNode(t))))
		}
	}
	return out
}
