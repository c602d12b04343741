package fstore

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// Value is one value that is not null: a feature's default. It is a column of one row, so that values have only one
// representation.
type Value struct{ Column }

// MarshalJSON writes the value with its type, which JSON alone cannot tell: {"type":"int64","value":0}.
func (v Value) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type  Type            `json:"type"`
		Value json.RawMessage `json:"value"`
	}{v.Type, v.AppendJSON(nil, 0)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(b []byte) error {
	var w struct {
		Type  Type            `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	v.Column = NewColumn("", w.Type, 1)
	return v.AppendParsed(w.Value)
}

// AppendJSON appends row i as JSON: int64 as a number, NaN and infinities as strings ("NaN", "Infinity",
// "-Infinity"), bytes in base64, an instant in RFC 3339, a list as an array, a null as null.
func (c *Column) AppendJSON(dst []byte, i int) []byte {
	if c.IsNull(i) {
		return append(dst, "null"...)
	}
	if !c.Type.IsList() {
		return c.AppendElementJSON(dst, i)
	}
	dst = append(dst, '[')
	for j := c.Offsets[i]; j < c.Offsets[i+1]; j++ {
		if j > c.Offsets[i] {
			dst = append(dst, ',')
		}
		dst = c.AppendElementJSON(dst, int(j))
	}
	return append(dst, ']')
}

// AppendValuesJSON appends all rows as a JSON array.
func (c *Column) AppendValuesJSON(dst []byte) []byte {
	dst = append(dst, '[')
	if c.Type == Float64 && c.Valid == nil { // most features: without a look at type and null for each value
		for i, f := range c.Float64s {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendFloatJSON(dst, f, 64)
		}
		return append(dst, ']')
	}
	for i := range c.Len {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.AppendJSON(dst, i)
	}
	return append(dst, ']')
}

// AppendElementJSON appends an element of the slice that holds the column's values, as AppendJSON does.
func (c *Column) AppendElementJSON(dst []byte, i int) []byte {
	switch c.Type.Elem() {
	case Bool:
		return strconv.AppendBool(dst, c.Bools[i])
	case Int32:
		return strconv.AppendInt(dst, int64(c.Int32s[i]), 10)
	case Int64:
		return strconv.AppendInt(dst, c.Int64s[i], 10)
	case Float32:
		return appendFloatJSON(dst, float64(c.Float32s[i]), 32)
	case Float64:
		return appendFloatJSON(dst, c.Float64s[i], 64)
	case String:
		s, _ := json.Marshal(c.Strings[i]) // cannot fail for a string
		return append(dst, s...)
	case Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, c.Bytes[i])
		return append(dst, '"')
	case Timestamp: // below
	}
	dst = append(dst, '"')
	dst = append(dst, FormatTime(FromMicros(c.Int64s[i]))...)
	return append(dst, '"')
}

func appendFloatJSON(dst []byte, f float64, bits int) []byte {
	a := math.Abs(f)
	switch {
	case a >= 1e-6 && a < 1e21 || a == 0: // nearly all
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}

// AppendParsed adds a row given as JSON, in the form of AppendJSON; null adds a null. An int64 is read exactly. A
// whole number such as 3.0 is an integer, but 3.5 is not. The error says what was expected.
func (c *Column) AppendParsed(raw json.RawMessage) error {
	if string(raw) == "null" {
		c.AppendNull()
		return nil
	}
	if !c.Type.IsList() {
		if err := c.parseElem(raw); err != nil {
			return err
		}
		c.grew()
		return nil
	}
	var elems []json.RawMessage
	if err := json.Unmarshal(raw, &elems); err != nil {
		return Errorf(ErrInvalid, "%s is not %s", raw, c.Type.WithArticle())
	}
	before := c.Elements()
	for _, e := range elems {
		if err := c.parseElem(e); err != nil {
			c.truncate(before)
			return err
		}
	}
	c.EndRow()
	return nil
}

// truncate drops the elements after the first n of the value slice in use.
func (c *Column) truncate(n int) {
	cut := func(have int) int { return min(n, have) }
	c.Bools, c.Int32s, c.Int64s = c.Bools[:cut(len(c.Bools))], c.Int32s[:cut(len(c.Int32s))], c.Int64s[:cut(len(c.Int64s))]
	c.Float32s, c.Float64s = c.Float32s[:cut(len(c.Float32s))], c.Float64s[:cut(len(c.Float64s))]
	c.Strings, c.Bytes = c.Strings[:cut(len(c.Strings))], c.Bytes[:cut(len(c.Bytes))]
}

func (c *Column) parseElem(raw json.RawMessage) error {
	bad := func() *Error { return Errorf(ErrInvalid, "%s is not %s", raw, c.Type.Elem().WithArticle()) }
	text, isString := "", false
	if len(raw) > 0 && raw[0] == '"' {
		if err := CheckJSON(raw); err != nil {
			return err
		}
		if json.Unmarshal(raw, &text) != nil {
			return bad()
		}
		isString = true
	}
	switch c.Type.Elem() {
	case Bool:
		switch string(raw) {
		case "true", "false":
			c.Bools = append(c.Bools, raw[0] == 't')
			return nil
		}
		return bad()
	case Int32, Int64:
		n, ok := parseInt(string(raw))
		if !ok || c.Type.Elem() == Int32 && n != int64(int32(n)) {
			return bad()
		}
		if c.Type.Elem() == Int32 {
			c.Int32s = append(c.Int32s, int32(n))
		} else {
			c.Int64s = append(c.Int64s, n)
		}
		return nil
	case Float32, Float64:
		f, ok := parseFloat(string(raw), text, isString)
		if !ok || c.Type.Elem() == Float32 && !math.IsInf(f, 0) && math.IsInf(float64(float32(f)), 0) {
			return bad()
		}
		if c.Type.Elem() == Float32 {
			c.Float32s = append(c.Float32s, float32(f)+0) // -0 becomes 0
		} else {
			c.Float64s = append(c.Float64s, f+0)
		}
		return nil
	case String, Bytes, Timestamp: // are texts, below
	}
	if !isString {
		return bad()
	}
	switch c.Type.Elem() {
	case String:
		c.Strings = append(c.Strings, text)
	case Bytes:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return bad().WithHint("bytes are written in base64")
		}
		c.Bytes = append(c.Bytes, b)
	case Timestamp:
		t, err := ParseTime(text)
		if err != nil {
			return err
		}
		c.Int64s = append(c.Int64s, Micros(t))
	case Bool, Int32, Int64, Float32, Float64: // above
	}
	return nil
}

// parseInt reads an integer exactly, or a whole number with a fraction or exponent below 2^53.
func parseInt(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func parseFloat(raw, text string, isString bool) (float64, bool) {
	if isString {
		switch text {
		case "NaN":
			return math.NaN(), true
		case "Infinity", "+Infinity":
			return math.Inf(1), true
		case "-Infinity":
			return math.Inf(-1), true
		}
		return 0, false
	}
	f, err := strconv.ParseFloat(raw, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// AppendText adds a row given as plain text, as in a flag: k=17850, k=true, k=2011-12-09T12:50:00Z, and any text for
// a string. Bytes are in base64. There is no text for null.
func (c *Column) AppendText(s string) error {
	if err := checkText(s); err != nil {
		return err
	}
	switch c.Type {
	case String, Bytes, Timestamp:
		quoted, err := json.Marshal(s)
		if err != nil {
			return err
		}
		return c.AppendParsed(quoted)
	case Bool, Int32, Int64, Float32, Float64: // are written as in JSON, below
	}
	if s == "null" || s == "" || s[0] == '"' {
		return Errorf(ErrInvalid, "%q is not %s", s, c.Type.WithArticle())
	}
	return c.AppendParsed(json.RawMessage(s))
}

// Time returns row i of a timestamp column, or false if it is null.
func (c *Column) Time(i int) (time.Time, bool) {
	if c.IsNull(i) {
		return time.Time{}, false
	}
	return FromMicros(c.Int64s[i]), true
}
