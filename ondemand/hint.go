package ondemand

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
	names := []string{"event"}
	for known, f := range table {
		if !f.operator {
			names = append(names, known)
		}
	}
	return fstore.DidYouMean(name, names)
}

// memberHint says what to write for x.name().
func memberHint(name string) string {
	known := cmp.Or(otherNames[name], name)
	if _, ok := table[known]; !ok {
		return "CEL's macros and member functions are not supported"
	}
	return fmt.Sprintf("write %s(x) instead of x.%s()", known, name)
}

// conversionHint says what to write to make a node one of type t; "" if there is no conversion.
func conversionHint(n *node, t valueType) string {
	x := "…"
	if n.kind == inputNode || n.kind == featureNode {
		x = n.name
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
	return cmp.Or(f.hintFor(args, func(t valueType) bool { return t != floatType }), f.hintFor(args, func(t valueType) bool { return t == floatType }))
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
