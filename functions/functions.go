// Package functions lists the functions that users' SQL may call. The check of a query's text and the check of its plan
// both read the list (docs/design/sql-gate.md).
package functions

import (
	_ "embed" // the list
	"strings"
)

//go:embed functions.txt
var text string

var allowed = parse(text)

func parse(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, name := range strings.Fields(line) {
			set[name] = true
		}
	}
	return set
}

// Allowed reports whether users' SQL may call a function, by its name in lower case.
func Allowed(name string) bool { return allowed[name] }

// Names returns the list, operators included, in no order.
func Names() []string {
	var names []string
	for name := range allowed {
		names = append(names, name)
	}
	return names
}
