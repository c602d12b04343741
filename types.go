package fstore

import (
	"fmt"
	"strings"
)

// Type is the type of a feature, a join key or a column: a scalar, or a list of one (docs/definitions.md, feature_view).
type Type uint8

// The scalar types. A Timestamp is UTC microseconds since the Unix epoch.
const (
	Invalid Type = iota
	Bool
	Int32
	Int64
	Float32
	Float64
	String
	Bytes
	Timestamp
	endOfTypes // comes after the last type

	listBit Type = 0x80
)

// NumTypes bounds the scalar types: every one is smaller.
const NumTypes = int(endOfTypes)

var typeNames = [NumTypes]string{
	Invalid: "invalid", Bool: "bool", Int32: "int32", Int64: "int64", Float32: "float32", Float64: "float64",
	String: "string", Bytes: "bytes", Timestamp: "timestamp",
}

// Scalars returns every scalar type. Each has a list type: see List.
func Scalars() []Type {
	var out []Type
	for t := Invalid + 1; t < endOfTypes; t++ {
		out = append(out, t)
	}
	return out
}

// List returns the type of lists of t, which must be a scalar.
func List(t Type) Type { return t | listBit }

// IsList reports whether t is a list type.
func (t Type) IsList() bool { return t&listBit != 0 }

// Elem returns the type of a list's elements, and t itself for a scalar.
func (t Type) Elem() Type { return t &^ listBit }

// Width returns the bytes one value takes in fixed-width encodings: 1, 4 or 8; 0 for strings, bytes and lists.
func (t Type) Width() int {
	switch t {
	case Bool:
		return 1
	case Int32, Float32:
		return 4
	case Int64, Float64, Timestamp:
		return 8
	case String, Bytes: // vary
	}
	return 0
}

// IsKey reports whether a join key may have the type: bool, integers, string, bytes and timestamp.
func (t Type) IsKey() bool {
	switch t {
	case Bool, Int32, Int64, String, Bytes, Timestamp:
		return true
	case Float32, Float64: // rounded, so they identify nothing
	}
	return false
}

// String returns the type as definitions write it: int64, list<float32>.
func (t Type) String() string {
	name := "invalid"
	if e := t.Elem(); e < endOfTypes {
		name = typeNames[e]
	}
	if t.IsList() {
		return "list<" + name + ">"
	}
	return name
}

// WithArticle returns the name as in "is not an int64".
func (t Type) WithArticle() string {
	if t == Int32 || t == Int64 {
		return "an " + t.String()
	}
	return "a " + t.String()
}

// ParseType reads a type as definitions write it. The error names the types there are.
func ParseType(s string) (Type, error) {
	name, list := s, false
	if inner, ok := strings.CutPrefix(s, "list<"); ok {
		if name, ok = strings.CutSuffix(inner, ">"); !ok {
			return Invalid, Errorf(ErrInvalid, "unknown type %q", s).WithHint("a list is written list<float32>")
		}
		list = true
	}
	for t := Invalid + 1; t < endOfTypes; t++ {
		if typeNames[t] == name {
			if list {
				return List(t), nil
			}
			return t, nil
		}
	}
	return Invalid, Errorf(ErrInvalid, "unknown type %q", s).
		WithHint("one of %s, or list<one of them>", strings.Join(typeNames[1:], ", "))
}

// MarshalText writes the type as definitions do.
func (t Type) MarshalText() ([]byte, error) {
	if t.Elem() == Invalid || t.Elem() >= endOfTypes {
		return nil, fmt.Errorf("type %d: %w", t, ErrInvalid)
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (t *Type) UnmarshalText(b []byte) (err error) {
	*t, err = ParseType(string(b))
	return err
}
