package sqlgate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// zero describes the zeros of a float. 0.0 and -0.0 are equal, so whatever keeps one of several equal values, such as
// max() and DISTINCT, may keep either.
type zero int

const (
	unsigned zero = iota // it is never -0.0
	signed               // it may be -0.0, which depends on its row alone
	chance               // it may be 0.0 or -0.0, which depends on the row that was read first
)

// typeOf returns the type of a bound expression.
func typeOf(e node) node {
	if t := e.child("return_type"); t != nil {
		return t
	}
	return e.child("value").child("type")
}

func holdsInterval(typ node) bool { return holdsType(typ, "INTERVAL") }

func holdsFloat(typ node) bool { return holdsType(typ, "DOUBLE", "FLOAT") }

// holdsType reports whether a type is one of ids, or a list, struct or map that contains one.
func holdsType(typ node, ids ...string) bool {
	found := false
	eachNode(map[string]any(typ), func(n node) { found = found || slices.Contains(ids, n.str("id")) })
	return found
}

// zeroIn returns the zeros that values of a type may have.
func zeroIn(typ node) zero {
	if holdsFloat(typ) {
		return signed
	}
	return unsigned
}

// term returns the term of an expression over the input columns.
func (b *binding) term(e node, in []int) int {
	switch e.str("expression_class") {
	case "":
		return b.constant("none")
	case "BOUND_REF":
		if i := index(e["index"]); i >= 0 && i < len(in) {
			return in[i]
		}
		return b.column(typeOf(e), zeroIn(typeOf(e)))
	}
	at := reflect.ValueOf(e).Pointer()
	if t, ok := b.known[at]; ok {
		return t
	}
	r := rendering{b: b, in: in}
	r.write(map[string]any(e))
	b.lists(e)
	had := len(b.terms)
	t := b.intern(term{
		op: r.text.String(), of: r.of, zero: b.zeroOf(e, in), interval: holdsInterval(typeOf(e)), cast: e.str("expression_class") == "BOUND_CAST",
		alike: e.str("name") == "normalized_interval", offset: e.ownOffset() + 1,
		counts: e.str("name") == "+" || e.str("name") == "-",
	})
	b.known[at] = t
	if t == had {
		b.relate(t, e, in)
		b.wholeQuotient(e)
	}
	return t
}

// wholeQuotient warns of // over floats. A column of integers is one of floats once pandas has written it with a null.
func (b *binding) wholeQuotient(e node) {
	if e.str("name") == "//" && holdsFloat(typeOf(e)) {
		b.found = append(b.found, verdict{
			Finding: Finding{-1, "// of floats keeps the fraction", "floor(x / y), or x::BIGINT // y where x is always whole"},
			doubt:   true, call: "//", names: names(map[string]any(e)),
		})
	}
}

// rendering writes an expression without its operands, which are terms of their own.
type rendering struct {
	b    *binding
	in   []int
	of   []int
	text strings.Builder
	raw  bool // in the body of a lambda, where references are not to columns
}

func (r *rendering) write(v any) {
	switch v := v.(type) {
	case []any:
		r.text.WriteByte('[')
		for _, e := range v {
			r.part(e)
			r.text.WriteByte(',')
		}
		r.text.WriteByte(']')
	case map[string]any:
		n := node(v)
		r.text.WriteByte('{')
		for _, key := range n.keys() {
			if key == "alias" || key == "query_location" {
				continue
			}
			r.text.WriteString(key + ":")
			inside := r.raw
			r.raw = r.raw || key == "function_data"
			r.part(n[key])
			r.raw = inside
			r.text.WriteByte(',')
		}
		r.text.WriteByte('}')
	default:
		fmt.Fprintf(&r.text, "%q", fmt.Sprint(v))
	}
}

func (r *rendering) part(v any) {
	if n := asNode(v); !r.raw && n.str("expression_class") != "" {
		r.of = append(r.of, r.b.term(n, r.in))
		r.text.WriteByte('_')
		return
	}
	r.write(v)
}

// The functions by their effect on the sign of a zero.
var (
	zeroKeeping = functionSet(`- * % mod fmod add subtract multiply round round_even roundbankers trunc floor ceil ceiling sqrt cbrt sin tan asin atan sinh tanh asinh atanh
		degrees radians greatest least list_value list_pack array_value struct_pack row struct_extract struct_extract_at array_extract list_extract
		list_element element_at list_sort list_reverse_sort array_sort array_reverse_sort list_concat list_cat array_concat array_cat || list_slice
		array_slice list_distinct array_distinct list_append array_append list_prepend array_prepend list_reverse array_reverse list_filter
		array_filter filter unnest unpivot_list map map_from_entries map_extract map_extract_value map_values map_keys map_entries struct_insert
		struct_update list_resize array_resize list_zip array_zip flatten coalesce`)
	zeroDropping = functionSet(`abs @ exp cos cosh isnan isinf isfinite len length list_count array_length list_contains array_contains list_has
		array_has list_position array_position list_indexof array_indexof list_has_any list_has_all array_has_any array_has_all list_unique
		array_unique list_aggr list_aggregate array_aggr array_aggregate aggregate even sign typeof cardinality map_contains error`)
)

