package usage

import (
	"strings"
)

// SplitRow returns an error if the keys of one row were given in separate flags: -e a=1 -e b=2 are two rows.
func SplitRow(entities []string) error {
	names := make([]string, len(entities))
	for i, text := range entities {
		var ok bool
		if names[i], _, ok = strings.Cut(text, "="); !ok || strings.ContainsAny(text, ",{") {
			return nil // not a key=value pair
		}
		names[i] = strings.TrimSpace(names[i])
	}
	var row []string // the first value of each key
	seen := map[string]bool{}
	for i, name := range names {
		if !seen[name] {
			row = append(row, entities[i])
		}
		seen[name] = true
	}
	if len(row) < 2 {
		return nil
	}
	return Errorf(nil, "each --entity is one row with all its keys, but %s and %s have one key each", row[0], row[1]).
		WithHint("for one row write --entity %s", strings.Join(row, ","))
}
