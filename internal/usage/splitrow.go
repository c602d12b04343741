package usage

import (
	"strings"
)

// SplitRow returns an error if the keys of one row were given with a flag each: -e a=1 -e b=2 is two rows.
func SplitRow(entities []string) error {
	names := make([]string, len(entities))
	for i, text := range entities {
		var ok bool
		if names[i], _, ok = strings.Cut(text, "="); !ok || strings.ContainsAny(text, ",{") {
			return nil // not one key
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
	return Errorf(nil, "--entity is one row with all its keys, and %s and %s have a key each", row[0], row[1]).
		WithHint("for one row write --entity %s", strings.Join(row, ","))
}
