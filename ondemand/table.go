package ondemand

import (
	"strings"

	"github.com/fstore-dev/fstore/ondemand/vector"
)

// function is a row of the table: an operator or a function, with all that the check, the evaluation and the page
// docs/on-demand.md say about it. The meaning of a function never changes. A new meaning gets a new name.
type function struct {
	name     string
	group    group
	operator bool
	forms    []*form
	takes    []string // the signatures, where the check knows more than forms can say
	about    string
	nulls    string // "" means that the result is null where an operand is
	errors   string // when a row has no result although it has its operands; "" means never
	examples []example
}

// example is an expression and its value, as the page shows them.
type example struct{ expression, value string }

// group is a part of the page.
type group string

const (
	operatorGroup   group = "Operators"
	numberGroup     group = "Numbers"
	conversionGroup group = "Conversions"
	timeGroup       group = "Time"
	textGroup       group = "Text"
	spaceGroup      group = "Space"
	listGroup       group = "Lists"
	nullGroup       group = "Nulls"
)

// form is a function for one combination of types.
type form struct {
	name     string
	params   []param
	variadic bool // the last parameter may be repeated
	result   valueType
	kernel   vector.Kernel
	bind     func(call *node, args []*node) (vector.Kernel, *badLiteral) // makes the kernel from literal arguments
	lazy     bool
	cost     int
}

type param struct {
	name string
	typ  valueType
}

// badLiteral says why a literal argument cannot be used.
type badLiteral struct {
	at            *node
	message, hint string
}

// sig makes a form from its signature, such as "round(x float64, digits int64) float64".
func sig(signature string, kernel vector.Kernel) *form {
	name, rest, _ := strings.Cut(signature, "(")
	inner, result, _ := strings.Cut(rest, ") ")
	f := &form{name: name, result: typeNamed(result), kernel: kernel}
	for p := range strings.SplitSeq(inner, ", ") {
		if p == "..." {
			f.variadic = true
			continue
		}
		name, typ, _ := strings.Cut(p, " ")
		f.params = append(f.params, param{name, typeNamed(typ)})
	}
	return f
}

// mayFail marks a form whose kernel calls Fail.
func (f *form) mayFail() *form {
	f.lazy = true
	return f
}

// costing sets what the form costs: 1 is an addition. A cost above 1 makes it worth skipping rows.
func (f *form) costing(n int) *form {
	f.cost, f.lazy = n, true
	return f
}

// param returns the parameter of argument i.
func (f *form) param(i int) param { return f.params[min(i, len(f.params)-1)] }

// takes reports whether the form takes operands of these types. Unless exact, an integer literal may be a float64.
func (f *form) takes(args []*node, exact bool) bool {
	if len(args) < len(f.params) || len(args) > len(f.params) && !f.variadic {
		return false
	}
	for i, a := range args {
		t := f.param(i).typ
		if a.typ != t && (exact || t != floatType || !a.isIntLiteral()) {
			return false
		}
	}
	return true
}

// String returns the signature: round(x float64, digits int64).
func (f *form) String() string {
	var b strings.Builder
	b.WriteString(f.name + "(")
	for i, p := range f.params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.name + " " + p.typ.String())
	}
	if f.variadic {
		b.WriteString(", ...")
	}
	return b.String() + ")"
}

// table has every operator and function by name.
var table = index(functions())

// functions returns the table in the order of the page.
func functions() []*function {
	var all []*function
	for _, part := range [][]*function{operatorTable(), numberTable(), conversionTable(), timeTable(), textTable(), spaceTable(), listTable(), nullTable()} {
		all = append(all, part...)
	}
	return all
}

func index(all []*function) map[string]*function {
	byName := make(map[string]*function, len(all))
	for _, f := range all {
		byName[f.name] = f
	}
	return byName
}
