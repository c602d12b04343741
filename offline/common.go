package offline

import (
	"fmt"

	"github.com/fstore-dev/fstore/sqltype"
)

// Files of one source may have different types for a column. SQL, which declares no type for it, sees the column in one type:
// the smallest that holds every value of all these types.

// common returns the smallest type that holds every value of the given types; false if there is none. For 64-bit integers
// and floats, whole picks integers: pandas turns integers into floats where one of them is missing, so floats that are all
// whole numbers are read as integers.
func common(types []sqltype.Type, whole bool) (sqltype.Type, bool) {
	out := sqltype.Null
	for _, t := range types {
		if t.Mantissa > 0 && whole {
			t = sqltype.Parse("BIGINT")
		}
		var ok bool
		if out, ok = least(out, t); !ok {
			return sqltype.Null, false
		}
	}
	return out, true
}

// undecided reports whether the common type depends on the values, because there are floats and 64-bit integers.
func undecided(types []sqltype.Type) bool {
	bits, floats := 0, false
	for _, t := range types {
		switch {
		case t.Name == "DECIMAL":
			return false
		case t.Mantissa > 0:
			floats = true
		case t.Bits > 0:
			bits = max(bits, t.ValueBits())
		}
	}
	return floats && bits > 53
}

// least returns the smallest type that holds the values of two types.
func least(a, b sqltype.Type) (sqltype.Type, bool) {
	switch {
	case a.Is(b), b.Is(sqltype.Null):
		return a, true
	case a.Is(sqltype.Null):
		return b, true
	case a.Name == "LIST" && b.Name == "LIST":
		elem, ok := least(*a.Elem, *b.Elem)
		return sqltype.ListOf(elem), ok
	case a.IsNumber() && b.IsNumber():
		return leastNumber(a, b)
	case a.IsTime() && b.IsTime():
		return sqltype.LeastTime(a, b), true
	case a.IsText() && b.IsText():
		return sqltype.Parse("VARCHAR"), true
	}
	return sqltype.Null, false
}

func leastNumber(a, b sqltype.Type) (sqltype.Type, bool) {
	switch {
	case a.Bits > 0 && b.Bits > 0:
		return leastInteger(a, b)
	case a.Mantissa > 0 || b.Mantissa > 0:
		for _, pair := range [][2]sqltype.Type{{a, b}, {b, a}} {
			if i, f := pair[0], pair[1]; i.Bits > 0 && i.ValueBits() <= f.Mantissa {
				return f, true
			}
		}
		return sqltype.Parse("DOUBLE"), true
	}
	whole, scale := max(a.WholeDigits(), b.WholeDigits()), max(a.Scale, b.Scale)
	return sqltype.Decimal(whole+scale, scale), whole+scale <= 38
}

func leastInteger(a, b sqltype.Type) (sqltype.Type, bool) {
	for _, t := range []sqltype.Type{a, b} {
		if a.WithinInteger(t) && b.WithinInteger(t) {
			return t, true
		}
	}
	for _, name := range []string{"SMALLINT", "INTEGER", "BIGINT", "HUGEINT"} {
		if t := sqltype.Parse(name); a.WithinInteger(t) && b.WithinInteger(t) {
			return t, true
		}
	}
	return sqltype.Null, false
}

// widen converts an expression to the common type of several.
func widen(x string, from, to sqltype.Type) conversion {
	y := x + "::" + to.Text
	switch {
	case from.Is(to), from.Is(sqltype.Folder) && to.Name == "VARCHAR":
		return conversion{cast: x}
	case from.Is(sqltype.Null):
		return conversion{cast: "NULL::" + to.Text}
	case from.Name == "LIST":
		c := widen("e", *from.Elem, *to.Elem)
		if c.fits != "" {
			c.fits = fmt.Sprintf("len(list_filter(%s, lambda e: e IS NOT NULL AND (%s) IS NOT TRUE)) = 0", x, c.fits)
		}
		return conversion{fits: c.fits, cast: fmt.Sprintf("list_transform(%s, lambda e: %s)", x, c.cast)}
	case from.Mantissa > 0 && to.Bits > 0:
		return conversion{fits: isWhole(x), cast: y}
	case from.Bits > 0 && to.Mantissa > 0 && from.ValueBits() > to.Mantissa:
		return conversion{fits: fmt.Sprintf("TRY_CAST(%s AS %s) = %s", y, wider(from), x), cast: y}
	case from.Name == "TIMESTAMP WITH TIME ZONE":
		x = "make_timestamp(epoch_us(" + x + "))"
		fallthrough
	case from.IsTime() && to.Name == "TIMESTAMP_NS": // TRY_CAST to this type fails instead of returning null
		return conversion{
			fits: "isfinite(" + x + ") AND epoch_us(" + x + "::TIMESTAMP) BETWEEN -9223372036854775 AND 9223372036854775",
			cast: x + "::" + to.Text,
		}
	case from.IsTime():
		return conversion{fits: "TRY_CAST(" + x + " AS " + to.Text + ") IS NOT NULL", cast: x + "::" + to.Text}
	}
	return conversion{cast: y}
}

// isWhole returns the condition under which a float is an integer that no other integer is rounded to.
func isWhole(x string) string {
	return fmt.Sprintf("%s = trunc(%s) AND abs(%s) < %d", x, x, x, uint64(1)<<53)
}
