package sqlgate

import (
	"reflect"
	"slices"
	"strings"
)

// place is a call or a clause in the parse tree that a verdict may be about.
type place struct {
	n     node // the call; nil for a clause
	at    int
	names map[string]bool
	inner bool // in a subquery
}

// sameFunction lists groups of names for one function: in the SQL, in the plan, and what macros call.
var sameFunction = [][]string{
	{"arg_max", "argmax", "max_by"},
	{"arg_min", "argmin", "min_by"},
	{"list", "array_agg"},
	{"string_agg", "group_concat", "listagg"},
	{"first", "first_value", "arbitrary"},
	{"last", "last_value"},
	{"stddev_samp", "stddev"},
	{"var_samp", "variance"},
	{"fsum", "kahan_sum", "sumkahan"},
	{"avg", "mean", "geomean", "geometric_mean"},
	{"sum", "wavg", "weighted_avg"},
	{"quantile_disc", "quantile"},
	{"list_aggr", "list_aggregate", "array_aggr", "array_aggregate", "aggregate"},
}

func isCallOf(n node, name string) bool {
	if class := n.str("class"); class != "FUNCTION" && class != "WINDOW" {
		return false
	}
	called := callName(n)
	return called == name || slices.ContainsFunc(sameFunction, func(same []string) bool { return slices.Contains(same, called) && slices.Contains(same, name) })
}

// places returns the calls or clauses that a verdict about call may be about.
func places(root node, call string) []place {
	var out []place
	inner := map[uintptr]bool{}
	eachNode(map[string]any(root), func(n node) {
		if n.str("class") == "SUBQUERY" {
			eachNode(map[string]any(n), func(n node) { inner[reflect.ValueOf(n).Pointer()] = true })
		}
	})
	add := func(n node, at int, parts ...any) {
		p := place{n: n, at: at, names: map[string]bool{}, inner: inner[reflect.ValueOf(n).Pointer()]}
		for _, part := range parts {
			eachNode(part, func(n node) {
				for _, name := range n.strings("column_names") {
					p.names[strings.ToLower(name)] = true
				}
			})
		}
		out = append(out, p)
	}
	eachNode(map[string]any(root), func(n node) {
		if isCallOf(n, call) {
			add(n, n.offset(), map[string]any(n))
		}
		for _, m := range n.list("modifiers") {
			m := asNode(m)
			isDistinct := m.str("type") == "DISTINCT_MODIFIER"
			isLimit := m.str("type") == "LIMIT_MODIFIER" || m.str("type") == "LIMIT_PERCENT_MODIFIER"
			if call == "LIMIT" && isLimit || isDistinct && (call == "DISTINCT ON" || call == "DISTINCT") {
				add(nil, m.offset(), n["modifiers"])
			}
		}
		if groups := n.list("group_expressions"); call == "GROUP BY" && len(groups) > 0 {
			add(nil, offsetOf(groups), groups)
		}
		if op := n.str("setop_type"); op != "" && strings.HasPrefix(op, call) {
			add(nil, n.offset())
		}
	})
	return out
}

// locate finds the place of each verdict in the parse tree: the call of that name with the most of its columns. Equal
// verdicts at one place become one.
func locate(found []verdict, root node) []verdict {
	var out []verdict
	for _, v := range found {
		best, most := -1, -1
		all := places(root, v.call)
		for i, p := range all {
			count := 0
			for _, name := range v.names {
				if p.names[name] {
					count += 2
				}
			}
			if v.inner && p.inner {
				count++
			}
			if count > most && !slices.ContainsFunc(out, func(o verdict) bool { return o.call == v.call && o.Offset == p.at && o.Message == v.Message }) {
				best, most = i, count
			}
		}
		if best < 0 && len(all) > 0 {
			continue // one call can be several in the plan
		}
		if best >= 0 {
			p := all[best]
			if v.Offset < 0 {
				v.Offset = p.at
			}
			if v.at = p.n; p.n != nil {
				v.Message = strings.ReplaceAll(v.Message, v.call+"()", callName(p.n)+"()")
				if v.Hint == "" && floatAggregates[v.call] {
					v.Hint = exactHint(p.n)
				}
			}
		}
		out = append(out, v)
	}
	return out
}
