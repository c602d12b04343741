package offline

import (
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// engineType is a parsed name of a type of the engine's: DECIMAL(18,2), TIMESTAMP_NS, FLOAT[3].
type engineType struct {
	text     string // as it was parsed
	name     string // upper case, without parameters; LIST for lists and arrays
	digits   int    // of DECIMAL: all digits
	scale    int    // of DECIMAL: those behind the point
	array    bool   // a LIST of fixed length
	elem     *engineType
	bits     int // of integers
	unsigned bool
	mantissa int   // of FLOAT and DOUBLE: bits of an integer that they hold exactly
	unit     int64 // of times: microseconds or their fractions in one unit, see units; 0: not a time
}

// instantTypes are the types of times, with the nanoseconds in one unit of each.
var instantTypes = map[string]int64{
	"TIMESTAMP_NS": 1, "TIMESTAMP": 1e3, "TIMESTAMP WITH TIME ZONE": 1e3, "TIMESTAMP_MS": 1e6, "TIMESTAMP_S": 1e9, "DATE": 86400e9,
}

var integerTypes = map[string]int{
	"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128,
	"UTINYINT": 8, "USMALLINT": 16, "UINTEGER": 32, "UBIGINT": 64, "UHUGEINT": 128,
}

// parseType reads a type as DESCRIBE writes it.
func parseType(s string) engineType {
	if strings.HasSuffix(s, "]") {
		if i := strings.LastIndexByte(s, '['); i > 0 {
			elem := parseType(s[:i])
			return engineType{text: s, name: "LIST", elem: &elem, array: i+2 < len(s)}
		}
	}
	t := engineType{text: s, name: s}
	if i := strings.IndexByte(s, '('); i > 0 {
		t.name = s[:i]
	}
	if t.name == "DECIMAL" {
		digits, scale, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(s, "DECIMAL("), ")"), ",")
		t.digits, _ = strconv.Atoi(digits)
		t.scale, _ = strconv.Atoi(scale)
	}
	t.bits = integerTypes[t.name]
	t.unsigned = t.bits > 0 && t.name[0] == 'U'
	t.mantissa = map[string]int{"FLOAT": 24, "DOUBLE": 53}[t.name]
	t.unit = instantTypes[t.name]
	return t
}

var (
	nullType   = parseType(`"NULL"`) // of a column that is all null, where the writer did not know its type
	folderType = parseType("FOLDER") // of the values of folders such as day=2011-12-09: text that becomes any type
)

func (t engineType) String() string { return t.text }

func (t engineType) is(o engineType) bool { return t.text == o.text }

func listOf(elem engineType) engineType { return parseType(elem.text + "[]") }

func decimal(digits, scale int) engineType {
	return parseType("DECIMAL(" + strconv.Itoa(digits) + "," + strconv.Itoa(scale) + ")")
}

// valueBits returns the bits of an integer type's values without the sign.
func (t engineType) valueBits() int {
	if t.unsigned {
		return t.bits
	}
	return t.bits - 1
}

// isTime reports whether the type can be an event or created time.
func (t engineType) isTime() bool { return t.unit > 0 }

// Converts reports whether a column of an engine's type may be declared as a type: its kind of value is the
// same, and each value that fits is kept exactly (DESIGN "Types"). One that does not fit is an error when read.
func (e *Engine) Converts(engineType string, to fstore.Type) bool {
	return parseType(engineType).converts(to)
}

func (t engineType) converts(to fstore.Type) bool {
	switch {
	case t.is(nullType):
		return true
	case to.IsList():
		return t.name == "LIST" && t.elem.converts(to.Elem())
	case t.is(folderType):
		return true
	}
	switch to {
	case fstore.Bool:
		return t.name == "BOOLEAN"
	case fstore.Int32, fstore.Int64, fstore.Float64:
		return t.bits > 0 || t.mantissa > 0 || t.name == "DECIMAL"
	case fstore.Float32:
		return t.bits > 0 || t.mantissa > 0
	case fstore.String:
		return t.name == "VARCHAR" || t.name == "ENUM" || t.name == "UUID"
	case fstore.Bytes:
		return t.name == "BLOB"
	case fstore.Timestamp:
		return t.isTime()
	}
	return false
}
