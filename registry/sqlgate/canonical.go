package sqlgate

import "strings"

// canonical returns a parse tree without what cannot change a result: positions, and the case of identifiers, which
// SQL ignores. The engine has already dropped comments, layout and the case of keywords.
func canonical(root node) any {
	return strip(map[string]any(root), namesAreValues(root))
}

// strip copies a tree without positions. Constants, and everything if keepCase is set, keep their case.
func strip(v any, keepCase bool) any {
	switch v := v.(type) {
	case string:
		if keepCase {
			return v
		}
		return Fold(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = strip(e, keepCase)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			switch key {
			case "query_location":
			case "value":
				_, constant := v["is_null"]
				out[key] = strip(e, keepCase || constant)
			default:
				out[key] = strip(e, keepCase)
			}
		}
		return out
	}
	return v
}

// Fold normalizes names that the engine takes for the same: it ignores the case of ASCII letters only.
func Fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// namesAreValues reports whether a query can turn the name of a column into a value, as to_json of a struct does. The
// case of identifiers then matters. A false positive is safe: it only makes a new version.
func namesAreValues(root node) bool {
	tables := map[string]bool{}
	single := map[string]bool{}
	found := false
	eachNode(map[string]any(root), func(n node) {
		if has(n, "sample") && n.str("class") == "" {
			tables[Fold(n.str("alias"))] = true
			tables[Fold(n.str("table_name"))] = true
		}
		switch {
		case n.str("class") == "FUNCTION":
			name := Fold(n.str("function_name"))
			found = found || strings.Contains(name, "json") || strings.HasPrefix(name, "struct_") || strings.HasPrefix(name, "union_") || name == "row" || name == "typeof"
		case n.str("class") == "COLUMN_REF" && len(n.list("column_names")) == 1:
			single[Fold(n.strings("column_names")[0])] = true
		case n.str("class") == "STAR":
			columns, _ := n["columns"].(bool)
			found = found || columns
		case n.str("type") == "PIVOT", n.str("id") == "STRUCT", n.str("id") == "UNION":
			found = true
		}
	})
	for name := range single {
		found = found || tables[name] // a table used as a column is a struct
	}
	return found
}
