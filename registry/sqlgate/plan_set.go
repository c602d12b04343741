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
			out[i] = b.intern(term{op: b.unique("union"), varies: true, zero: max(l.zero, r.zero), interval: l.interval || r.interval})
		}
	}
	return out
}

func (b *binding) setOperation(op node) relation {
	left, right := b.below(op, 0), b.below(op, 1)
	columns := b.union(left.columns, right.columns)
	for at := 2; at < len(op.list("children")); at++ {
		columns = b.union(columns, b.below(op, at).columns)
	}
	if op.str("type") != "LOGICAL_UNION" {
		columns = b.chooseAll(strings.TrimPrefix(op.str("type"), "LOGICAL_"), columns)
	}
	return relation{columns: columns}
}

func (b *binding) recursive(op node) relation {
	anchor := b.below(op, 0)
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
	tag, known := b.unique("ref"), map[int]int{}
	var copied func(t int) int
	copied = func(t int) int {
		if c, ok := known[t]; ok {
			return c
		}
		c := t
		if !b.fixed(t, nil) {
			n := b.terms[t]
			n.op = tag + " " + strconv.Itoa(t)
			n.of = slices.Clone(n.of)
			for i, o := range n.of {
				n.of[i] = copied(o)
			}
			c = b.intern(n)
		}
		known[t] = c
		return c
	}
	out := relation{single: cte.single}
	for _, c := range cte.columns {
		out.columns = append(out.columns, copied(c))
	}
	return out
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
