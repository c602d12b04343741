package ondemand

import (
	"slices"

	"cel.dev/cel-go/common/ast"
)

// list checks a list of values: [a, b].
func (c *checker) list(e ast.Expr, depth int) *node {
	n := &node{kind: listNode, name: "list", args: c.elements(e, depth), offset: c.offset(e)}
	n.cost = len(n.args)
	if len(n.args) == 0 {
		c.fail(c.offset(e), "the type of an empty list is unknown")
	}
	elem := c.unify(n.args, "the elements of a list")
	if elem == nullType || elem.isList() || elem == durationType {
		c.fail(c.offset(e), "a list cannot hold values of type %s", elem)
	}
	n.typ = elem | listOf
	return n
}

func (c *checker) elements(e ast.Expr, depth int) []*node {
	var out []*node
	for i, x := range e.AsList().Elements() {
		if e.AsList().IsOptional(int32(i)) {
			c.fail(c.offset(x), "optional elements are not supported")
		}
		out = append(out, c.check(x, depth+1))
	}
	return out
}

// in checks x in [a, b].
func (c *checker) in(at int32, args []ast.Expr, depth int) *node {
	n := &node{kind: inNode, name: "in", typ: boolType, offset: at}
	n.args = append([]*node{c.check(args[0], depth+1)}, c.elements(args[1], depth+1)...)
	c.rejectNulls(n.args)
	t := c.unify(n.args, "x in [...]")
	if t.isList() {
		c.fail(at, "lists are not compared")
	}
	n.cost = len(n.args)
	return n
}

// rejectNulls reports a literal null where none may be.
func (c *checker) rejectNulls(args []*node) {
	for _, a := range args {
		if a.typ == nullType {
			c.failHint(a.offset, "null may be compared with == and !=, and be a branch of ?:", "null is not allowed here")
		}
	}
}

// unify returns the one type that all nodes have, literal nulls aside. Integer literals beside a float64 become float64.
func (c *checker) unify(nodes []*node, what string) valueType {
	isFloat := slices.ContainsFunc(nodes, func(n *node) bool { return n.typ == floatType })
	t := nullType
	for _, n := range nodes {
		if isFloat {
			n.asFloat()
		}
		switch {
		case n.typ == nullType || n.typ == t:
		case t == nullType:
			t = n.typ
		default:
			c.failHint(n.offset, oneTypeHint(n, t), "%s have the types %s and %s", what, t, n.typ)
		}
	}
	for _, n := range nodes {
		if n.typ == nullType {
			n.setNull(t)
		}
	}
	return t
}

// resolve chooses the form of a function that takes the operands.
func (c *checker) resolve(at int32, f *function, args []*node) *node {
	c.rejectNulls(args)
	for _, exact := range []bool{true, false} {
		for _, form := range f.forms {
			if form.takes(args, exact) {
				return c.use(at, f, form, args)
			}
		}
	}
	given := make([]string, len(args))
	for i, a := range args {
		given[i] = a.typ.String()
	}
	c.failHint(at, f.hint(args), "%s", f.mismatch(given))
	return nil
}

// use makes the node of a call.
func (c *checker) use(at int32, f *function, form *form, args []*node) *node {
	for i, a := range args {
		if form.param(i).typ == floatType {
			a.asFloat()
		}
	}
	n := &node{
		kind: callNode, name: f.name, typ: form.result, args: args, kernel: form.kernel,
		lazy: form.lazy, cost: max(1, form.cost), offset: at,
	}
	if form.bind == nil {
		return n
	}
	kernel, bad := form.bind(n, args)
	if bad != nil {
		c.failHint(bad.at.offset, bad.hint, "%s", bad.message)
	}
	n.kernel = kernel
	return n
}
