package ondemand

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/fstore-dev/fstore"
)

// checker turns the syntax of one expression into nodes.
type checker struct {
	*scope
	program *Program // what it reads so far
	index   int      // of the feature: the expression may read those before it
	source  *ast.SourceInfo
	text    []rune
	nodes   int
}

// failure carries the first problem of an expression out of the recursion of check. A problem without a message is
// reported elsewhere.
type failure struct{ Problem }

// checkExpression returns the tree of an expression whose value has type want. want is noType where any will do.
func (c *checker) checkExpression(tree *ast.AST, want valueType) (n *node, p *Problem) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			n, p = nil, &r.Problem
		default:
			panic(r)
		}
	}()
	c.source = tree.SourceInfo()
	n = c.check(tree.Expr(), 1)
	if n.typ == nullType {
		c.fail(n.offset, "the expression is always null")
	}
	if want == floatType {
		n.asFloat()
	}
	if want != noType && n.typ != want {
		c.failHint(n.offset, conversionHint(n, want), "the feature is declared %s, but its expression is %s", want, n.typ)
	}
	return n, nil
}

func (c *checker) fail(offset int32, format string, args ...any) {
	c.failHint(offset, "", format, args...)
}

func (c *checker) failHint(offset int32, hint, format string, args ...any) {
	at := c.source.GetLocationByOffset(offset)
	panic(failure{Problem{Line: at.Line(), Col: at.Column() + 1, Message: fmt.Sprintf(format, args...), Hint: hint}})
}

func (c *checker) offset(e ast.Expr) int32 {
	r, _ := c.source.GetOffsetRange(e.ID())
	return r.Start
}

func (c *checker) check(e ast.Expr, depth int) *node {
	if c.nodes++; c.nodes > MaxNodes {
		panic(failure{*tooLarge()})
	}
	if depth > MaxDepth {
		panic(failure{*tooDeep()})
	}
	at := c.offset(e)
	switch e.Kind() {
	case ast.LiteralKind:
		return c.checkLiteral(e)
	case ast.IdentKind:
		return c.name(at, e.AsIdent())
	case ast.SelectKind:
		s := e.AsSelect()
		if s.Operand().Kind() != ast.IdentKind {
			c.failHint(at, "a feature is written view.feature", "only a view has features")
		}
		return c.name(c.offset(s.Operand()), s.Operand().AsIdent()+"."+s.FieldName())
	case ast.CallKind:
		return c.call(e, depth)
	case ast.ListKind:
		return c.list(e, depth)
	case ast.MapKind:
		c.fail(at, "maps are not supported")
	case ast.StructKind:
		c.fail(at, "messages such as %s{} are not supported", e.AsStruct().TypeName())
	default:
		c.fail(at, "this syntax is not supported")
	}
	return nil
}

func (c *checker) checkLiteral(e ast.Expr) *node {
	n := &node{kind: literalNode, offset: c.offset(e)}
	switch v := e.AsLiteral().(type) {
	case types.Null:
		n.typ, n.lit.null = nullType, true
	case types.Bool:
		n.typ, n.lit.b = boolType, bool(v)
	case types.Int:
		n.typ, n.lit.i = intType, int64(v)
	case types.Double:
		n.typ, n.lit.f = floatType, float64(v)
	case types.String:
		n.typ, n.lit.s = textType, string(v)
	case types.Bytes:
		n.typ, n.lit.s = bytesType, string(v)
	case types.Uint:
		c.failHint(n.offset, fmt.Sprintf("write %d", uint64(v)), "unsigned integers are not supported")
	default:
		c.fail(n.offset, "literals of this kind are not supported")
	}
	if len(n.lit.s) > maxLiteral {
		c.fail(n.offset, "the literal is longer than %d bytes", maxLiteral)
	}
	return n
}

// maxLiteral is the longest text or bytes literal, in bytes. It cannot be reached: see MaxCharacters.
const maxLiteral = 4 * MaxCharacters

// name resolves the name of a column or of an earlier feature.
func (c *checker) name(at int32, name string) *node {
	i, isFeature := c.features[name]
	if isFeature && i < c.index {
		t := c.program.features[i].Type
		return c.known(&node{kind: featureNode, name: name, index: i, typ: typeOf(t), offset: at})
	}
	if name == atName {
		return c.input(at, Input{AtInput, atName, fstore.Timestamp})
	}
	if t, ok := c.columns[name]; ok {
		return c.input(at, Input{ColumnInput, name, t})
	}
	if isFeature && i == c.index {
		c.fail(at, "the feature %s uses itself", name)
	} else if isFeature {
		c.failHint(at, "move "+name+" up", "%s comes later in the view, so it is not known yet", name)
	}
	if view, _, _ := strings.Cut(name, "."); slices.Contains(c.env.Unknown, view) {
		panic(failure{}) // reported elsewhere
	}
	c.failHint(at, c.nameHint(name, c.names), "unknown name %s", name)
	return nil
}

