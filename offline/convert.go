package offline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// misfit begins the message of a value that cannot be converted.
const misfit = "a value does not fit: "

// conversion is how an expression of an engine's type is converted to a declared type.
type conversion struct {
	fits string // a condition on values that are not null; empty: every value fits
	cast string // the converted value, where it fits
}

// convert returns the conversion of an expression. from must convert to the type (sqltype.Type.Converts).
func convert(x string, from sqltype.Type, to fstore.Type) conversion {
	switch {
	case from.Is(sqltype.Null):
		return conversion{cast: "NULL::" + sqltype.Of(to)}
	case from.Is(sqltype.Folder):
		return fromFolder(x, to)
	}
	switch to {
	case fstore.Int32, fstore.Int64:
		return toInteger(x, from, to)
	case fstore.Float32, fstore.Float64:
		return toFloat(x, from, to)
	case fstore.Timestamp:
		return toTimestamp(x, from)
	case fstore.Bool, fstore.String, fstore.Bytes: // are cast, below
	}
	if from.Name == sqltype.Of(to) {
		return conversion{cast: x}
	}
	return conversion{cast: x + "::" + sqltype.Of(to)}
}

func toInteger(x string, from sqltype.Type, to fstore.Type) conversion {
	bits := to.Width() * 8
	c := conversion{cast: x + "::" + sqltype.Of(to)}
	bounds := fmt.Sprintf("BETWEEN -%d AND %d", uint64(1)<<(bits-1), uint64(1)<<(bits-1)-1)
	switch {
	case from.Name == sqltype.Of(to):
		c.cast = x
	case from.Bits > 0 && from.ValueBits() < bits:
	case from.Unsigned:
		c.fits = fmt.Sprintf("%s <= %d::%s", x, uint64(1)<<(bits-1)-1, from.Name)
	case from.Bits > 0:
		c.fits = x + " " + bounds
	case from.Mantissa > 0:
		c.fits = isWhole(x)
		if to == fstore.Int32 {
			c.fits += " AND " + x + " " + bounds
		}
	default: // DECIMAL
		c.fits = fmt.Sprintf("%s::HUGEINT %s", x, bounds)
		if from.Scale > 0 {
			c.fits += fmt.Sprintf(" AND TRY_CAST(%s::HUGEINT AS DECIMAL(%d, %d)) = %s", x, from.Digits, from.Scale, x)
		}
	}
	return c
}

// wider returns a type in which values of an integer type can be compared with any bound.
func wider(t sqltype.Type) string {
	if t.Name == "UHUGEINT" {
		return t.Name
	}
	return "HUGEINT"
}

func toFloat(x string, from sqltype.Type, to fstore.Type) conversion {
	mantissa := map[fstore.Type]int{fstore.Float32: 24, fstore.Float64: 53}[to]
	y := x + "::" + sqltype.Of(to)
	switch {
	case from.Mantissa == mantissa:
		return conversion{cast: canonical(x, to)}
	case from.Mantissa > mantissa:
		return conversion{fits: fmt.Sprintf("isnan(%s) OR TRY_CAST(%s AS FLOAT)::DOUBLE = %s", x, x, x), cast: canonical(y, to)}
	case from.Mantissa > 0:
		return conversion{cast: canonical(y, to)}
	case from.Bits > 0 && from.ValueBits() > mantissa:
		return conversion{fits: fmt.Sprintf("TRY_CAST(%s AS %s) = %s", y, wider(from), x), cast: y}
	}
	return conversion{cast: y} // a small integer, or a DECIMAL, which becomes the nearest float
}

// canonical turns -0.0 into 0.0 and every NaN into one, so that equal values have equal bits.
func canonical(x string, t fstore.Type) string {
	return fmt.Sprintf("CASE WHEN %s = 0 THEN 0::%s WHEN isnan(%s) THEN 'nan'::%s ELSE %s END", x, sqltype.Of(t), x, sqltype.Of(t), x)
}

func toTimestamp(x string, from sqltype.Type) conversion {
	switch from.Name {
	case "TIMESTAMP":
		return conversion{fits: "isfinite(" + x + ")", cast: x}
	case "TIMESTAMP WITH TIME ZONE":
		return conversion{fits: "isfinite(" + x + ")", cast: "make_timestamp(epoch_us(" + x + "))"}
	case "TIMESTAMP_NS":
		return conversion{fits: "isfinite(" + x + ") AND epoch_ns(" + x + ") % 1000 = 0", cast: "make_timestamp(epoch_ns(" + x + ") // 1000)"}
	}
	return conversion{fits: "isfinite(TRY_CAST(" + x + " AS TIMESTAMP))", cast: x + "::TIMESTAMP"}
}

// The engine's // and % round towards zero.

// roundedUp returns the first microsecond that is not before a time, as a TIMESTAMP, for event and created. Infinite times
// stay infinite: a row created at infinity is never known, while a null created would count as the event.
func roundedUp(x string, from sqltype.Type) string {
	if from.Is(sqltype.Null) {
		return "NULL::TIMESTAMP"
	}
	at := convert(x, from, fstore.Timestamp).cast
	switch from.Name {
	case "TIMESTAMP_NS":
		at = fmt.Sprintf("make_timestamp(epoch_ns(%s) // 1000 + (epoch_ns(%s) %% 1000 > 0)::BIGINT)", x, x)
	case "TIMESTAMP WITH TIME ZONE":
	default:
		return at
	}
	return fmt.Sprintf("CASE WHEN isinf(%s) THEN %s::TIMESTAMP ELSE %s END", x, x, at)
}

