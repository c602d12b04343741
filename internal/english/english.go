// Package english writes numbers and nouns for people.
package english

import (
	"fmt"
	"strconv"
	"strings"
	"time"
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

// Percent writes a share with three digits: 33.3%. A share that is neither nothing nor everything is never written like these.
func Percent(share float64) string {
	switch x := 100 * share; {
	case x > 0 && x < 0.001:
		return "<0.001%"
	case x > 99.9 && x < 100:
		return ">99.9%"
	default:
		return strconv.FormatFloat(x, 'g', 3, 64) + "%"
	}
}

// Span writes a length of time in its two largest units of days, hours, minutes and seconds, rounded down: 13d4h, 5m, 12s. Shorter
// than a second is 0s, and so is a negative one.
func Span(d time.Duration) string {
	units := []struct {
		name string
		d    time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		n := d / u.d
		if n <= 0 {
			continue
		}
		text := fmt.Sprintf("%d%s", n, u.name)
		if i+1 < len(units) {
			if rest := (d - n*u.d) / units[i+1].d; rest > 0 {
				text += fmt.Sprintf("%d%s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0s"
}
