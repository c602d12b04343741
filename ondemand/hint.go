package ondemand

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/fstore-dev/fstore"
)

// otherNames maps what people write, from CEL and SQL, to what the table calls it.
var otherNames = map[string]string{
	"int": "int64", "double": "float64", "float": "float64", "str": "string", "len": "length", "ceiling": "ceil",
	"startsWith": "starts_with", "endsWith": "ends_with", "ifnull": "if_null", "nvl": "if_null", "isnull": "is_null",
	"isNaN": "is_nan", "isnan": "is_nan", "isinf": "is_inf", "ln": "log", "power": "pow", "greatest": "max", "least": "min",
	"avg": "mean", "dayofweek": "weekday", "dayofyear": "day_of_year", "has": "is_null", "upperAscii": "upper",
	"lowerAscii": "lower", "hash": "hash64", "trunc": "date_trunc",
}

func unknownFunctionHint(name string) string {
	if other, ok := otherNames[name]; ok {
		return fmt.Sprintf("did you mean %q?", other)
	}
	if hint := nameHint(name); hint != "" {
		return hint
	}
	names := []string{"event"}
	for known, f := range table {
		if !f.operator {
			names = append(names, known)
		}
	}
	return fstore.DidYouMean(name, names)
}

// memberHint says what to write for x.name(), or for module.name(x).
func (c *checker) memberHint(call ast.CallExpr) string {
	name := call.FunctionName()
	known := cmp.Or(otherNames[name], name)
	if _, ok := table[known]; !ok {
		if hint := nameHint(name); hint != "" {
			return hint
		}
		return "CEL's macros and member functions are not supported"
	}
	if of := call.Target(); of.Kind() == ast.IdentKind && len(call.Args()) > 0 && !c.has(of.AsIdent()) {
		return fmt.Sprintf("write %s(x) instead of %s.%s(x)", known, of.AsIdent(), name)
	}
	return fmt.Sprintf("write %s(x) instead of x.%s()", known, name)
}

// conversionHint says what to write to make a node one of type t; "" if there is no conversion.
func conversionHint(n *node, t valueType) string {
	x := spelled(n)
	if n.kind == listNode && n.typ == intType|listOf && t == floatType|listOf {
		return "the elements must be float64: write 1.0 for 1, and float64(n) for n"
	}
	if n.typ == durationType && (t == floatType || t == intType) {
		return "write hours(" + x + "), or another unit"
	}
	if n.typ == boolType && (t == intType || t == floatType) {
		return "write " + x + " ? 1 : 0"
	}
	if f := table[t.String()]; f != nil {
		for _, form := range f.forms {
			if len(form.params) == 1 && form.params[0].typ == n.typ {
				return "write " + t.String() + "(" + x + ")"
			}
		}
	}
	return ""
}

// spelled returns what an expression has for a node, or "…" if it is more than a name, an integer or a short text.
func spelled(n *node) string {
	switch {
	case n.kind == inputNode || n.kind == featureNode:
		return n.name
	case n.kind == literalNode && n.typ == intType:
		return strconv.FormatInt(n.lit.i, 10)
	case n.kind == literalNode && n.typ == textType && len(n.lit.s) <= 30 && !strings.ContainsAny(n.lit.s, "'\\\n"):
		return "'" + n.lit.s + "'"
	}
	return "…"
}

// oneTypeHint says what to do with an alternative that should have type t.
func oneTypeHint(n *node, t valueType) string {
	hint := "they must have one type"
	if write := conversionHint(n, t); write != "" && n.kind != literalNode {
		hint += ": " + write
	}
	return hint
}

// meantHint says what else the operands show to be meant; "" if nothing.
func (f *function) meantHint(args []*node) string {
	if len(args) == 1 && args[0].typ.String() == f.name {
		return "it is one already: drop the call"
	}
	if len(args) != 2 {
		return ""
	}
	x, y := args[0], args[1]
	switch f.name {
	case "+":
		if x.typ == textType && y.typ != textType {
			return conversionHint(y, textType)
		} else if y.typ == textType {
			return conversionHint(x, textType)
		}
		return timeHint(x, y)
	case "-":
		return timeHint(x, y)
	case "in":
		if x.typ == textType && y.typ == textType {
			return "for a part of a text, write contains(" + spelled(y) + ", " + spelled(x) + ")"
		}
	case "[]":
		if x.typ == textType {
			return "write substring(" + spelled(x) + ", 0, 1)"
		}
	case "<", "<=", ">", ">=":
		if x.typ == boolType && x.kind == callNode {
			return "a comparison has two sides: write a " + x.name + " b && b " + f.name + " c"
		}
	}
	return ""
}

// timeHint says how to move an instant by a number.
func timeHint(x, y *node) string {
	isNumber := func(n *node) bool { return n.typ == intType || n.typ == floatType }
	if x.typ == timeType && isNumber(y) || y.typ == timeType && isNumber(x) {
		return "write a length of time as duration('1h')"
	}
	return ""
}

// mismatch says which operands a function takes, and which were given.
func (f *function) mismatch(given []string) string {
	if f.operator {
		return fmt.Sprintf("%s has no meaning for %s", strings.TrimSuffix(f.name, "x"), strings.Join(given, " and "))
	}
	var takes []string
	for _, form := range f.forms {
		takes = append(takes, form.String())
	}
	if f.takes != nil {
		takes = f.takes
	}
	return fmt.Sprintf("%s does not take (%s); it is %s", f.name, strings.Join(given, ", "), strings.Join(takes, " or "))
}

// hint returns the conversion that would make the operands fit, if one conversion does. It turns a float64 into something
// else only if nothing else fits.
func (f *function) hint(args []*node) string {
	return cmp.Or(f.meantHint(args), f.hintFor(args, func(t valueType) bool { return t != floatType }), f.hintFor(args, func(t valueType) bool { return t == floatType }))
}

func (f *function) hintFor(args []*node, from func(valueType) bool) string {
	for i, a := range args {
		if !from(a.typ) {
			continue
		}
		for _, form := range f.forms {
			if i >= len(form.params) && !form.variadic || form.param(i).typ == a.typ {
				continue
			}
			tried := slices.Clone(args)
			tried[i] = &node{kind: callNode, typ: form.param(i).typ}
			if h := conversionHint(a, form.param(i).typ); h != "" && form.takes(tried, false) {
				return h
			}
		}
	}
	return ""
}
