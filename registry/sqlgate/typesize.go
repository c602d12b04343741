package sqlgate

import "strings"

// A type that contains another type twice doubles with each query that does so again, and the binder's time grows
// with the size of the type. This file computes the size of types, in parts, from the parse tree alone. It resolves
// names as far as needed, and takes the larger size when in doubt.

// maxTypeParts bounds the types of the columns of one SELECT.
const maxTypeParts = 20_000

// assumedColumns is the assumed number of columns of an input that is read as one struct.
const assumedColumns = 64

// sizedRelation is a relation with the sizes of its columns' types.
type sizedRelation struct {
	name    string
	columns []sizedColumn
	rest    int // size of any other column, for inputs; 0: there are no others

	byName map[string]int // the columns, once the relation is in scope
}

type sizedColumn struct {
	name string
	size int
}

// sight is what names in an expression may refer to.
type sight struct {
	relations []sizedRelation
	named     map[string]int // aliases of the same SELECT, and lambda parameters
	replaced  map[string]int // columns that a star replaces
	outer     *sight
	ctes      map[string]sizedRelation
}

// typeSizes refuses a SELECT whose column types are too large for the binder.
func (q *Query) typeSizes(root node) { q.sizedQuery(root, &sight{ctes: map[string]sizedRelation{}}) }

// sum adds sizes, up to twice the bound.
func sum(sizes ...int) int {
	total := 0
	for _, s := range sizes {
		total = min(total+s, 2*maxTypeParts)
	}
	return total
}

// total returns the size of a relation that is read as one struct.
func (r *sizedRelation) total() int {
	total := r.rest * assumedColumns
	for _, c := range r.columns {
		total = sum(total, c.size)
	}
	return max(total, 1)
}

// largest returns the size of the relation's largest column.
func (r *sizedRelation) largest() int {
	size := max(r.rest, 1)
	for _, c := range r.columns {
		size = max(size, c.size)
	}
	return size
}

// reference returns the size of what a column reference refers to.
func (s *sight) reference(names []string) int {
	for ; s != nil && len(names) > 0; s = s.outer {
		first := Fold(names[0])
		size := s.named[first]
		for i := range s.relations {
			r := &s.relations[i]
			size = max(size, r.byName[first])
			switch {
			case r.name != first:
			case len(names) > 1:
				size = max(size, r.byName[Fold(names[1])], r.rest)
			default:
				size = max(size, r.total())
			}
		}
		if size > 0 {
			return size
		}
	}
	return 1
}

func (s *sight) largest() int {
	size := 1
	for i := range s.relations {
		size = max(size, s.relations[i].largest())
	}
	return size
}

// sizedQuery returns the output of a query.
func (q *Query) sizedQuery(n node, outer *sight) sizedRelation {
	s := &sight{named: map[string]int{}, replaced: map[string]int{}, outer: outer, ctes: map[string]sizedRelation{}}
	for _, e := range n.child("cte_map").list("map") {
		value := asNode(e).child("value")
		r := q.sizedQuery(value.child("query").child("node"), s)
		r.rename(value.strings("aliases"))
		s.ctes[Fold(asNode(e).str("key"))] = r
	}
	var out sizedRelation
	switch n.str("type") {
	case "SELECT_NODE":
		out = q.sizedSelect(n, s)
	case "RECURSIVE_CTE_NODE":
		out = q.sizedQuery(n.child("left"), s)
		out.rename(n.strings("aliases"))
		s.ctes[Fold(n.str("cte_name"))] = out
		q.sizedQuery(n.child("right"), s) // its rows join those of the first half
	default:
		parts := append([]any{n["left"], n["right"]}, n.list("children")...)
		for _, part := range parts {
			if p := asNode(part); p != nil {
				out = out.union(q.sizedQuery(p, s))
			}
		}
	}
	for _, key := range []string{"where_clause", "group_expressions", "having", "qualify", "modifiers"} {
		q.sizeOf(n[key], s)
	}
	return out
}

