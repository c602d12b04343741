package vector

import (
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// FloatFromInt converts int64 to the nearest float64.
func FloatFromInt(c *Call) {
	a, out := c.Args[0].Ints[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		out[i] = float64(a[i])
	}
}

// IntFromFloat converts float64 to int64 and drops the fraction.
func IntFromFloat(c *Call) {
	a, out := c.Args[0].Floats[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if x := a[i]; x >= -1<<63 && x < 1<<63 { // false for NaN
			out[i] = int64(x)
		} else {
			out[i] = 0
			c.Fail(i, Conversion)
		}
	}
}

// IntFromText reads a decimal integer.
func IntFromText(c *Call) {
	a, out := c.Args[0].Texts[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = 0; c.Skip(i) {
			continue
		}
		x, err := strconv.ParseInt(a[i], 10, 64)
		if err != nil || strings.HasPrefix(a[i], "+") {
			c.Fail(i, Conversion)
		}
		out[i] = x
	}
}

// FloatFromText reads a decimal number, Infinity or NaN.
func FloatFromText(c *Call) {
	a, out := c.Args[0].Texts[:c.N], c.Out.FloatsFor(c.N)
	for i := range out {
		if out[i] = 0; c.Skip(i) {
			continue
		}
		x, ok := parseFloat(a[i])
		if !ok {
			c.Fail(i, Conversion)
		}
		out[i] = x
	}
}

// parseFloat reads a number as JSON writes it, and the three names that fstore uses.
func parseFloat(s string) (float64, bool) {
	switch s {
	case "NaN", "Infinity", "-Infinity":
	default:
		if s == "" || strings.Trim(s, "0123456789.eE+-") != "" || s[0] == '+' {
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil
}

// BoolFromText reads true or false.
func BoolFromText(c *Call) {
	a, out := c.Args[0].Texts[:c.N], c.Out.BoolsFor(c.N)
	for i := range out {
		if out[i] = a[i] == "true"; !out[i] && a[i] != "false" {
			c.Fail(i, Conversion)
		}
	}
}

// InstantFromText reads an instant as ParseTime does.
func InstantFromText(c *Call) {
	a, out := c.Args[0].Texts[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = 0; c.Skip(i) {
			continue
		}
		if len(a[i]) > longestInstant { // of a long text the parser's errors take long
			c.Fail(i, Conversion)
			continue
		}
		t, err := fstore.ParseTime(a[i])
		if err != nil {
			c.Fail(i, Conversion)
			continue
		}
		out[i] = c.instant(i, fstore.Micros(t))
	}
}

// longestInstant is above the length of any text that is an instant.
const longestInstant = 100

// The first and the last instant that an expression may compute, in microseconds: the years 1 to 9999.
const (
	FirstInstant = -62135596800 * second
	LastInstant  = 253402300800*second - 1

	second = 1_000_000 // microseconds
)

// instant returns an instant that row i has computed. The row fails if the instant is out of range.
func (c *Call) instant(i int, us int64) int64 {
	if us < FirstInstant || us > LastInstant {
		c.Fail(i, InstantRange)
		return 0
	}
	return us
}

// InstantFromInt converts seconds since the Unix epoch.
func InstantFromInt(c *Call) {
	a, out := c.Args[0].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		if out[i] = 0; a[i] < FirstInstant/second || a[i] > LastInstant/second {
			c.Fail(i, InstantRange)
			continue
		}
		out[i] = a[i] * second
	}
}

// IntFromInstant returns the whole seconds since the Unix epoch, rounded down.
func IntFromInstant(c *Call) {
	a, out := c.Args[0].Ints[:c.N], c.Out.IntsFor(c.N)
	for i := range out {
		out[i] = floorDiv(a[i], second)
	}
}

// floorDiv divides and rounds down. b is positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// TextFrom returns a kernel that writes values as fstore writes them in JSON, without quotes.
func TextFrom(write func(dst []byte, x *Vector, i int) []byte) Kernel {
	return func(c *Call) {
		var buf []byte
		out := c.Out.TextsFor(c.N)
		for i := range out {
			if out[i] = ""; c.Skip(i) {
				continue
			}
			buf = write(buf[:0], c.Args[0], i)
			out[i] = string(buf)
		}
	}
}

// WriteInt writes row i in decimal. The functions below do the same for their types.
func WriteInt(dst []byte, x *Vector, i int) []byte { return strconv.AppendInt(dst, x.Ints[i], 10) }

// WriteBool writes true or false.
func WriteBool(dst []byte, x *Vector, i int) []byte { return strconv.AppendBool(dst, x.Bools[i]) }

// WriteFloat writes the shortest decimal number that reads back as the same float64.
func WriteFloat(dst []byte, x *Vector, i int) []byte {
	c := fstore.Column{Type: fstore.Float64, Len: 1, Float64s: x.Floats[i : i+1]}
	return trimQuotes(dst, c.AppendJSON(dst, 0))
}

// WriteInstant writes an instant in RFC 3339 with microseconds where they are not zero.
func WriteInstant(dst []byte, x *Vector, i int) []byte {
	c := fstore.Column{Type: fstore.Timestamp, Len: 1, Int64s: x.Ints[i : i+1]}
	return trimQuotes(dst, c.AppendJSON(dst, 0))
}

// trimQuotes returns what was appended to dst without its quotes.
func trimQuotes(dst, appended []byte) []byte {
	text := appended[len(dst):]
	if len(text) < 2 || text[0] != '"' {
		return appended
	}
	return append(dst, text[1:len(text)-1]...)
}
