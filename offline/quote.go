package offline

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// Identifiers and literals are quoted here and nowhere else.

// ident quotes the name of a column or relation.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// text quotes a string literal.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// texts quotes a list of string literals.
func texts(list []string) string {
	quoted := make([]string, 0, len(list))
	for _, s := range list {
		quoted = append(quoted, text(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// instant writes a TIMESTAMP literal.
func instant(t time.Time) string { return fmt.Sprintf("make_timestamp(%d)", fstore.Micros(t)) }

// interval writes an INTERVAL literal.
func interval(d fstore.Duration) string { return fmt.Sprintf("to_microseconds(%d)", d.Micros()) }

// literal writes a value with its type.
func literal(v *fstore.Value) string {
	if !v.Type.IsList() {
		return scalar(&v.Column, 0)
	}
	elems := []string{}
	for i := v.Offsets[0]; i < v.Offsets[1]; i++ {
		elems = append(elems, scalar(&v.Column, int(i)))
	}
	return "[" + strings.Join(elems, ", ") + "]::" + sqltype.Of(v.Type)
}

func scalar(c *fstore.Column, i int) string {
	t := c.Type.Elem()
	switch t {
	case fstore.Bool:
		return strconv.FormatBool(c.Bools[i])
	case fstore.Int32:
		return text(strconv.Itoa(int(c.Int32s[i]))) + "::" + sqltype.Of(t)
	case fstore.Int64:
		return text(strconv.FormatInt(c.Int64s[i], 10)) + "::" + sqltype.Of(t)
	case fstore.Float32:
		return float(float64(c.Float32s[i]), 32) + "::" + sqltype.Of(t)
	case fstore.Float64:
		return float(c.Float64s[i], 64) + "::" + sqltype.Of(t)
	case fstore.String:
		if s := c.Strings[i]; strings.ContainsRune(s, 0) { // the parser ends a statement at a zero byte
			return "decode(unhex('" + hex.EncodeToString([]byte(s)) + "'))"
		}
		return text(c.Strings[i])
	case fstore.Bytes:
		return "unhex('" + hex.EncodeToString(c.Bytes[i]) + "')"
	case fstore.Timestamp: // below
	}
	return instant(fstore.FromMicros(c.Int64s[i]))
}

func float(f float64, bits int) string {
	if math.IsInf(f, 0) {
		return text(map[bool]string{true: "inf", false: "-inf"}[f > 0])
	}
	return text(strconv.FormatFloat(f, 'g', -1, bits))
}

// list joins parts for a clause, one a line.
func list(parts []string) string { return strings.Join(parts, ",\n  ") }

// and joins conditions for a clause, one a line; true where there are none.
func and(conditions []string) string {
	if len(conditions) == 0 {
		return "true"
	}
	return strings.Join(conditions, "\n  AND ")
}
