package offline

import (
	"fmt"
	"math"
)

// Files of one source may have a column in several types. What declares no type, which is SQL, sees the column in one:
// the least that holds every value of all of them.

// common returns the least type that holds every value of the given types; false if there is none. Of 64-bit integers and
// floats there are two, of which whole picks one: pandas makes floats of integers where one of them is missing, so floats
// that are all whole numbers are read as integers.
func common(types []engineType, whole bool) (engineType, bool) {
	out := nullType
	for _, t := range types {
		if t.mantissa > 0 && whole {
			t = parseType("BIGINT")
		}
		var ok bool
		if out, ok = least(out, t); !ok {
			return nullType, false
		}
	}
	return out, true
}

// undecided reports whether the values of floats among the types decide what type holds them all: see common.
func undecided(types []engineType) bool {
	bits, floats := 0, false
	for _, t := range types {
		switch {
		case t.name == "DECIMAL":
			return false
		case t.mantissa > 0:
			floats = true
		case t.bits > 0:
			bits = max(bits, t.valueBits())
		}
	}
	return floats && bits > 53
}

// least returns the least type that holds the values of two.
func least(a, b engineType) (engineType, bool) {
	switch {
	case a.is(b), b.is(nullType):
		return a, true
	case a.is(nullType):
		return b, true
	case a.name == "LIST" && b.name == "LIST":
		elem, ok := least(*a.elem, *b.elem)
		return listOf(elem), ok
	case a.isNumber() && b.isNumber():
		return leastNumber(a, b)
	case a.isTime() && b.isTime():
		return leastTime(a, b), true
	case a.isText() && b.isText():
		return parseType("VARCHAR"), true
	}
	return nullType, false
}

func leastNumber(a, b engineType) (engineType, bool) {
	switch {
	case a.bits > 0 && b.bits > 0:
		return leastInteger(a, b)
	case a.mantissa > 0 || b.mantissa > 0:
		for _, pair := range [][2]engineType{{a, b}, {b, a}} {
			if i, f := pair[0], pair[1]; i.bits > 0 && i.valueBits() <= f.mantissa {
				return f, true
			}
		}
		return parseType("DOUBLE"), true
	}
	whole, scale := max(a.wholeDigits(), b.wholeDigits()), max(a.scale, b.scale)
	return decimal(whole+scale, scale), whole+scale <= 38
}

func leastInteger(a, b engineType) (engineType, bool) {
	for _, t := range []engineType{a, b} {
		if a.withinInteger(t) && b.withinInteger(t) {
			return t, true
		}
	}
	for _, name := range []string{"SMALLINT", "INTEGER", "BIGINT", "HUGEINT"} {
		if t := parseType(name); a.withinInteger(t) && b.withinInteger(t) {
			return t, true
		}
	}
	return nullType, false
}

// withinInteger reports whether every value of an integer type is one of another.
func (t engineType) withinInteger(to engineType) bool {
	return t.valueBits() <= to.valueBits() && (t.unsigned || !to.unsigned)
}

// wholeDigits returns how many decimal digits values have before the point.
func (t engineType) wholeDigits() int {
	if t.bits > 0 {
		return int(math.Ceil(float64(t.valueBits()) * math.Log10(2)))
	}
	return t.digits - t.scale
}

func leastTime(a, b engineType) engineType {
	for _, name := range []string{"TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"} {
		if a.name == name || b.name == name {
			return parseType(name)
		}
	}
	return parseType("TIMESTAMP")
}

func (t engineType) isNumber() bool { return t.bits > 0 || t.mantissa > 0 || t.name == "DECIMAL" }

// isText reports whether every value of the type has one text that stands for it.
func (t engineType) isText() bool {
	return t.name == "VARCHAR" || t.name == "ENUM" || t.name == "UUID" || t.is(folderType)
}

// widen converts an expression to a type that holds every value of several: see common.
func widen(x string, from, to engineType) conversion {
	y := x + "::" + to.text
	switch {
	case from.is(to), from.is(folderType) && to.name == "VARCHAR":
		return conversion{cast: x}
	case from.is(nullType):
		return conversion{cast: "NULL::" + to.text}
	case from.name == "LIST":
		c := widen("e", *from.elem, *to.elem)
		if c.fits != "" {
			c.fits = fmt.Sprintf("len(list_filter(%s, lambda e: e IS NOT NULL AND (%s) IS NOT TRUE)) = 0", x, c.fits)
		}
		return conversion{fits: c.fits, cast: fmt.Sprintf("list_transform(%s, lambda e: %s)", x, c.cast)}
	case from.mantissa > 0 && to.bits > 0:
		return conversion{fits: isWhole(x), cast: y}
	case from.bits > 0 && to.mantissa > 0 && from.valueBits() > to.mantissa:
		return conversion{fits: fmt.Sprintf("TRY_CAST(%s AS %s) = %s", y, wider(from), x), cast: y}
	case from.name == "TIMESTAMP WITH TIME ZONE":
		x = "make_timestamp(epoch_us(" + x + "))"
		fallthrough
	case from.isTime() && to.name == "TIMESTAMP_NS": // TRY_CAST to it fails instead of giving a null
		return conversion{
			fits: "isfinite(" + x + ") AND epoch_us(" + x + "::TIMESTAMP) BETWEEN -9223372036854775 AND 9223372036854775",
			cast: x + "::" + to.text,
		}
	case from.isTime():
		return conversion{fits: "TRY_CAST(" + x + " AS " + to.text + ") IS NOT NULL", cast: x + "::" + to.text}
	}
	return conversion{cast: y}
}

// isWhole returns the condition under which a float is an integer that no other integer is rounded to.
func isWhole(x string) string {
	return fmt.Sprintf("%s = trunc(%s) AND abs(%s) < %d", x, x, x, uint64(1)<<53)
}
