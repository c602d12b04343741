package ondemand

import (
	"strconv"

	"github.com/fstore-dev/fstore/ondemand/vector"
)

// kind says how a node gets its values.
type kind uint8

const (
	literalNode  kind = iota
	inputNode         // a column that the caller gives
	featureNode       // an earlier feature of the same view
	callNode          // a kernel; null where an operand is
	andNode           // && and || with any number of operands
	orNode            //
	condNode          // c ? a : b
	coalesceNode      // the first operand that is not null
	isNullNode        //
	inNode            // x in [a, b, c]
	listNode          // [a, b, c]
)

// node is a part of a checked expression.
type node struct {
	kind kind
	typ  valueType
	name string // of an input, a feature or a function
	args []*node
	lit  literal

	kernel vector.Kernel // of a call
	index  int           // of an input or feature
	slot   int           // of the vector that holds the values
	extra  int           // of a call: its vector.Call; of a node that chooses: its masks
	lazy   bool          // rows that nobody asks for are worth skipping: the node or an operand may fail, or is expensive
	cost   int           // of this node alone
	offset int32         // in the text, in code points
}

// literal is the value of a literal node. Unless it is null, its type says which member is in use.
type literal struct {
	null bool
	b    bool
	i    int64
	f    float64
	s    string
}

// appendTo writes the node in the form that fingerprints use. The form has everything that can change a value: names of
// functions and inputs, types and literals. It has nothing else: no positions, no layout, no costs. inputs has the names
// of inputs by index.
func (n *node) appendTo(out []byte, inputs []string) []byte {
	out = append(out, '(')
	switch n.kind {
	case literalNode:
		out = n.lit.appendTo(append(out, "lit"...), n.typ)
	case inputNode:
		out = strconv.AppendQuote(append(out, "input "...), inputs[n.index])
	case featureNode:
		out = strconv.AppendQuote(append(out, "feature "...), n.name)
	default:
		out = append(out, n.name...)
	}
	out = append(append(out, ':'), n.typ.String()...)
	for _, a := range n.args {
		out = a.appendTo(append(out, ' '), inputs)
	}
	return append(out, ')')
}

func (l literal) appendTo(out []byte, t valueType) []byte {
	out = append(out, ' ')
	if l.null {
		return append(out, "null"...)
	}
	switch t {
	case boolType:
		return strconv.AppendBool(out, l.b)
	case intType, timeType, durationType:
		return strconv.AppendInt(out, l.i, 10)
	case floatType:
		return strconv.AppendFloat(out, l.f, 'x', -1, 64)
	case textType, bytesType:
		return strconv.AppendQuoteToASCII(out, l.s)
	default:
		return out
	}
}

// asFloat turns a node of type int64 into one of float64 if its value is an integer literal, or chosen among integer
// literals. It reports whether it did. A literal that float64 cannot hold exactly stays an integer.
func (n *node) asFloat() bool {
	if !n.isIntLiteral() {
		return n.typ == floatType
	}
	n.toFloat()
	return true
}

// values returns the operands among which the node chooses its value; none for a node that computes.
func (n *node) values() []*node {
	switch n.kind {
	case condNode:
		return n.args[1:]
	case coalesceNode:
		return n.args
	default:
		return nil
	}
}

func (n *node) isIntLiteral() bool {
	if n.kind == literalNode {
		return n.typ == nullType || n.typ == intType && int64(float64(n.lit.i)) == n.lit.i && n.lit.i != 1<<63-1
	}
	if n.typ != intType || n.values() == nil {
		return false
	}
	for _, v := range n.values() {
		if !v.isIntLiteral() {
			return false
		}
	}
	return true
}

func (n *node) toFloat() {
	for _, v := range n.values() {
		v.toFloat()
	}
	if n.typ == intType {
		n.typ, n.lit = floatType, literal{f: float64(n.lit.i)}
	}
}

// setNull gives the literal nulls among the node's values the type of the values beside them.
func (n *node) setNull(t valueType) {
	for _, v := range n.values() {
		v.setNull(t)
	}
	if n.typ == nullType {
		n.typ = t
	}
}
