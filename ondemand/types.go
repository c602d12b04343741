package ondemand

import (
	"strings"

	"github.com/fstore-dev/fstore"
)

// valueType is the type of a value within an expression. int32 computes as int64, and float32 as float64. A length of
// time exists only within an expression.
type valueType uint8

const (
	noType valueType = iota
	nullType
	boolType
	intType
	floatType
	textType
	bytesType
	timeType
	durationType

	listOf valueType = 0x80
)

var valueTypeNames = [...]string{
	noType: "invalid", nullType: "null", boolType: "bool", intType: "int64", floatType: "float64", textType: "string",
	bytesType: "bytes", timeType: "timestamp", durationType: "duration",
}

// String returns the type as definitions and the table of functions write it.
func (t valueType) String() string {
	if t.isList() {
		return "list<" + t.elem().String() + ">"
	}
	return valueTypeNames[t]
}

func (t valueType) isList() bool    { return t&listOf != 0 }
func (t valueType) elem() valueType { return t &^ listOf }

// typeNamed reads a type as String writes it.
func typeNamed(name string) valueType {
	if inner, ok := strings.CutPrefix(name, "list<"); ok {
		return typeNamed(strings.TrimSuffix(inner, ">")) | listOf
	}
	for t, known := range valueTypeNames {
		if known == name {
			return valueType(t)
		}
	}
	return noType
}

// typeOf returns the type that computes the values of a column.
func typeOf(t fstore.Type) valueType {
	list := noType
	if t.IsList() {
		list = listOf
	}
	switch t.Elem() {
	case fstore.Bool:
		return boolType | list
	case fstore.Int32, fstore.Int64:
		return intType | list
	case fstore.Float32, fstore.Float64:
		return floatType | list
	case fstore.String:
		return textType | list
	case fstore.Bytes:
		return bytesType | list
	case fstore.Timestamp:
		return timeType | list
	}
	return noType
}
