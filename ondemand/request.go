package ondemand

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

// Convert returns a request column as one of type want. Training and serving both call it, so that equal values give equal
// results whatever wrote them.
//
// A number converts to another type that holds it exactly: whole doubles to int64, integers to float64. The elements of
// a list convert likewise. NaN becomes null, because pandas writes null as NaN; as an element of a list it stays. -0.0
// becomes 0.0.
//
// The error is ErrInvalid. It names the column and the row, counted from 1, for a value that want does not hold, for text
// that is not UTF-8 or above 64 KiB, for a list above 4,096 elements, and for an instant outside the years 1 to 9999.
//
// The result shares memory with c. It is c itself where nothing changes.
func Convert(c *fstore.Column, want fstore.Type) (*fstore.Column, error) {
	if !c.Whole() {
		return nil, fstore.Errorf(fstore.ErrInvalid, "request column %s does not hold its %d rows", c.Name, c.Len)
	}
	if c.Type != want && (c.Type.IsList() != want.IsList() || !isNumber(c.Type) || !isNumber(want)) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "request column %s is %s, not %s", c.Name, c.Type, want)
	}
	if err := withinBounds(c); err != nil {
		return nil, err
	}
	out := tidy(c)
	if c.Type == want {
		return out, nil
	}
	out, bad := converted(out, want)
	if bad >= 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "request column %s: %s in row %d does not fit %s", c.Name, elementText(c, bad), rowOf(c, bad)+1, want).
			WithHint("send values that %s holds exactly, or declare the column %s", want, c.Type)
	}
	return out, nil
}

func isNumber(t fstore.Type) bool {
	switch t.Elem() {
	case fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64:
		return true
	case fstore.Bool, fstore.String, fstore.Bytes, fstore.Timestamp: // no numbers
	}
	return false
}

// withinBounds checks the sizes and ranges that expressions expect. It allocates nothing.
func withinBounds(c *fstore.Column) error {
	if t := c.Type.Elem(); !c.Type.IsList() && t != fstore.String && t != fstore.Timestamp {
		return nil
	}
	for row := range c.Len {
		if c.IsNull(row) {
			continue
		}
		from, to := elementsOf(c, row)
		if n := to - from; n > vector.MaxList {
			return fstore.Errorf(fstore.ErrInvalid, "request column %s: the list in row %d has %d elements; the limit is %d", c.Name, row+1, n, vector.MaxList)
		}
		for i := from; i < to; i++ {
			if what := outOfBounds(c, i); what != "" {
				return fstore.Errorf(fstore.ErrInvalid, "request column %s: %s in row %d %s", c.Name, elementText(c, i), row+1, what)
			}
		}
	}
	return nil
}

// outOfBounds says what is wrong with an element's text or instant; "" if nothing is.
func outOfBounds(c *fstore.Column, i int) string {
	switch c.Type.Elem() {
	case fstore.String:
		switch s := c.Strings[i]; {
		case len(s) > vector.MaxText:
			return "is longer than 64 KiB"
		case !utf8.ValidString(s):
			return "is not UTF-8"
		}
	case fstore.Timestamp:
		if us := c.Int64s[i]; us < vector.FirstInstant || us > vector.LastInstant {
			return "is outside the years 1 to 9999"
		}
	case fstore.Bool, fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.Bytes: // any value
	}
	return ""
}

// elementsOf returns the positions of a row's values.
func elementsOf(c *fstore.Column, row int) (from, to int) {
	if c.Type.IsList() {
		return int(c.Offsets[row]), int(c.Offsets[row+1])
	}
	return row, row + 1
}

// rowOf returns the row that holds an element; −1 for an element before the first row's.
func rowOf(c *fstore.Column, element int) int {
	if !c.Type.IsList() {
		return element
	}
	next, _ := slices.BinarySearch(c.Offsets, int32(element)+1) // the first row that begins after the element
	return next - 1
}

// valuesOf returns the values of all rows.
func valuesOf[T any](c *fstore.Column, values []T) []T {
	if c.Type.IsList() {
		return values[:c.Offsets[c.Len]]
	}
	return values[:c.Len]
}