// sizedSelect returns the output of a SELECT, and refuses the SELECT if it is too large.
func (q *Query) sizedSelect(n node, s *sight) sizedRelation {
	q.sizedFrom(n.child("from_table"), s)
	var out sizedRelation
	for _, e := range n.list("select_list") {
		e := asNode(e)
		size, name := q.sizeOf(map[string]any(e), s), e.str("alias")
		if hasStar(e) {
			out.stars(s, size, e.str("class") == "STAR")
			continue
		}
		if names := e.strings("column_names"); name == "" && len(names) > 0 {
			name = names[len(names)-1]
		} else if name != "" {
			s.named[Fold(name)] = max(s.named[Fold(name)], size)
		}
		out.columns = append(out.columns, sizedColumn{Fold(name), size})
	}
	total := 0
	for _, c := range out.columns {
		total = sum(total, c.size-1) // plain columns have their own bound
	}
	if total > maxTypeParts {
		q.refuse(n, "use fewer nested structs, lists and maps", "its columns have types of more than %d parts", maxTypeParts)
		return sizedRelation{rest: 1} // so that it is reported once
	}
	return out
}

// stars adds the columns of a star, as they are (plain) or within an expression of the given size.
func (r *sizedRelation) stars(s *sight, size int, plain bool) {
	for _, from := range s.relations {
		for _, c := range from.columns {
			if !plain {
				c.size = size
			}
			c.size = max(c.size, s.replaced[c.name])
			r.columns = append(r.columns, c)
		}
		if from.rest > 0 {
			r.rest = max(r.rest, from.rest)
			if !plain {
				r.rest = max(r.rest, size)
			}
		}
	}
	for _, size := range s.replaced { // it may be a column of an input
		r.rest = max(r.rest, min(size, r.rest*size))
	}
	clear(s.replaced)
}

func hasStar(e node) bool {
	found := false
	eachNode(map[string]any(e), func(n node) { found = found || n.str("class") == "STAR" })
	return found
}

// union returns the columns of a set operation: those of the first part, each as large as in the larger part.
func (r sizedRelation) union(o sizedRelation) sizedRelation {
	if r.columns == nil && r.rest == 0 {
		return o
	}
	for i := range r.columns {
		if len(r.columns) == len(o.columns) && r.rest+o.rest == 0 {
			r.columns[i].size = max(r.columns[i].size, o.columns[i].size)
		} else {
			r.columns[i].size = max(r.columns[i].size, o.largest())
		}
	}
	if r.rest > 0 || o.rest > 0 {
		r.rest = max(r.rest, o.largest())
	}
	return r
}

// rename renames the first columns.
func (r *sizedRelation) rename(names []string) {
	for i, name := range names {
		if i < len(r.columns) {
			r.columns[i].name = Fold(name)
		}
	}
}

// sizedFrom adds the relations of a FROM clause to the scope.
func (q *Query) sizedFrom(n node, s *sight) {
	var r sizedRelation
	switch n.str("type") {
	case "", "EMPTY":
		return
	case "JOIN":
		q.sizedFrom(n.child("left"), s)
		q.sizedFrom(n.child("right"), s)
		q.sizeOf(n["condition"], s)
		return
	case "BASE_TABLE":
		r = sizedRelation{name: n.str("table_name"), rest: 1}
		if cte, ok := s.cte(r.name); ok {
			r.columns, r.rest = append([]sizedColumn{}, cte.columns...), cte.rest
		}
	case "SUBQUERY":
		r = q.sizedQuery(n.child("subquery").child("node"), s)
	case "PIVOT":
		inner := &sight{outer: s, named: map[string]int{}, replaced: map[string]int{}}
		q.sizedFrom(n.child("source"), inner)
		r.rest = max(inner.largest(), q.sizeOf(n["aggregates"], inner))
	default: // VALUES
		for _, row := range n.list("values") {
			var of sizedRelation
			list, _ := row.([]any)
			for _, e := range list {
				of.columns = append(of.columns, sizedColumn{"", q.sizeOf(e, s)})
			}
			r = r.union(of)
		}
		r.rename(n.strings("expected_names"))
	}
	if alias := n.str("alias"); alias != "" {
		r.name = alias
	}
	r.name = Fold(r.name)
	r.rename(n.strings("column_name_alias"))
	r.byName = map[string]int{}
	for _, c := range r.columns {
		r.byName[c.name] = max(r.byName[c.name], c.size)
	}
	s.relations = append(s.relations, r)
}

