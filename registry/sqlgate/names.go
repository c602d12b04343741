package sqlgate

import (
	"slices"
	"strings"
)

// What the names in SQL stand for: relations, columns and functions. Where the engine's binder could take a name for
// something that is not declared, the gate refuses it.

// scope is the CTE names in sight.
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

// recursive returns the names in sight of the second half of a recursive CTE: only there does its own name mean the
// rows so far. In the first half the name means what it means outside: a table, a file or a catalog of the engine.
func (s *scope) recursive(n node) *scope {
	if n.str("type") != "RECURSIVE_CTE_NODE" {
		return s
	}
	return s.with(n.str("cte_name"))
}

// pathCharacters do not occur in names of sources and views. The engine takes a relation it does not know, whose name
// has them, for a file.
const pathCharacters = "./\\:*?[]~"

// relationName refuses a name of a CTE or an alias of a relation that could be taken for a file's.
func (q *Query) relationName(n node, name string) {
	if strings.ContainsAny(name, pathCharacters) {
		q.refuse(n, "letters, digits and _", "%q is a path, not a name for a relation", name)
	}
}

func (q *Query) baseTable(n node, s *scope) {
	name := n.str("table_name")
	switch {
	case n["at_clause"] != nil:
		q.refuse(n, "write only "+name, "AT is not known to sources and views")
	case n.str("catalog_name") != "" || n.str("schema_name") != "":
		q.refuse(n, "sources and views have no schema: write "+name, "%s is in another schema or catalog", qualified(n.str("catalog_name"), n.str("schema_name"), name))
	case s.has(name):
	case strings.ContainsAny(name, pathCharacters):
		q.refuse(n, refusedFunctions["read_parquet"].instead, "'%s' is a file", name)
	default:
		q.Tables = append(q.Tables, Table{name, n.offset()})
	}
}

// qualified joins the parts of a name that are there.
func qualified(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ".")
}

// sessionWords stand for the session, and clockWords for the clock, where no column in sight has the name.
var (
	sessionWords = functionSet("current_user current_role current_catalog current_schema session_user user")
	clockWords   = functionSet("current_date current_time current_timestamp localtime localtimestamp")
)

// column checks the name of a column, with its table if it has one. Only the engine's binder knows whether a bare user
// is a column or the session's user, in quotes or not, so that such a column is named with its table.
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
		q.refuse(n, r.instead+"; a column of that name is read with its table: t."+last, "%s %s", last, r.why)
	}
}

// rowid refuses the column that the engine itself gives any table.
func (q *Query) rowid(n node, name string) {
	if Fold(name) == "rowid" {
		q.refuse(n, "use a column of the source, under another name", "rowid depends on how the files are read")
	}
}

// arguments counts the arguments of a call; in ts.age() the one before the dot is in the place of a schema.
func arguments(n node) int {
	count := len(n.list("children"))
	if isMethod(n) {
		count++
	}
	return count
}

// isMethod reports whether a call is written behind a column, as ts.age() is. The tree has that column in the place of
// a schema, and its table in the place of a catalog. main is the schema that the parser itself gives to what it has a
// syntax of its own for, such as extract(dow from ts).
func isMethod(n node) bool {
	return n.str("schema") != "main" && qualified(n.str("catalog"), n.str("schema")) != ""
}

// catalogs are the names that the engine takes for a schema or a catalog before it looks for such a column.
var catalogs = functionSet("main information_schema pg_catalog system temp memory")

// qualifier checks what stands before the name of a function: nothing, or the column that it is called on.
func (q *Query) qualifier(n node, name string) {
	catalog, schema := n.str("catalog"), n.str("schema")
	if catalog == "" && (schema == "" || schema == "main") {
		return
	}
	if catalogs[Fold(catalog)] || catalogs[Fold(schema)] || strings.ContainsAny(catalog+schema, pathCharacters) {
		q.refuse(n, name+"(…), with the column as its first argument", "%s() names a schema, or a column that is called like one", qualified(catalog, schema, name))
		return
	}
	if catalog == "" {
		q.column(n, schema)
	}
}
