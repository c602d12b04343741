package ondemand

import "github.com/fstore-dev/fstore"

// special checks the functions that are more than a kernel: those that treat null otherwise, or choose among operands. It
// returns nil for any other use of a function.
func (c *checker) special(at int32, f *function, args []*node) *node {
	switch f.name {
	case "&&":
		return c.logic(at, andNode, f, args)
	case "||":
		return c.logic(at, orNode, f, args)
	case "?:":
		return c.cond(at, f, args)
	case "coalesce", "if_null":
		return c.coalesce(at, f, args)
	case "is_null":
		if len(args) == 1 {
			return c.isNull(at, args[0])
		}
	case "==", "!=":
		return c.compareNull(at, f, args)
	case "-x":
		return negated(args[0])
	case "duration":
		return c.duration(at, args)
	}
	return nil
}

// logic flattens nested operators of the same kind.
func (c *checker) logic(at int32, k kind, f *function, args []*node) *node {
	c.rejectNulls(args)
	n := &node{kind: k, name: f.name, typ: boolType, cost: len(args), offset: at}
	for _, a := range args {
		if a.typ != boolType {
			c.failHint(a.offset, boolHint(a, f.name), "%s takes bool, not %s", f.name, a.typ)
		}
		if a.kind == k {
			n.args = append(n.args, a.args...)
		} else {
			n.args = append(n.args, a)
		}
	}
	return n
}

// boolHint says how to make a condition of a number, or what else the operator may be meant to be.
func boolHint(n *node, op string) string {
	if n.typ == intType && (n.kind == inputNode || n.kind == featureNode) {
		return "write " + n.name + " != 0"
	}
	if n.typ == textType && op == "||" {
		return "to join texts, write +"
	}
	return ""
}

func (c *checker) cond(at int32, f *function, args []*node) *node {
	c.rejectNulls(args[:1])
	if args[0].typ != boolType {
		c.failHint(args[0].offset, boolHint(args[0], f.name), "the condition of ?: is bool, not %s", args[0].typ)
	}
	t := c.unify(args[1:], "the branches of ?:")
	return c.choice(at, condNode, f.name, t, args)
}

// coalesce checks coalesce, and if_null, which is coalesce of two.
func (c *checker) coalesce(at int32, f *function, args []*node) *node {
	c.rejectNulls(args)
	if len(args) == 0 || f.name == "if_null" && len(args) != 2 {
		return nil
	}
	return c.choice(at, coalesceNode, "coalesce", c.unify(args, "the arguments of "+f.name), args)
}

// choice makes a node whose value is one of its operands.
func (c *checker) choice(at int32, k kind, name string, t valueType, args []*node) *node {
	return &node{kind: k, name: name, typ: t, args: args, cost: len(args), offset: at}
}

func (c *checker) isNull(at int32, x *node) *node {
	c.rejectNulls([]*node{x})
	return &node{kind: isNullNode, name: "is_null", typ: boolType, args: []*node{x}, cost: 1, offset: at}
}

// compareNull checks x == null and x != null. It returns nil if neither side is null.
func (c *checker) compareNull(at int32, f *function, args []*node) *node {
	x := args[0]
	switch {
	case x.typ == nullType:
		x = args[1]
	case args[1].typ != nullType:
		return nil
	}
	n := c.isNull(at, x)
	if f.name == "==" {
		return n
	}
	return c.use(at, table["!"], table["!"].forms[0], []*node{n})
}

// negated returns the literal that a negated literal is; nil for any other operand.
func negated(x *node) *node {
	if x.kind != literalNode || x.lit.null || x.lit.i == -1<<63 || x.typ != intType && x.typ != floatType {
		return nil
	}
	x.lit.i, x.lit.f = -x.lit.i, -x.lit.f
	return x
}

// duration reads a literal length of time.
func (c *checker) duration(at int32, args []*node) *node {
	if len(args) != 1 || args[0].kind != literalNode || args[0].typ != textType {
		c.failHint(at, "for example duration('1d12h')", "duration takes one literal text")
	}
	d, err := fstore.ParseDuration(args[0].lit.s)
	if err != nil {
		bad := badText(args[0], err)
		c.failHint(bad.at.offset, bad.hint, "%s", bad.message)
	}
	return &node{kind: literalNode, typ: durationType, lit: literal{i: d.Micros()}, offset: at}
}