// zeroOf returns the zeros that an expression may yield. It reports zeros of arbitrary sign that something tells
// apart.
func (b *binding) zeroOf(e node, in []int) zero {
	typ := typeOf(e)
	parts := func(list []any) zero {
		z := unsigned
		for _, p := range list {
			z = max(z, b.terms[b.term(asNode(p), in)].zero)
		}
		return z
	}
	own := zeroIn(typ)
	switch e.str("expression_class") {
	case "BOUND_CONSTANT":
		if strings.HasPrefix(numeral(e.child("value"), "value"), "-0") || typ.str("id") == "LIST" || typ.str("id") == "STRUCT" {
			return own
		}
		return unsigned
	case "BOUND_COMPARISON", "BOUND_CONJUNCTION", "BOUND_BETWEEN":
		return unsigned
	case "BOUND_CASE":
		list := []any{e["else_expr"]}
		for _, c := range e.list("case_checks") {
			list = append(list, asNode(c)["then_expr"])
		}
		return parts(list)
	case "BOUND_OPERATOR":
		if e.str("type") == "OPERATOR_COALESCE" {
			return parts(e.list("children"))
		}
		return unsigned
	case "BOUND_UNNEST":
		return parts([]any{e["child"]})
	case "BOUND_CAST":
		return b.zeroOfCast(e, parts([]any{e["child"]}))
	}
	name := strings.ToLower(e.str("name"))
	args := parts(e.list("children"))
	switch {
	case args == unsigned && (name == "+" || name == "-" && len(e.list("children")) == 2):
		return unsigned
	case name == "+" && len(e.list("children")) == 2: // x + 0.0 is never -0.0
		return min(parts(e.list("children")[:1]), parts(e.list("children")[1:]))
	case zeroDropping[name]:
		return own
	case name == "/" && len(e.list("children")) == 2:
		if parts(e.list("children")[1:]) == chance {
			b.reportZeros(e, "a division by it")
		}
		return max(own, parts(e.list("children")[:1]))
	case zeroKeeping[name]:
		if own == unsigned {
			return args
		}
		return max(own, args)
	}
	if args == chance {
		b.reportZeros(e, name+"()")
	}
	return own
}

func (b *binding) zeroOfCast(e node, z zero) zero {
	to := typeOf(e)
	from := e.child("child")
	switch {
	case holdsFloat(to) && !holdsFloat(typeOf(from)):
		if holdsType(typeOf(from), "VARCHAR") {
			return signed
		}
		return unsigned
	case holdsType(to, "FLOAT") && holdsType(typeOf(from), "DOUBLE"):
		return max(z, signed)
	case holdsFloat(to):
		return z
	case z == chance && holdsType(to, "VARCHAR"):
		b.reportZeros(e, "a cast to text")
	}
	return unsigned
}

func (b *binding) reportZeros(e node, what string) {
	b.found = append(b.found, verdict{
		Finding: Finding{
			e.ownOffset(), "0.0 and -0.0 are equal, so either may be kept here, but " + what + " tells them apart",
			"add 0.0 first, which turns -0.0 into 0.0: max(x + 0.0)",
		},
		doubt: true, call: strings.ToLower(e.str("name")),
	})
}

// choose returns the term of one of several equal values, where any of them may be kept.
func (b *binding) choose(what string, t int, names []string) int {
	c := b.terms[t]
	if c.interval {
		b.found = append(b.found, verdict{
			Finding: Finding{-1, what + " keeps an arbitrary one of several equal intervals, and 1 month equals 30 days", "use a number: epoch(x)"},
			call:    strings.TrimSuffix(what, "()"), names: names,
		})
	}
	if c.zero != signed && !c.interval {
		return t
	}
	if c.zero == signed {
		c.zero = chance
	}
	return b.intern(term{op: b.unique("chosen"), of: []int{t}, zero: c.zero}) // so that an interval is reported once
}

func (b *binding) chooseAll(what string, columns []int) []int {
	out := make([]int, len(columns))
	for i, c := range columns {
		out[i] = b.choose(what, c, nil)
	}
	return out
}

// choosingLists are list functions that keep one of several equal elements, or order equal ones arbitrarily.
var choosingLists = functionSet(`list_sort list_reverse_sort array_sort array_reverse_sort list_distinct array_distinct list_intersect array_intersect
	list_grade_up array_grade_up grade_up`)

// lists checks a call of a list function.
func (b *binding) lists(e node) {
	name := strings.ToLower(e.str("name"))
	if e.str("expression_class") != "BOUND_FUNCTION" {
		return
	}
	if args := e.list("children"); choosingLists[name] && len(args) > 0 && holdsInterval(typeOf(asNode(args[0]))) {
		b.found = append(b.found, intervals(name, e.ownOffset()))
	}
	eachNode(e["function_data"], func(n node) {
		inner := strings.ToLower(n.str("name"))
		switch {
		case n.str("expression_class") == "BOUND_AGGREGATE" && choosing[inner] && holdsInterval(typeOf(n)),
			n.str("expression_class") == "BOUND_FUNCTION" && choosingLists[inner] && holdsInterval(typeOf(n)):
			b.found = append(b.found, intervals(inner, e.ownOffset()))
		}
	})
}

func intervals(name string, offset int) verdict {
	return verdict{Finding: Finding{offset, name + "() keeps an arbitrary one of several equal intervals, and 1 month equals 30 days", "use a number: epoch(x)"}, call: name}
}
