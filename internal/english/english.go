// Package english writes numbers and nouns for people.
package english

import (
	"strconv"
	"strings"
)

// Count writes a number with its noun: 1 view, 2 views, 2 entities, 2 keys.
func Count(n int, noun string) string {
	switch stem, ends := strings.CutSuffix(noun, "y"); {
	case n == 1:
		return "1 " + noun
	case ends && !strings.HasSuffix(stem, "e") && !strings.HasSuffix(stem, "a"):
		return Thousands(int64(n)) + " " + stem + "ies"
	}
	return Thousands(int64(n)) + " " + noun + "s"
}

// Thousands writes a number in groups of three digits: 12,345.
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	from := 0
	if n < 0 {
		from = 1
	}
	for i := len(s) - 3; i > from; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