// roundedDown returns the last microsecond that is not after a time, as a TIMESTAMP, for labels. It is null for times that
// are infinite or out of range.
func roundedDown(x string, from sqltype.Type) string {
	switch from.Name {
	case "TIMESTAMP_NS":
		at := fmt.Sprintf("make_timestamp(epoch_ns(%s) // 1000 - (epoch_ns(%s) %% 1000 < 0)::BIGINT)", x, x)
		return fmt.Sprintf("CASE WHEN isfinite(%s) THEN %s END", x, at)
	case "DATE":
		x = "TRY_CAST(" + x + " AS TIMESTAMP)"
		return fmt.Sprintf("CASE WHEN isfinite(%s) THEN %s END", x, x)
	}
	return fmt.Sprintf("CASE WHEN isfinite(%s) THEN %s END", x, toTimestamp(x, from).cast)
}

// field is a column of a relation that is read as a declared type.
type field struct {
	column string // as SQL names it
	from   sqltype.Type
	to     fstore.Type
}

// sql returns the converted column. If a value does not fit, or a list has a null, the query fails with a message that
// begins with misfit and names the relation.
func (f field) sql(relation string) string {
	x := ident(f.column)
	complain := func(value string) string {
		return fmt.Sprintf("error(%s || %s || %s)", text(misfit+relation+", column "+f.column+": "), value, text(" is not "+f.to.WithArticle()))
	}
	if f.from.Is(sqltype.Null) {
		return "NULL::" + sqltype.Of(f.to)
	}
	if !f.to.IsList() {
		return f.checked(x, f.from, complain)
	}
	if f.from.Array {
		x += "::" + arrayAsList(f.from)
	}
	elem := f.checked("e", *f.from.Elem, complain)
	return fmt.Sprintf("list_transform(%s, lambda e: CASE WHEN e IS NULL THEN %s ELSE %s END)", x, complain(text(nullElement)), elem)
}

// asStored is like sql, but leaves floats of the declared type as they are: rows.feature makes them canonical.
func (f field) asStored(relation string) string {
	if isFloat(f.to) && f.from.Name == sqltype.Of(f.to) {
		return ident(f.column)
	}
	return f.sql(relation)
}

func isFloat(t fstore.Type) bool { return t == fstore.Float32 || t == fstore.Float64 }

func (f field) checked(x string, from sqltype.Type, complain func(string) string) string {
	c := convert(x, from, f.to.Elem())
	if c.fits == "" {
		return c.cast
	}
	return fmt.Sprintf("CASE WHEN %s IS NULL OR %s THEN %s ELSE %s END", x, c.fits, c.cast, complain(quotedValue(x, from)))
}

const nullElement = "a list with a null element"

// quotedValue returns a value as error messages show it.
func quotedValue(x string, t sqltype.Type) string {
	if t.IsText() {
		return "'\"' || " + x + " || '\"'"
	}
	return x + "::VARCHAR"
}

// misfit returns the part of a value that sql complains about.
func (f field) misfit() string {
	x := ident(f.column)
	if !f.to.IsList() || f.from.Elem == nil {
		return quotedValue(x, f.from)
	}
	if f.from.Array {
		x += "::" + arrayAsList(f.from)
	}
	return fmt.Sprintf("coalesce(list_filter(%s, lambda e: %s)[1]::VARCHAR, %s)", x, f.badElement(), text(nullElement))
}

// unfit returns the condition under which sql complains; empty if it never does.
func (f field) unfit() string {
	x := ident(f.column)
	if f.from.Is(sqltype.Null) {
		return ""
	}
	if !f.to.IsList() {
		if c := convert(x, f.from, f.to); c.fits != "" {
			return fmt.Sprintf("%s IS NOT NULL AND (%s) IS NOT TRUE", x, c.fits)
		}
		return ""
	}
	if f.from.Array {
		x += "::" + arrayAsList(f.from)
	}
	return fmt.Sprintf("len(list_filter(%s, lambda e: %s)) > 0", x, f.badElement())
}

// badElement returns the condition under which an element e does not fit.
func (f field) badElement() string {
	bad := "e IS NULL"
	if c := convert("e", *f.from.Elem, f.to.Elem()); c.fits != "" {
		bad += " OR (" + c.fits + ") IS NOT TRUE"
	}
	return bad
}

// withArticle returns a type's name as in "is not an int64".
func withArticle(name string) string {
	if strings.ContainsRune("aeiouAEIOU", rune(name[0])) && !strings.HasPrefix(name, "U") {
		return "an " + name
	}
	return "a " + name
}

// arrayAsList returns the list type for an array's elements.
func arrayAsList(t sqltype.Type) string {
	name := t.Elem.Name
	if name == "DECIMAL" {
		name += "(" + strconv.Itoa(t.Elem.Digits) + ", " + strconv.Itoa(t.Elem.Scale) + ")"
	}
	return name + "[]"
}

// Converts reports whether a column of an engine's type may be declared as a type: both have the same kind of value, and
// every value that fits is kept exactly (docs/definitions.md). A value that does not fit is an error when it is read.
func (e *Engine) Converts(engineType string, to fstore.Type) bool {
	return sqltype.Parse(engineType).Converts(to)
}
