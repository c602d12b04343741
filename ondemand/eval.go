package ondemand

import (
	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

// Fault says in how many rows an operator or function of a feature had no result for a reason, although it had its
// operands. Its result is then null, and so is the feature's, unless the expression goes on without it: coalesce(1 / n, 0).
type Fault struct {
	Feature string
	Reason  vector.Reason
	Rows    int
	First   int // the first of these rows
}

// Result has a column for each feature, in their order.
type Result struct {
	Columns []fstore.Column
	// Present has, for each feature, the rows that have a value of their own. In the others the column has the feature's
	// default, or null. A nil bitmap means all rows.
	Present []fstore.Bitmap
	Faults  []Fault
}

// Eval computes the features for a number of rows. It takes a column for each of Inputs, in their order. The error is one
// of the caller: a column is missing, or has another type or length.
func (p *Program) Eval(rows int, inputs []*fstore.Column) (*Result, error) {
	return p.evalWithin(rows, inputs, func(int) error { return nil })
}

// evalWithin is Eval with a function that is told of the bytes of texts and lists as they are made: after each feature of at most
// vector.Rows rows. Its error ends the evaluation.
func (p *Program) evalWithin(rows int, inputs []*fstore.Column, made func(bytes int) error) (*Result, error) {
	if err := p.checkInputs(rows, inputs); err != nil {
		return nil, err
	}
	r := p.newResult(rows)
	f := p.frame()
	defer f.release()
	copy(f.columns, inputs)
	for i := range r.Columns {
		f.columns[len(inputs)+i] = &r.Columns[i]
	}
	for f.from = 0; f.from < rows; f.from += vector.Rows {
		f.n = min(vector.Rows, rows-f.from)
		f.fill(f.n)
		clear(f.loaded)
		for i, root := range p.roots {
			f.store(r, i, f.eval(root, nil))
			f.faults.Take(func(why vector.Reason, rows, first int) { r.count(p.features[i].Name, why, rows, f.from+first) })
			if err := made(variableBytes(&r.Columns[i], f.from, f.n)); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

func (p *Program) checkInputs(rows int, inputs []*fstore.Column) error {
	if len(inputs) != len(p.inputs) {
		return fstore.Errorf(fstore.ErrInvalid, "the features read %d columns, got %d", len(p.inputs), len(inputs))
	}
	for i, in := range p.inputs {
		switch c := inputs[i]; {
		case c == nil:
			return fstore.Errorf(fstore.ErrInvalid, "the column %s is missing", in.expression())
		case c.Type != in.Type:
			return fstore.Errorf(fstore.ErrInvalid, "the column %s is %s, not %s", in.expression(), c.Type, in.Type)
		case c.Len != rows:
			return fstore.Errorf(fstore.ErrInvalid, "the column %s has %d rows, not %d", in.expression(), c.Len, rows)
		}
	}
	return nil
}

// count adds to the rows of a feature with a fault.
func (r *Result) count(feature string, why vector.Reason, rows, first int) {
	for i := range r.Faults {
		if f := &r.Faults[i]; f.Feature == feature && f.Reason == why {
			f.Rows += rows
			return
		}
	}
	r.Faults = append(r.Faults, Fault{feature, why, rows, first})
}

// eval computes a node for the rows of the chunk. The results of rows that are not active mean nothing, and no fault of
// theirs counts. A nil mask means that all rows are active.
func (f *frame) eval(n *node, active fstore.Bitmap) *vector.Vector {
	out := &f.vectors[n.slot]
	switch n.kind {
	case literalNode:
	case inputNode, featureNode:
		f.load(n.slot, active)
	case callNode:
		for _, a := range n.args {
			f.eval(a, active)
		}
		call := &f.calls[n.extra]
		call.N, call.Active = f.n, active
		out.Merge(call.Args, f.n)
		n.kernel(call)
	case andNode:
		f.evalLogic(n, out, active, false)
	case orNode:
		f.evalLogic(n, out, active, true)
	case condNode:
		f.evalCond(n, out, active)
	case coalesceNode:
		f.evalCoalesce(n, out, active)
	case isNullNode:
		x := f.eval(n.args[0], active)
		out.Valid = nil
		for i, b := 0, out.BoolsFor(f.n); i < f.n; i++ {
			b[i] = !x.Valid.Get(i)
		}
	case inNode:
		f.evalIn(n, out, active)
	case listNode:
		f.evalList(n, out, active)
	}
	return out
}

// evalLogic computes && and ||. A row is decided by its first operand that is true for ||, and false for &&. Later operands
// are not asked for it.
func (f *frame) evalLogic(n *node, out *vector.Vector, active fstore.Bitmap, decides bool) {
	result, open := out.BoolsFor(f.n), active
	repeat(result, !decides)
	out.Valid = nil
	for k, a := range n.args {
		x := f.eval(a, open)
		if x.Valid == nil && out.Valid == nil {
			for i, b := range x.Bools[:f.n] {
				if b == decides {
					result[i] = decides
				}
			}
		} else {
			f.decide(out, x, decides)
		}
		if k+1 < len(n.args) && n.args[k+1].lazy {
			open = f.undecided(f.mask(n, k%2), active, out, decides)
		}
	}
}

// decide adds one operand of && or || to the result, with nulls.
func (f *frame) decide(out, x *vector.Vector, decides bool) {
	valid := out.OwnValid(f.n)
	for i := range f.n {
		switch {
		case out.Bools[i] == decides: // before
		case !x.Valid.Get(i):
			valid.Clear(i)
		case x.Bools[i] == decides:
			out.Bools[i] = decides
			valid.Set(i)
		}
	}
}

// undecided writes the active rows that && or || has not decided yet.
func (f *frame) undecided(mask, active fstore.Bitmap, out *vector.Vector, decides bool) fstore.Bitmap {
	for i := range mask {
		mask[i] = 0
	}
	for i, b := range out.Bools[:f.n] {
		if b != decides && active.Get(i) {
			mask.Set(i)
		}
	}
	return mask
}

// evalCond computes c ? a : b.
func (f *frame) evalCond(n *node, out *vector.Vector, active fstore.Bitmap) {
	c := f.eval(n.args[0], active)
	yes, no := active, active
	if n.args[1].lazy || n.args[2].lazy {
		yes, no = f.mask(n, 0), f.mask(n, 1)
		clear(yes)
		clear(no)
		for i, b := range c.Bools[:f.n] {
			switch {
			case !c.Valid.Get(i) || !active.Get(i):
			case b:
				yes.Set(i)
			default:
				no.Set(i)
			}
		}
	}
	a, b := f.eval(n.args[1], yes), f.eval(n.args[2], no)
	out.Select(storageOf(n.typ), c, a, b, f.n)
}

// evalCoalesce takes the first operand that is not null.
func (f *frame) evalCoalesce(n *node, out *vector.Vector, active fstore.Bitmap) {
	out.Copy(storageOf(n.typ), f.eval(n.args[0], active), f.n)
	open := active
	for k, a := range n.args[1:] {
		if a.lazy {
			mask := f.mask(n, k%2)
			for i := range mask {
				mask[i] = 0
				if out.Valid != nil {
					mask[i] = ^out.Valid[i]
				}
				if active != nil {
					mask[i] &= active[i]
				}
			}
			open = mask
		}
		x := f.eval(a, open)
		out.FillNulls(storageOf(n.typ), x, f.n)
	}
}

// evalIn computes x in [a, b].
func (f *frame) evalIn(n *node, out *vector.Vector, active fstore.Bitmap) {
	x := f.eval(n.args[0], active)
	result := out.BoolsFor(f.n)
	repeat(result, false)
	out.Valid = nil
	for _, a := range n.args[1:] {
		out.OrEqual(storageOf(a.typ), x, f.eval(a, active), f.n)
	}
}

// evalList computes [a, b]. A list with a null element is null.
func (f *frame) evalList(n *node, out *vector.Vector, active fstore.Bitmap) {
	for _, a := range n.args {
		f.eval(a, active)
	}
	out.Interleave(storageOf(n.typ.elem()), f.calls[n.extra].Args, f.n)
}

// storageOf returns which slice of a vector holds the values of a type.
func storageOf(t valueType) vector.Storage {
	s := vector.InInts
	switch t.elem() {
	case boolType:
		s = vector.InBools
	case floatType:
		s = vector.InFloats
	case textType:
		s = vector.InTexts
	case bytesType:
		s = vector.InBytes
	default:
	}
	if t.isList() {
		s |= vector.InList
	}
	return s
}