func (s *sight) cte(name string) (sizedRelation, bool) {
	for ; s != nil; s = s.outer {
		if r, ok := s.ctes[Fold(name)]; ok {
			return r, true
		}
	}
	return sizedRelation{}, false
}

var (
	// buildingFunctions return a type that contains the types of all their arguments.
	buildingFunctions = functionSet("struct_pack row map struct_insert struct_update union_value list_zip array_zip struct_concat")
	// spellingFunctions return a type that one of their arguments spells out.
	spellingFunctions = functionSet("from_json from_json_strict json_transform json_transform_strict regexp_extract")
)

// sizeOf returns the size of the largest expression type in a part of a tree.
func (q *Query) sizeOf(v any, s *sight) int {
	switch v := v.(type) {
	case []any:
		size := 1
		for _, e := range v {
			size = max(size, q.sizeOf(e, s))
		}
		return size
	case map[string]any:
		return q.sizeOfNode(v, s)
	}
	return 1
}

func (q *Query) sizeOfNode(n node, s *sight) int {
	size := 1
	switch n.str("class") {
	case "CONSTANT":
		return 1
	case "COLUMN_REF":
		return s.reference(n.strings("column_names"))
	case "POSITIONAL_REFERENCE":
		return s.largest()
	case "STAR":
		for _, e := range n.list("replace_list") {
			of := q.sizeOf(asNode(e)["value"], s)
			s.replaced[Fold(asNode(e).str("key"))] = of
			size = max(size, of)
		}
		return max(size, s.largest(), q.sizeOf(n["expr"], s))
	case "CAST":
		q.sizeOf(n["child"], s)
		eachNode(n["cast_type"], func(m node) {
			if m.str("id") != "" {
				size = sum(size, 1)
			}
		})
		return size
	case "SUBQUERY":
		q.sizeOf(n["child"], s)
		r := q.sizedQuery(n.child("subquery").child("node"), s)
		return r.largest()
	case "FUNCTION", "WINDOW":
		return q.sizeOfCall(n, s)
	}
	if n.str("type") == "OPERATOR_UNPACK" {
		for i := range s.relations {
			size = sum(size, s.relations[i].total())
		}
	}
	for _, key := range n.keys() {
		size = max(size, q.sizeOf(n[key], s))
	}
	return size
}

func (q *Query) sizeOfCall(n node, s *sight) int {
	name, size, all := callName(n), 1, 1
	var lambdas []node
	for _, e := range n.list("children") {
		if e := asNode(e); e.str("class") == "LAMBDA" {
			lambdas = append(lambdas, e)
			continue
		}
		of := q.sizeOf(e, s)
		size, all = max(size, of), sum(all, of)
	}
	for _, l := range lambdas {
		inner := &sight{outer: s, named: map[string]int{}, replaced: s.replaced}
		eachNode(l["lhs"], func(m node) {
			for _, parameter := range m.strings("column_names") {
				inner.named[Fold(parameter)] = size
			}
		})
		size = max(size, q.sizeOf(l["expr"], inner))
	}
	for _, key := range n.keys() {
		if key != "children" {
			q.sizeOf(n[key], s)
		}
	}
	switch {
	case buildingFunctions[name]:
		return all
	case spellingFunctions[name]:
		eachNode(map[string]any(n), func(m node) {
			text, _ := m["value"].(string)
			size = sum(size, 1+strings.Count(text, ",")+strings.Count(text, ":"))
		})
	}
	return size
}
