// Package sqltype maps DuckDB's column types to the fstore types that a column may be declared as.
package sqltype

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Type is the parsed name of an engine type: DECIMAL(18,2), TIMESTAMP_NS, FLOAT[3].
type Type struct {
	Text     string // as it was parsed
	Name     string // upper case, without parameters; LIST for lists and arrays
	Digits   int    // of DECIMAL: total digits
	Scale    int    // of DECIMAL: digits after the point
	Array    bool   // a LIST of fixed length
	Elem     *Type
	Bits     int // of integers
	Unsigned bool
	Mantissa int   // of FLOAT and DOUBLE: bits of the integers that they hold exactly
	Unit     int64 // of times: microseconds per unit, or its fraction: see units; 0: not a time
}

// instants maps the types of times to the nanoseconds in their unit.
var instants = map[string]int64{
	"TIMESTAMP_NS": 1, "TIMESTAMP": 1e3, "TIMESTAMP WITH TIME ZONE": 1e3, "TIMESTAMP_MS": 1e6, "TIMESTAMP_S": 1e9, "DATE": 86400e9,
}

var integers = map[string]int{
	"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128,
	"UTINYINT": 8, "USMALLINT": 16, "UINTEGER": 32, "UBIGINT": 64, "UHUGEINT": 128,
}

// Parse reads a type as DESCRIBE writes it.
func Parse(s string) Type {
	if strings.HasSuffix(s, "]") {
		if i := strings.LastIndexByte(s, '['); i > 0 {
			elem := Parse(s[:i])
			return Type{Text: s, Name: "LIST", Elem: &elem, Array: i+2 < len(s)}
		}
	}
	t := Type{Text: s, Name: s}
	if i := strings.IndexByte(s, '('); i > 0 {
		t.Name = s[:i]
	}
	if t.Name == "DECIMAL" {
		digits, scale, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(s, "DECIMAL("), ")"), ",")
		t.Digits, _ = strconv.Atoi(digits)
		t.Scale, _ = strconv.Atoi(scale)
	}
	t.Bits = integers[t.Name]
	t.Unsigned = t.Bits > 0 && t.Name[0] == 'U'
	t.Mantissa = map[string]int{"FLOAT": 24, "DOUBLE": 53}[t.Name]
	t.Unit = instants[t.Name]
	return t
}

// Types that only files have, and no value has.
var (
	Null   = Parse(`"NULL"`) // of a column that is all null, if the writer did not know its type
	Folder = Parse("FOLDER") // of the values in folder names such as day=2011-12-09: text that converts to any type
)

func (t Type) String() string { return t.Text }

// Is reports whether two types are the same.
func (t Type) Is(o Type) bool { return t.Text == o.Text }

// ListOf returns the list type of an element type.
func ListOf(elem Type) Type { return Parse(elem.Text + "[]") }

// Decimal returns a DECIMAL type.
func Decimal(digits, scale int) Type {
	return Parse("DECIMAL(" + strconv.Itoa(digits) + "," + strconv.Itoa(scale) + ")")
}

// ValueBits returns the bits of an integer type without the sign bit.
func (t Type) ValueBits() int {
	if t.Unsigned {
		return t.Bits
	}
	return t.Bits - 1
}

// IsTime reports whether the type can be an event or created time.
func (t Type) IsTime() bool { return t.Unit > 0 }

// Converts reports whether a column of the type may be declared as a type of fstore: it has the same kind of value,
// and every value that fits is kept exactly (docs/definitions.md). A value that does not fit is an error when it is
// read.
func (t Type) Converts(to fstore.Type) bool {
	switch {
	case t.Is(Null):
		return true
	case to.IsList():
		return t.Name == "LIST" && t.Elem.Converts(to.Elem())
	case t.Is(Folder):
		return true
	}
	switch to {
	case fstore.Bool:
		return t.Name == "BOOLEAN"
	case fstore.Int32, fstore.Int64, fstore.Float64:
		return t.Bits > 0 || t.Mantissa > 0 || t.Name == "DECIMAL"
	case fstore.Float32:
		return t.Bits > 0 || t.Mantissa > 0
	case fstore.String:
		return t.Name == "VARCHAR" || t.Name == "ENUM" || t.Name == "UUID"
	case fstore.Bytes:
		return t.Name == "BLOB"
	case fstore.Timestamp:
		return t.IsTime()
	}
	return false
}

// Distinct returns a type of fstore in which two values of t are equal where they are equal in t, and only there: text for
// those that no other type holds. ok is false for lists and other values made of values.
func (t Type) Distinct() (to fstore.Type, ok bool) {
	for _, to := range []fstore.Type{fstore.Int64, fstore.Float64} {
		if own := Parse(Of(to)); t.Bits > 0 && own.Bits > 0 && t.WithinInteger(own) || t.Mantissa > 0 && own.Mantissa > 0 {
			return to, true
		}
	}
	return fstore.String, t.Bits > 0 || t.IsText() || t.IsTime() || slices.Contains([]string{"BOOLEAN", "DECIMAL", "BLOB", "TIME", "INTERVAL"}, t.Name)
}

// names are the engine's names of our scalar types.
var names = map[fstore.Type]string{
	fstore.Bool: "BOOLEAN", fstore.Int32: "INTEGER", fstore.Int64: "BIGINT", fstore.Float32: "FLOAT", fstore.Float64: "DOUBLE",
	fstore.String: "VARCHAR", fstore.Bytes: "BLOB", fstore.Timestamp: "TIMESTAMP",
}

// Of returns the engine's name of a type.
func Of(t fstore.Type) string {
	if t.IsList() {
		return names[t.Elem()] + "[]"
	}
	return names[t]
}

// WithinInteger reports whether every value of an integer type is also a value of another.
func (t Type) WithinInteger(to Type) bool {
	return t.ValueBits() <= to.ValueBits() && (t.Unsigned || !to.Unsigned)
}

// WholeDigits returns the maximum number of decimal digits before the point.
func (t Type) WholeDigits() int {
	if t.Bits > 0 {
		return int(math.Ceil(float64(t.ValueBits()) * math.Log10(2)))
	}
	return t.Digits - t.Scale
}

// LeastTime returns the smallest time type that holds every value of both types.
func LeastTime(a, b Type) Type {
	for _, name := range []string{"TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"} {
		if a.Name == name || b.Name == name {
			return Parse(name)
		}
	}
	return Parse("TIMESTAMP")
}

// IsNumber reports whether the values are numbers.
func (t Type) IsNumber() bool { return t.Bits > 0 || t.Mantissa > 0 || t.Name == "DECIMAL" }

// IsText reports whether every value of the type has one canonical text.
func (t Type) IsText() bool {
	return t.Name == "VARCHAR" || t.Name == "ENUM" || t.Name == "UUID" || t.Is(Folder)
}

// Natural returns the type of fstore in which values of t are looked at where no type is declared: whole numbers that may not
// fit an int64, and DECIMAL, are float64. ok is false for types that no scalar type stands for.
func (t Type) Natural() (to fstore.Type, ok bool) {
	switch {
	case t.Bits > 0 && t.ValueBits() <= 63:
		return fstore.Int64, true
	case t.IsNumber():
		return fstore.Float64, true
	case t.IsText(), t.Is(Null):
		return fstore.String, true
	}
	for _, to := range fstore.Scalars() {
		if t.Converts(to) {
			return to, true
		}
	}
	return fstore.Invalid, false
}