// nameHint says what to write for a name that is unknown: of a column, of a feature, or of a view, which ends with a dot.
func (c *checker) nameHint(name string, known func() []string) string {
	if hint := nameHint(name); hint != "" {
		return hint
	}
	nearest := c.nearest(strings.TrimSuffix(name, "."), known)
	view, feature, ok := strings.Cut(name, ".")
	switch {
	case !ok || strings.HasPrefix(nearest, "did you mean"):
		return nearest
	case feature == "":
		return "add a feature of it to uses, such as " + view + ".*"
	}
	return "add " + name + " to uses"
}

// known returns a node unless what it reads has no type, which is reported elsewhere.
func (c *checker) known(n *node) *node {
	if n.typ == noType {
		panic(failure{})
	}
	return n
}

// names returns every name that the expression could use.
func (c *checker) names() []string {
	names := []string{atName}
	for _, col := range c.env.Columns {
		names = append(names, col.Name)
	}
	for _, f := range c.program.features[:c.index] {
		names = append(names, f.Name)
	}
	return names
}

func (c *checker) input(at int32, in Input) *node {
	return c.known(&node{kind: inputNode, name: in.expression(), index: c.program.input(in), typ: typeOf(in.Type), offset: at})
}

// operatorNames maps the parser's names of operators to those of the table.
var operatorNames = map[string]string{
	operators.Add: "+", operators.Subtract: "-", operators.Multiply: "*", operators.Divide: "/", operators.Modulo: "%",
	operators.Negate: "-x", operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">",
	operators.GreaterEquals: ">=", operators.Equals: "==", operators.NotEquals: "!=", operators.LogicalAnd: "&&",
	operators.LogicalOr: "||", operators.LogicalNot: "!", operators.Conditional: "?:", operators.In: "in",
	operators.Index: "[]",
}

func (c *checker) call(e ast.Expr, depth int) *node {
	call := e.AsCall()
	at := c.offset(e)
	if call.IsMemberFunction() {
		c.failHint(c.nameBefore(at, call.FunctionName()), c.memberHint(call), "functions are not called as members")
	}
	name, isOperator := operatorNames[call.FunctionName()]
	if !isOperator {
		name = call.FunctionName()
		at = c.nameBefore(at, name)
	}
	if name == "event" {
		return c.event(at, call.Args())
	}
	f, ok := table[name]
	if !ok || f.operator != isOperator {
		c.failHint(at, unknownFunctionHint(name), "unknown function %s", name)
	}
	if name == "in" && call.Args()[1].Kind() == ast.ListKind {
		return c.in(at, call.Args(), depth)
	}
	args := make([]*node, len(call.Args()))
	for i, a := range call.Args() {
		args[i] = c.check(a, depth+1)
	}
	if n := c.special(at, f, args); n != nil {
		return n
	}
	return c.resolve(at, f, args)
}

// nameBefore returns the offset of the function's name before the parenthesis at an offset.
func (c *checker) nameBefore(parenthesis int32, name string) int32 {
	end := int(parenthesis)
	for end > 0 && unicode.IsSpace(c.text[end-1]) {
		end--
	}
	if start := end - len([]rune(name)); start >= 0 && string(c.text[start:end]) == name {
		return int32(start)
	}
	return parenthesis
}

func (c *checker) event(at int32, args []ast.Expr) *node {
	if len(args) != 1 || args[0].Kind() != ast.IdentKind {
		c.failHint(at, "for example event(customer_orders)", "event takes the name of one view")
	}
	name := args[0].AsIdent()
	at = c.offset(args[0])
	if slices.Contains(c.env.Events, name) {
		return c.input(at, Input{EventInput, name, fstore.Timestamp})
	}
	if why, ok := c.env.NoEvents[name]; ok {
		c.fail(at, "event(%s) has no instant: %s", name, why)
	}
	if slices.Contains(c.env.Unknown, name) {
		panic(failure{}) // reported elsewhere
	}
	c.failHint(at, c.nameHint(name+".", func() []string { return c.env.Events }), "unknown view %s", name)
	return nil
}
