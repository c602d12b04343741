package sqlgate

import (
	"fmt"

	"github.com/fstore-dev/fstore"
)

// DuckDB's parser and binder cannot be interrupted. Some constructs take time that grows with the square of their
// number, or doubles with each level. The bounds below limit SQL of any length to about a second.
// docs/design/sql-gate.md lists the measurements. Bounds on the text are checked before DuckDB sees it, bounds on the
// tree before DuckDB binds it.
const (
	maxSigns      = 200_000 // except names, strings, numbers and comments
	maxNesting    = 64      // of brackets
	maxConditions = 5_000   // AND and OR: the parser flattens chains of them in quadratic time
	maxSetWords   = 2_000   // UNION, INTERSECT and EXCEPT
	maxGroups     = 4_000   // commas in GROUP BY: the parser compares each expression with all others

	maxLambdas   = 5      // nested: each level binds the next twice
	maxColumns   = 10_000 // of one SELECT or row of VALUES: the binder makes names unique in quadratic time
	maxExpansion = 20_000 // parts after aliases are expanded: each reference to an alias copies its expression
	maxStars     = 256    // by which stars multiply the columns, as two stars in each of eight nested queries do
)

// checkBounds returns an *fstore.SQLError if SQL text exceeds a bound.
func checkBounds(text string) error {
	b := textBounds{}
	scan(text, b.next)
	if b.beyond != nil {
		return b.beyond
	}
	return nil
}

type textBounds struct {
	beyond *fstore.SQLError

	signs, conditions, sets, groups int
	grouping                        []bool // for each open bracket: whether a GROUP BY continues
	last                            string
}

func (b *textBounds) exceed(w word, format string, args ...any) {
	if b.beyond == nil {
		b.beyond = &fstore.SQLError{Message: fmt.Sprintf(format, args...), Offset: w.offset}
	}
}

// clauseWords are the keywords that end a GROUP BY.
var clauseWords = functionSet("having window qualify order limit offset union intersect except select from where")

func (b *textBounds) next(w word) {
	if len(b.grouping) == 0 {
		b.grouping = []bool{false}
	}
	top := len(b.grouping) - 1
	name := Fold(w.text)
	b.signs++
	switch {
	case name == "(" || name == "[" || name == "{":
		b.grouping = append(b.grouping, b.grouping[top])
	case (name == ")" || name == "]" || name == "}") && top > 0:
		b.grouping = b.grouping[:top]
	case name == "and" || name == "or":
		b.conditions++
	case name == "union" || name == "intersect" || name == "except":
		b.sets++
	case name == "," && b.grouping[top]:
		b.groups++
	case name == "by" && b.last == "group":
		b.grouping[top] = true
	}
	if clauseWords[name] {
		b.grouping[len(b.grouping)-1] = false
	}
	b.last = name
	switch {
	case b.signs > maxSigns:
		b.exceed(w, "the SQL has more than %d words and symbols: read long lists from a source and join it", maxSigns)
	case len(b.grouping)-1 > maxNesting:
		b.exceed(w, "nested too deep: more than %d nested brackets", maxNesting)
	case b.conditions > maxConditions:
		b.exceed(w, "the SQL has more than %d ANDs and ORs: write x IN (…), or join a source", maxConditions)
	case b.sets > maxSetWords:
		b.exceed(w, "the SQL has more than %d UNIONs, INTERSECTs and EXCEPTs: read the parts from one source", maxSetWords)
	case b.groups > maxGroups:
		b.exceed(w, "the SQL groups by more than %d expressions: GROUP BY ALL groups by every column without an aggregate", maxGroups)
	}
}

// bounds refuses a tree that DuckDB's binder would take too long for, and reports whether it did.
func (q *Query) bounds(root node) bool {
	before := len(q.Refused)
	q.lambdas(map[string]any(root), 0)
	eachNode(map[string]any(root), func(n node) {
		switch n.str("type") {
		case "SELECT_NODE":
			q.columnCount(n, n.list("select_list"))
			q.expansion(n)
		case "EXPRESSION_LIST":
			for _, row := range n.list("values") {
				columns, _ := row.([]any)
				q.columnCount(n, columns)
			}
		}
	})
	if stars(map[string]any(root)) > maxStars {
		q.refuse(root, "name the columns", "its stars multiply the columns by more than %d", maxStars)
	}
	if len(q.Refused) == before {
		q.typeSizes(root)
	}
	return len(q.Refused) > before
}

func (q *Query) columnCount(n node, columns []any) {
	if len(columns) > maxColumns {
		q.refuse(n, "split it into several views", "a SELECT of more than %d columns", maxColumns)
	}
}

// lambdas refuses lambdas nested beyond the bound.
func (q *Query) lambdas(v any, depth int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			q.lambdas(e, depth)
		}
	case map[string]any:
		n := node(v)
		if n.str("class") == "LAMBDA" {
			if depth++; depth > maxLambdas {
				if depth == maxLambdas+1 {
					q.refuse(n, "name a part of it: WITH name AS (…)", "more than %d nested lambdas", maxLambdas)
				}
				return
			}
		}
		for _, key := range n.keys() {
			q.lambdas(n[key], depth)
		}
	}
}

// expansion refuses a SELECT whose aliases expand to too much: in SELECT x + x AS y, y + y AS z, each alias doubles
// the size.
func (q *Query) expansion(n node) {
	size, total := map[string]int{}, 0
	expanded := func(e any) (parts, copied int) {
		eachNode(e, func(m node) {
			parts++
			if names := m.strings("column_names"); len(names) == 1 {
				copied = min(copied+size[Fold(names[0])], 2*maxExpansion)
			}
		})
		return parts, copied
	}
	for _, e := range n.list("select_list") {
		parts, copied := expanded(e)
		total = min(total+copied, 2*maxExpansion)
		if alias := asNode(e).str("alias"); alias != "" {
			size[Fold(alias)] = parts + copied
		}
	}
	for _, key := range []string{"where_clause", "group_expressions", "having", "qualify", "modifiers"} {
		_, copied := expanded(n[key])
		total = min(total+copied, 2*maxExpansion)
	}
	if total > maxExpansion {
		q.refuse(n, "name a part of it: WITH name AS (…)", "its aliases stand for more than %d parts: each use of one repeats its expression", maxExpansion)
	}
}

// stars returns an upper bound of the factor by which stars multiply the columns. SELECT *, * doubles them, and so
// does a query that reads its result that way. CTEs count as if each read the previous one.
func stars(v any) int {
	growth := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			growth = max(growth, stars(e))
		}
	case map[string]any:
		n := node(v)
		for _, key := range n.keys() {
			if key != "cte_map" {
				growth = max(growth, stars(n[key]))
			}
		}
		for _, e := range n.child("cte_map").list("map") {
			growth = min(growth*stars(e), maxStars+1)
		}
		own := 0
		for _, e := range n.list("select_list") {
			eachNode(e, func(m node) {
				if m.str("class") == "STAR" {
					own++
				}
			})
		}
		growth = min(growth*max(own, 1), maxStars+1)
	}
	return growth
}
