package github

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/fstore-dev/fstore/internal/english"
)

// A Limit is how long a page may be.
type Limit struct {
	size    int
	measure func(string) int
	rest    string // where to read the rest
}

// Comment is the limit of a comment, which has 65,536 characters at most. A character outside the basic plane counts as two.
func Comment(rest string) Limit {
	return Limit{65_535, func(s string) int {
		n := 0
		for _, r := range s {
			n += utf16.RuneLen(r)
		}
		return n
	}, rest}
}

// Summary is the limit of the summary of a step: 1 MiB.
func Summary(rest string) Limit {
	return Limit{1 << 20, func(s string) int { return len(s) }, rest}
}

// page is a page of Markdown that can be cut off at the end of any line of its blocks.
type page struct{ blocks []block }

// block is a part of a page. Without at least one of its lines, its beginning and end mean nothing.
type block struct {
	open  string
	lines []string
	end   string
}

func (b *block) text(lines int) string { return b.open + strings.Join(b.lines[:lines], "") + b.end }

// add adds a block that has lines.
func (p *page) add(b block) {
	if len(b.lines) > 0 {
		p.blocks = append(p.blocks, b)
	}
}

// text returns the page. If it is longer than the limit, it returns as many lines from its beginning as fit, and a
// sentence that says so.
func (p *page) text(limit Limit) string {
	total := 0
	var whole strings.Builder
	for _, b := range p.blocks {
		whole.WriteString(b.text(len(b.lines)))
		total += len(b.lines)
	}
	if limit.measure(whole.String()) <= limit.size {
		return whole.String()
	}
	cut := func(left int) string {
		return fmt.Sprintf("\n**Cut off here: %s of %s are left out.** %s\n", english.Thousands(int64(left)), english.Count(total, "line"), limit.rest)
	}
	room, left := limit.size-limit.measure(cut(total)), total
	var out strings.Builder
	for _, b := range p.blocks {
		n := b.fitting(room, limit.measure)
		if n > 0 {
			text := b.text(n)
			out.WriteString(text)
			room, left = room-limit.measure(text), left-n
		}
		if n < len(b.lines) {
			break
		}
	}
	return out.String() + cut(left)
}

// fitting returns how many lines of a block fit.
func (b *block) fitting(room int, measure func(string) int) int {
	room -= measure(b.open) + measure(b.end)
	for i, line := range b.lines {
		if room -= measure(line); room < 0 {
			return i
		}
	}
	return len(b.lines)
}
