package ondemand

import (
	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

// plan says where an evaluation keeps its values. The first vectors hold the inputs, then come those of the features that
// other features read, then literals and results. Results share vectors: one that has been read makes room for the next.
type plan struct {
	vectors  int
	calls    []*node // those with operands in a vector.Call
	literals []*node
	masks    int
}

// placer gives nodes their vectors.
type placer struct {
	*plan
	inputs int
	free   map[valueType][]int
}

func (p *Program) place() plan {
	pl := placer{&plan{vectors: len(p.inputs) + len(p.features)}, len(p.inputs), map[valueType][]int{}}
	for _, root := range p.roots {
		pl.place(root)
		pl.release(root)
	}
	return *pl.plan
}

func (pl *placer) place(n *node) {
	switch n.kind {
	case inputNode, featureNode:
		n.slot = n.index
		if n.kind == featureNode {
			n.slot += pl.inputs
		}
		n.lazy = n.typ.isList() || n.typ == textType // may be too long: see load
		return
	case literalNode:
		n.slot = pl.vector()
		pl.literals = append(pl.literals, n)
		return
	case callNode, listNode:
		n.extra = len(pl.calls)
		pl.calls = append(pl.calls, n)
	case andNode, orNode, condNode, coalesceNode, isNullNode, inNode:
		n.extra = pl.masks
		pl.masks += 2
	}
	early := n.writesEarly()
	if early {
		n.slot = pl.take(n.typ)
	}
	for _, a := range n.args {
		pl.place(a)
		n.lazy = n.lazy || a.lazy
	}
	if !early {
		n.slot = pl.take(n.typ)
	}
	for _, a := range n.args {
		pl.release(a)
	}
}

// writesEarly reports whether the node writes its result before it has evaluated all its operands. Then none of them may
// use the result's vector meanwhile.
func (n *node) writesEarly() bool {
	switch n.kind {
	case andNode, orNode, coalesceNode, inNode:
		return true
	default:
		return false
	}
}

// take returns a vector that nobody uses, for results of a type.
func (pl *placer) take(t valueType) int {
	free := pl.free[t]
	if len(free) == 0 {
		return pl.vector()
	}
	pl.free[t] = free[:len(free)-1]
	return free[len(free)-1]
}

func (pl *placer) vector() int {
	pl.vectors++
	return pl.vectors - 1
}

// release lets later nodes use the vector of a result that has been read.
func (pl *placer) release(n *node) {
	switch n.kind {
	case literalNode, inputNode, featureNode: // keep theirs
	default:
		pl.free[n.typ] = append(pl.free[n.typ], n.slot)
	}
}

// frame is the memory of an evaluation.
type frame struct {
	program *Program
	vectors []vector.Vector
	calls   []vector.Call
	masks   []fstore.Bitmap
	filled  int // the rows for which the literals are there
	faults  vector.Faults

	columns []*fstore.Column // the inputs, then the features
	loaded  []bool           // by vector of an input or a feature
	bad     []badRows
	from, n int // the chunk
}

// badRows are the rows of a column whose value is larger than an expression may read.
type badRows struct {
	why  vector.Reason
	rows fstore.Bitmap // nil if there are none
}

// release lets another evaluation use the memory. It keeps none of the caller's columns.
func (f *frame) release() {
	for i, c := range f.columns {
		if c != nil {
			f.vectors[i].Forget(c.Type)
		}
	}
	clear(f.columns)
	f.program.frames.Put(f)
}

// frame returns memory that no other evaluation uses. The caller releases it.
func (p *Program) frame() *frame {
	if f, ok := p.frames.Get().(*frame); ok {
		return f
	}
	sources := len(p.inputs) + len(p.features)
	f := &frame{
		program: p, vectors: make([]vector.Vector, p.plan.vectors), calls: make([]vector.Call, len(p.plan.calls)),
		masks: make([]fstore.Bitmap, p.plan.masks), columns: make([]*fstore.Column, sources), loaded: make([]bool, sources),
		bad: make([]badRows, sources),
	}
	for i, n := range p.plan.calls {
		call := &f.calls[i]
		call.Out, call.Faults, call.Args = &f.vectors[n.slot], &f.faults, make([]*vector.Vector, len(n.args))
		for j, a := range n.args {
			call.Args[j] = &f.vectors[a.slot]
		}
	}
	return f
}

// fill makes the literals at least n rows long.
func (f *frame) fill(n int) {
	if n <= f.filled {
		return
	}
	for f.filled = max(1, f.filled); f.filled < n; f.filled *= 2 {
	}
	for _, l := range f.program.plan.literals {
		v := &f.vectors[l.slot]
		if l.lit.null {
			v.AllNull(f.filled)
		}
		switch l.typ {
		case boolType:
			repeat(v.BoolsFor(f.filled), l.lit.b)
		case intType, timeType, durationType:
			repeat(v.IntsFor(f.filled), l.lit.i)
		case floatType:
			repeat(v.FloatsFor(f.filled), l.lit.f)
		case textType:
			repeat(v.TextsFor(f.filled), l.lit.s)
		case bytesType:
			repeat(v.BytesFor(f.filled), []byte(l.lit.s))
		default: // a null list
			clear(v.OffsetsFor(f.filled))
		}
	}
}

func repeat[T any](values []T, v T) {
	for i := range values {
		values[i] = v
	}
}

// mask returns one of the two masks of a node that chooses.
func (f *frame) mask(n *node, which int) fstore.Bitmap {
	m := &f.masks[n.extra+which]
	if need := (f.filled + 7) / 8; len(*m) < need {
		*m = make(fstore.Bitmap, need)
	}
	return (*m)[:(f.n+7)/8]
}
