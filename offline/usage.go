package offline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// usage says which columns of its inputs a query may use. It never leaves out a column: every name in the query counts, and
// anything that may stand for all columns counts as all.
type usage struct {
	names map[string]int  // in lower case, each with an offset into the SQL; -1: not known
	exact map[string]bool // the names as they are written
	all   bool            // such as select *
	star  int             // the offset of what stands for all columns
}

// usageOf returns what queries use.
func (s *session) usageOf(ctx context.Context, queries ...string) (*usage, error) {
	u := &usage{names: map[string]int{}, exact: map[string]bool{}, star: -1}
	for _, sql := range queries {
		b, err := s.query(ctx, "SELECT json_serialize_sql("+text(sql)+"::VARCHAR)::VARCHAR")
		if err != nil {
			return nil, err
		}
		var tree any
		if err := json.Unmarshal([]byte(infinite.ReplaceAllString(b.Columns[0].Strings[0], `"value":"$1"`)), &tree); err != nil {
			return nil, fmt.Errorf("read the tree of a statement: %w", err)
		}
		relations := map[string]bool{}
		u.walk(tree, -1, relations)
		u.walkRows(tree, relations)
	}
	return u, nil
}

// walk collects all names in a tree, and the names of relations.
func (u *usage) walk(tree any, at int, relations map[string]bool) {
	switch n := tree.(type) {
	case string:
		u.exact[n] = true
		name := strings.ToLower(n)
		if _, ok := u.names[name]; !ok || u.names[name] < 0 {
			u.names[name] = at
		}
	case []any:
		for _, e := range n {
			u.walk(e, at, relations)
		}
	case map[string]any:
		if place, ok := n["query_location"].(float64); ok && place < 1<<32 {
			at = int(place)
		}
		if standsForAll(n) && !u.all {
			u.all, u.star = true, at
		}
		if _, isRelation := n["sample"]; isRelation {
			for _, key := range []string{"alias", "table_name"} {
				if name, _ := n[key].(string); name != "" {
					relations[strings.ToLower(name)] = true
				}
			}
		}
		for _, e := range n {
			u.walk(e, at, relations)
		}
	}
}

// standsForAll reports whether a node may read columns that it does not name: a star, the position of a column instead of
// its name, a natural join, new names for all columns, and PIVOT, which groups by all other columns.
func standsForAll(n map[string]any) bool {
	if class, _ := n["class"].(string); class == "STAR" || class == "POSITIONAL_REFERENCE" {
		return true
	}
	if kind, _ := n["type"].(string); kind == "PIVOT" || kind == "SHOW_REF" {
		return true
	}
	if join, _ := n["ref_type"].(string); join == "NATURAL" {
		return true
	}
	names, _ := n["column_name_alias"].([]any)
	return len(names) > 0
}

// walkRows finds columns that are named like a relation: such a column is the whole row.
func (u *usage) walkRows(tree any, relations map[string]bool) {
	switch n := tree.(type) {
	case []any:
		for _, e := range n {
			u.walkRows(e, relations)
		}
	case map[string]any:
		if names, ok := n["column_names"].([]any); ok && len(names) > 0 {
			if last, _ := names[len(names)-1].(string); relations[strings.ToLower(last)] && !u.all {
				u.all = true
				if place, ok := n["query_location"].(float64); ok {
					u.star = int(place)
				}
			}
		}
		for _, e := range n {
			u.walkRows(e, relations)
		}
	}
}

// uses reports whether a column of that name may be used.
func (u *usage) uses(name string) bool {
	_, ok := u.names[strings.ToLower(name)]
	return ok || u.all
}

// place returns where a column is used, as an offset into the SQL; -1 if that is not known.
func (u *usage) place(name string) int {
	if at, ok := u.names[strings.ToLower(name)]; ok {
		return at
	}
	return u.star
}

// exactFirst returns columns with exact matches of the query's names first. So an error about columns that differ only in
// case is about the column that the query names.
func exactFirst[C any](u *usage, columns []C, name func(C) string) []C {
	rank := func(c C) int {
		if u.exact[name(c)] {
			return 0
		}
		return 1
	}
	return slices.SortedStableFunc(slices.Values(columns), func(a, b C) int { return rank(a) - rank(b) })
}

// columns returns the columns of a source that a query uses.
func (u *usage) columns(src *source) ([]*sourceColumn, error) {
	for _, c := range exactFirst(u, src.columns, func(c *sourceColumn) string { return c.name }) {
		if u.uses(c.name) && c.unreadable != nil {
			return nil, fmt.Errorf("source %s: %w", src.def.Name, c.unreadable)
		}
	}
	used, err := src.selected(func(c *sourceColumn) bool { return u.uses(c.name) })
	if err != nil {
		return nil, err
	}
	for i, c := range used {
		if j := slices.IndexFunc(used[:i], func(o *sourceColumn) bool { return strings.EqualFold(o.name, c.name) }); j >= 0 {
			two := exactFirst(u, []string{used[j].name, c.name}, strings.Clone)
			return nil, fmt.Errorf("source %s: %w", src.def.Name, twoColumns(two[0], two[1]))
		}
	}
	return used, nil
}
