package vector

import (
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// text returns a text that row i has computed. The row fails if the text is too long.
func (c *Call) text(i int, s string) string {
	if len(s) > MaxText {
		c.Fail(i, TextTooLong)
		return ""
	}
	return s
}

// MapText returns a kernel that makes a text from a text.
func MapText(f func(string) string) Kernel {
	return func(c *Call) {
		a, out := c.Args[0].Texts[:c.N], c.Out.TextsFor(c.N)
		for i := range out {
			if out[i] = ""; !c.Skip(i) {
				out[i] = c.text(i, f(a[i]))
			}
		}
	}
}

// Length counts code points.
func Length(c *Call) {
	a, out := c.Args[0].Texts[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = int64(utf8.RuneCountInString(a[i]))
	}
}

// LengthOfBytes counts bytes.
func LengthOfBytes(c *Call) {
	a, out := c.Args[0].Bytes[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = int64(len(a[i]))
	}
}

// Concat joins two texts.
func Concat(c *Call) {
	a, b, out := c.Args[0].Texts[:c.N], c.Args[1].Texts[:c.N], c.Out.TextsFor(c.N)
	for i := range out {
		switch out[i] = ""; {
		case c.Skip(i):
		case len(a[i])+len(b[i]) > MaxText:
			c.Fail(i, TextTooLong)
		default:
			out[i] = a[i] + b[i]
		}
	}
}

// Substring returns the code points from the second operand to before the third, or to the end if there is none. Both
// count from 0; what is outside the text is cut off.
func Substring(c *Call) {
	a, from, out := c.Args[0].Texts[:c.N], c.Args[1].Ints[:c.N], c.Out.TextsFor(c.N)
	for i := range out {
		if out[i] = ""; c.Skip(i) {
			continue
		}
		s := a[i]
		start, end := bytesOf(s, from[i]), len(s)
		if len(c.Args) == 3 {
			end = bytesOf(s, c.Args[2].Ints[i])
		}
		if start < end {
			out[i] = s[start:end]
		}
	}
}

// bytesOf returns how many bytes the first n code points of a text have.
func bytesOf(s string, n int64) int {
	if n >= int64(len(s)) {
		return len(s)
	}
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, width := utf8.DecodeRuneInString(s[at:])
		at += width
	}
	return at
}

// TestTexts returns a kernel that tests two texts.
func TestTexts(test func(s, part string) bool) Kernel {
	return func(c *Call) {
		a, b, out := c.Args[0].Texts[:c.N], c.Args[1].Texts[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = !c.Skip(i) && test(a[i], b[i])
		}
	}
}

// Replace replaces every second operand in the first by the third. An empty second operand replaces nothing.
func Replace(c *Call) {
	a, olds, news, out := c.Args[0].Texts[:c.N], c.Args[1].Texts[:c.N], c.Args[2].Texts[:c.N], c.Out.TextsFor(c.N)
	for i := range out {
		out[i] = ""
		if c.Skip(i) {
			continue
		}
		s, old, text := a[i], olds[i], news[i]
		if old == "" {
			out[i] = s
			continue
		}
		n := strings.Count(s, old)
		if len(s)+n*(len(text)-len(old)) > MaxText {
			c.Fail(i, TextTooLong)
			continue
		}
		out[i] = strings.Replace(s, old, text, n)
	}
}

// Split returns the texts between the separators. An empty separator splits into code points.
func Split(c *Call) {
	a, separators := c.Args[0].Texts[:c.N], c.Args[1].Texts[:c.N]
	offsets := c.Out.OffsetsFor(c.N)
	texts := c.Out.Texts[:0]
	for i := range a {
		if !c.Skip(i) {
			texts = c.split(texts, i, a[i], separators[i])
		}
		offsets[i+1] = int32(len(texts))
	}
	c.Out.Texts = texts
}

func (c *Call) split(out []string, i int, s, separator string) []string {
	n := strings.Count(s, separator) // for an empty separator, one more than there are code points
	if separator == "" {
		n -= 2
	}
	if n >= MaxList {
		c.Fail(i, ListTooLong)
		return out
	}
	for ; n > 0; n-- {
		at := len(separator)
		if separator == "" {
			_, width := utf8.DecodeRuneInString(s)
			out, s = append(out, s[:width]), s[width:]
			continue
		}
		end := strings.Index(s, separator)
		out, s = append(out, s[:end]), s[end+at:]
	}
	if separator == "" && s == "" {
		return out
	}
	return append(out, s)
}

// Matches returns a kernel that tests whether a pattern matches anywhere in a text.
func Matches(pattern *regexp.Regexp) Kernel {
	return func(c *Call) {
		a, out := c.Args[0].Texts[:c.N], c.Out.BoolsFor(c.N)
		for i := range out {
			out[i] = !c.Skip(i) && pattern.MatchString(a[i])
		}
	}
}

// HashText returns xxHash64 of a text's UTF-8 with the seed 0.
func HashText(c *Call) {
	a, out := c.Args[0].Texts[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = int64(xxhash.Sum64String(a[i]))
	}
}

// HashBytes returns xxHash64 of bytes with the seed 0.
func HashBytes(c *Call) {
	a, out := c.Args[0].Bytes[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = int64(xxhash.Sum64(a[i]))
	}
}

// HashInt returns xxHash64 of an integer's 8 bytes, the lowest first, with the seed 0.
func HashInt(c *Call) {
	var b [8]byte
	a, out := c.Args[0].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		binary.LittleEndian.PutUint64(b[:], uint64(a[i]))
		out[i] = int64(xxhash.Sum64(b[:]))
	}
}

// Bucket returns the first operand, read as an unsigned integer, modulo the second.
func Bucket(c *Call) {
	a, n, out := c.Args[0].Ints[:c.N], c.Args[1].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = 0; n[i] <= 0 {
			c.Fail(i, Argument)
			continue
		}
		out[i] = int64(uint64(a[i]) % uint64(n[i]))
	}
}