// elementText returns an element for a message: as JSON, and cut if it is long.
func elementText(c *fstore.Column, i int) string {
	one := fstore.NewColumn("", c.Type.Elem(), 1)
	one.AppendElements(c, i, i+1)
	one.Len = 1
	const most = 40
	if text := string(one.AppendJSON(nil, 0)); len(text) <= most {
		return text
	}
	if c.Type.Elem() == fstore.String {
		return "a text"
	}
	return "a value"
}

// tidy returns the column with null for NaN and 0.0 for -0.0.
func tidy(c *fstore.Column) *fstore.Column {
	switch t := c.Type.Elem(); {
	case t == fstore.Float32 && slices.ContainsFunc(c.Float32s, untidy[float32](c)):
		out := *c
		out.Float32s = tidied(&out, c.Float32s)
		return &out
	case t == fstore.Float64 && slices.ContainsFunc(c.Float64s, untidy[float64](c)):
		out := *c
		out.Float64s = tidied(&out, c.Float64s)
		return &out
	}
	return c
}

func untidy[T float32 | float64](c *fstore.Column) func(T) bool {
	isList := c.Type.IsList()
	return func(x T) bool { return x != x && !isList || x == 0 && math.Signbit(float64(x)) }
}

func tidied[T float32 | float64](c *fstore.Column, values []T) []T {
	values = slices.Clone(valuesOf(c, values))
	valid := fstore.NewBitmap(c.Len)
	if c.Valid != nil {
		copy(valid, c.Valid)
	}
	for i, x := range values {
		switch {
		case x == x:
			values[i] = x + 0
		case !c.Type.IsList():
			values[i], c.Valid = 0, valid
			valid.Clear(i)
		}
	}
	return values
}

type number interface {
	int32 | int64 | float32 | float64
}

// converted returns the column with numbers of another type, or the position of the first value that the type does not
// hold, else −1.
func converted(c *fstore.Column, to fstore.Type) (out *fstore.Column, bad int) {
	out = &fstore.Column{Name: c.Name, Type: to, Len: c.Len, Valid: c.Valid, Offsets: c.Offsets}
	switch c.Type.Elem() {
	case fstore.Int32:
		bad = convertTo(out, c, c.Int32s)
	case fstore.Int64:
		bad = convertTo(out, c, c.Int64s)
	case fstore.Float32:
		bad = convertTo(out, c, c.Float32s)
	case fstore.Float64:
		bad = convertTo(out, c, c.Float64s)
	case fstore.Bool, fstore.String, fstore.Bytes, fstore.Timestamp: // no numbers
	}
	return out, bad
}

func convertTo[F number](out, c *fstore.Column, values []F) (bad int) {
	values = valuesOf(c, values)
	switch out.Type.Elem() {
	case fstore.Int32:
		out.Int32s, bad = convertEach[F, int32](c, values)
	case fstore.Int64:
		out.Int64s, bad = convertEach[F, int64](c, values)
	case fstore.Float32:
		out.Float32s, bad = convertEach[F, float32](c, values)
	case fstore.Float64:
		out.Float64s, bad = convertEach[F, float64](c, values)
	case fstore.Bool, fstore.String, fstore.Bytes, fstore.Timestamp: // no numbers
	}
	return bad
}

func convertEach[F, T number](c *fstore.Column, values []F) (out []T, bad int) {
	out = make([]T, len(values))
	for i, x := range values {
		if y := T(x); exact(x, y) {
			out[i] = y
		} else if row := rowOf(c, i); row >= 0 && !c.IsNull(row) {
			return nil, i
		}
	}
	return out, -1
}

// exact reports whether y, to which Go converts x, is the same number.
func exact[F, T number](x F, y T) bool {
	switch fx := float64(x); {
	case fx != fx:
		return y != y
	case fx != float64(y):
		return false
	case fx >= -1<<63 && fx < 1<<63:
		return int64(x) == int64(y) // above 2^53 the doubles of different integers may be equal
	}
	return F(1)/2 != 0 && T(1)/2 != 0 // two floats: no integer is so large
}
