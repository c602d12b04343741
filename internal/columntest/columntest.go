// Package columntest generates random columns for property tests.
package columntest

import (
	"fmt"
	"math"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
)

// Types returns all types.
func Types() (out []fstore.Type) {
	for _, t := range fstore.Scalars() {
		out = append(out, t, fstore.List(t))
	}
	return out
}

// Draw draws a column of a type, with nulls.
func Draw(t *rapid.T, typ fstore.Type, rows int) fstore.Column {
	c := fstore.NewColumn("c", typ, rows)
	for range rows {
		switch {
		case rapid.IntRange(0, 4).Draw(t, "null") == 0:
			c.AppendNull()
		case typ.IsList():
			appendDrawn(t, &c, rapid.IntRange(0, 3).Draw(t, "length"))
		default:
			appendDrawn(t, &c, 1)
		}
	}
	return c
}

func appendDrawn(t *rapid.T, c *fstore.Column, n int) {
	switch c.Type.Elem() {
	case fstore.Bool:
		appendTo(t, c, rapid.Bool(), n)
	case fstore.Int32:
		appendTo(t, c, rapid.Int32(), n)
	case fstore.Int64, fstore.Timestamp:
		appendTo(t, c, rapid.Int64(), n)
	case fstore.Float32:
		appendTo(t, c, rapid.OneOf(rapid.Float32(), rapid.Just(float32(math.NaN())), rapid.Just(float32(math.Inf(-1)))), n)
	case fstore.Float64:
		appendTo(t, c, rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1))), n)
	case fstore.String:
		appendTo(t, c, rapid.String(), n)
	case fstore.Bytes:
		appendTo(t, c, rapid.SliceOf(rapid.Byte()), n)
	}
}

func appendTo[T any](t *rapid.T, c *fstore.Column, g *rapid.Generator[T], n int) {
	values := rapid.SliceOfN(g, n, n).Draw(t, "values")
	if c.Type.IsList() {
		c.Append(values)
	} else {
		c.Append(values[0])
	}
}

// Rows returns a column's rows as text for comparison: NaN equals itself, and empty bytes equal no bytes.
func Rows(c *fstore.Column) []string {
	out := make([]string, c.Len)
	for i := range out {
		out[i] = fmt.Sprintf("%v %q", c.IsNull(i), c.AppendJSON(nil, i))
	}
	return out
}
