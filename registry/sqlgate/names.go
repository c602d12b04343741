package sqlgate

import (
	"slices"
	"strings"
)

// This file resolves the names in SQL: relations, columns and functions. The gate refuses names that the engine's
// binder could resolve to something undeclared.

// scope lists the CTE names in scope.
type scope struct {
	name  string // lower case
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.name == Fold(name) {
			return true
		}
	}
	return false
}

func (s *scope) with(name string) *scope { return &scope{Fold(name), s} }

// recursive returns the scope of the second half of a recursive CTE. Only there does its own name mean the rows so
// far. In the first half the name means what it means outside: a table, a file or a catalog of the engine.
func (s *scope) recursive(n node) *scope {
	if n.str("type") != "RECURSIVE_CTE_NODE" {
		return s
	}
	return s.with(n.str("cte_name"))
}

// pathCharacters do not occur in names of sources and views. The engine takes an unknown relation for a file if its
// name has one of them.
const pathCharacters = "./\\:*?[]~"

// relationName refuses a CTE or an alias whose name could be taken for a file's.
func (q *Query) relationName(n node, name string) {
	if strings.ContainsAny(name, pathCharacters) {
		q.refuse(n, "letters, digits and _", "%q is a path, not a name for a relation", name)
	}
}

func (q *Query) baseTable(n node, s *scope) {
	name := n.str("table_name")
	switch {
	case n["at_clause"] != nil:
		q.refuse(n, "write only "+name, "sources and views do not support AT")
	case n.str("catalog_name") != "" || n.str("schema_name") != "":
		q.refuse(n, "sources and views have no schema: write "+name, "%s is in another schema or catalog", qualified(n.str("catalog_name"), n.str("schema_name"), name))
	case s.has(name):
	case strings.ContainsAny(name, pathCharacters):
		q.refuse(n, refusedFunctions["read_parquet"].instead, "'%s' is a file", name)
	default:
		q.Tables = append(q.Tables, Table{name, n.offset()})
	}
}

// qualified joins the parts of a name that are not empty.
func qualified(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ".")
}

// The engine takes sessionWords for the session, and clockWords for the clock, if no column in scope has the name.
var (
	sessionWords = functionSet("current_user current_role current_catalog current_schema session_user user")
	clockWords   = functionSet("current_date current_time current_timestamp localtime localtimestamp")
)

// column checks the name of a column, with its table if it has one. Only the engine's binder knows whether a bare
// user, quoted or not, is a column or the session's user. So a column with such a name must be qualified by its
// table.
func (q *Query) column(n node, names ...string) {
	if len(names) == 0 {
		return
	}
	last := Fold(names[len(names)-1])
	q.rowid(n, last)
	switch {
	case len(names) > 1:
	case clockWords[last]:
		r := refusedFunctions["now"]
		q.refuse(n, r.instead, "%s %s", last, r.why)
	case sessionWords[last]:
		r := refusedFunctions["current_user"]
		q.refuse(n, r.instead+"; to read a column of that name, qualify it: t."+last, "%s %s", last, r.why)
	}
}

// rowid refuses the column that the engine adds to every table.
func (q *Query) rowid(n node, name string) {
	if Fold(name) == "rowid" {
		q.refuse(n, "use a column of the source, under another name", "rowid depends on how the files are read")
	}
}

// arguments counts the arguments of a call. In ts.age(), ts is one, although the tree has it as a schema.
func arguments(n node) int {
	count := len(n.list("children"))
	if isMethod(n) {
		count++
	}
	return count
}

// isMethod reports whether a call follows a column, as in ts.age(). The tree has that column as the schema, and its
// table as the catalog. The parser itself sets the schema main for calls with a syntax of their own, such as
// extract(dow from ts).
func isMethod(n node) bool {
	return n.str("schema") != "main" && qualified(n.str("catalog"), n.str("schema")) != ""
}

// catalogs are the names that the engine takes for a schema or a catalog before it looks for a column.
var catalogs = functionSet("main information_schema pg_catalog system temp memory")

// qualifier checks the qualifier of a function: none, or the column that it is called on.
func (q *Query) qualifier(n node, name string) {
	catalog, schema := n.str("catalog"), n.str("schema")
	if catalog == "" && (schema == "" || schema == "main") {
		return
	}
	if catalogs[Fold(catalog)] || catalogs[Fold(schema)] || strings.ContainsAny(catalog+schema, pathCharacters) {
		q.refuse(n, name+"(…), with the column as its first argument", "%s() names a schema, or a column with the name of one", qualified(catalog, schema, name))
		return
	}
	if catalog == "" {
		q.column(n, schema)
	}
}
