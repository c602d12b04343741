package ondemand

import (
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

// newResult returns the columns of a result. Those of scalars have their memory, all of a type in one piece, and no row is null.
func (p *Program) newResult(rows int) *Result {
	r := &Result{Columns: make([]fstore.Column, len(p.features)), Present: make([]fstore.Bitmap, len(p.features))}
	var n [fstore.NumTypes]int // values, by type
	for _, feature := range p.features {
		if !feature.Type.IsList() {
			n[feature.Type] += rows
		}
	}
	room := fstore.Column{
		Bools: make([]bool, n[fstore.Bool]), Int32s: make([]int32, n[fstore.Int32]), Int64s: make([]int64, n[fstore.Int64]+n[fstore.Timestamp]),
		Float32s: make([]float32, n[fstore.Float32]), Float64s: make([]float64, n[fstore.Float64]),
		Strings: make([]string, n[fstore.String]), Bytes: make([][]byte, n[fstore.Bytes]),
	}
	for i, feature := range p.features {
		c := &r.Columns[i]
		if feature.Type.IsList() {
			*c = fstore.NewColumn(feature.Name, feature.Type, rows)
		}
		c.Name, c.Type, c.Len = feature.Name, feature.Type, rows
		switch feature.Type {
		case fstore.Bool:
			c.Bools = cut(&room.Bools, rows)
		case fstore.Int32:
			c.Int32s = cut(&room.Int32s, rows)
		case fstore.Int64, fstore.Timestamp:
			c.Int64s = cut(&room.Int64s, rows)
		case fstore.Float32:
			c.Float32s = cut(&room.Float32s, rows)
		case fstore.Float64:
			c.Float64s = cut(&room.Float64s, rows)
		case fstore.String:
			c.Strings = cut(&room.Strings, rows)
		case fstore.Bytes:
			c.Bytes = cut(&room.Bytes, rows)
		}
	}
	return r
}

// cut takes the next n values off room.
func cut[T any](room *[]T, n int) []T {
	out := (*room)[:n:n]
	*room = (*room)[n:]
	return out
}

// store writes the values of feature i for the chunk. Here they get the feature's type: an int32 must be in range, a
// float32 is rounded to the nearest, and NaN and zero have one representation each.
func (f *frame) store(r *Result, i int, v *vector.Vector) {
	c, valid := &r.Columns[i], v.Valid
	if c.Type.Elem() == fstore.Int32 {
		valid = f.inRange(v, c.Type.IsList())
	}
	standIn := f.program.features[i].Default
	if c.Type.IsList() {
		f.storeLists(c, v, valid, standIn)
	} else {
		f.storeScalars(c, v)
	}
	if valid == nil {
		return
	}
	for row := range f.n {
		if valid.Get(row) {
			continue
		}
		if r.Present[i] == nil {
			r.Present[i] = fstore.NewBitmap(c.Len)
		}
		r.Present[i].Clear(f.from + row)
		if !c.Type.IsList() {
			replace(c, f.from+row, standIn)
		}
	}
	if standIn == nil {
		c.Valid = r.Present[i]
	}
}

// inRange returns the rows that are not null, without those whose integer is outside int32.
func (f *frame) inRange(v *vector.Vector, isList bool) fstore.Bitmap {
	var checked vector.Vector // v may be shared
	checked.Merge([]*vector.Vector{v}, f.n)
	for i := range f.n {
		from, to := i, i+1
		if isList {
			from, to = int(v.Offsets[i]), int(v.Offsets[i+1])
		}
		for j := from; j < to && checked.Valid.Get(i); j++ {
			if v.Ints[j] != int64(int32(v.Ints[j])) {
				checked.SetNull(i, f.n)
				f.faults.Add(i, vector.Overflow)
			}
		}
	}
	return checked.Valid
}

// zero has the value of a null row's slot, for each type.
var zero = fstore.Column{
	Bools: []bool{false}, Int32s: []int32{0}, Int64s: []int64{0}, Float32s: []float32{0}, Float64s: []float64{0},
	Strings: []string{""}, Bytes: [][]byte{nil},
}

// replace writes a feature's default, or zero where it has none, into the slot of a null row.
func replace(c *fstore.Column, row int, standIn *fstore.Value) {
	from := &zero
	if standIn != nil {
		from = &standIn.Column
	}
	switch c.Type {
	case fstore.Bool:
		c.Bools[row] = from.Bools[0]
	case fstore.Int32:
		c.Int32s[row] = from.Int32s[0]
	case fstore.Int64, fstore.Timestamp:
		c.Int64s[row] = from.Int64s[0]
	case fstore.Float32:
		c.Float32s[row] = from.Float32s[0]
	case fstore.Float64:
		c.Float64s[row] = from.Float64s[0]
	case fstore.String:
		c.Strings[row] = from.Strings[0]
	case fstore.Bytes:
		c.Bytes[row] = from.Bytes[0]
	}
}

func (f *frame) storeScalars(c *fstore.Column, v *vector.Vector) {
	from, n := f.from, f.n
	switch c.Type {
	case fstore.Bool:
		copy(c.Bools[from:], v.Bools[:n])
	case fstore.Int32:
		for i, x := range v.Ints[:n] {
			c.Int32s[from+i] = int32(x)
		}
	case fstore.Int64, fstore.Timestamp:
		copy(c.Int64s[from:], v.Ints[:n])
	case fstore.Float32:
		for i, x := range v.Floats[:n] {
			c.Float32s[from+i] = canonical32(x)
		}
	case fstore.Float64:
		out := c.Float64s[from:]
		for i, x := range v.Floats[:n] {
			out[i] = canonical(x)
		}
	case fstore.String:
		copy(c.Strings[from:], v.Texts[:n])
	case fstore.Bytes:
		copy(c.Bytes[from:], v.Bytes[:n])
	}
}

// canonical turns -0.0 into 0.0 and every NaN into one.
func canonical(x float64) float64 {
	if x != x {
		return math.NaN()
	}
	return x + 0
}

func canonical32(x float64) float32 {
	if x != x {
		return float32(math.NaN())
	}
	return float32(x) + 0
}

func (f *frame) storeLists(c *fstore.Column, v *vector.Vector, valid fstore.Bitmap, standIn *fstore.Value) {
	for i := range f.n {
		switch {
		case valid.Get(i):
			appendElements(c, v, int(v.Offsets[i]), int(v.Offsets[i+1]))
		case standIn != nil:
			c.AppendElements(&standIn.Column, 0, standIn.Elements())
		}
		c.Offsets = append(c.Offsets, int32(c.Elements()))
	}
}

func appendElements(c *fstore.Column, v *vector.Vector, from, to int) {
	switch c.Type.Elem() {
	case fstore.Bool:
		c.Bools = append(c.Bools, v.Bools[from:to]...)
	case fstore.Int32:
		for _, x := range v.Ints[from:to] {
			c.Int32s = append(c.Int32s, int32(x))
		}
	case fstore.Int64, fstore.Timestamp:
		c.Int64s = append(c.Int64s, v.Ints[from:to]...)
	case fstore.Float32:
		for _, x := range v.Floats[from:to] {
			c.Float32s = append(c.Float32s, canonical32(x))
		}
	case fstore.Float64:
		for _, x := range v.Floats[from:to] {
			c.Float64s = append(c.Float64s, canonical(x))
		}
	case fstore.String:
		c.Strings = append(c.Strings, v.Texts[from:to]...)
	case fstore.Bytes:
		c.Bytes = append(c.Bytes, v.Bytes[from:to]...)
	}
}

// variableBytes returns the bytes of n rows of texts, bytes or lists. Values of fixed width have none.
func variableBytes(c *fstore.Column, from, n int) (size int) {
	to := from + n
	if c.Type.IsList() {
		from, to = int(c.Offsets[from]), int(c.Offsets[to])
		size = (to - from) * c.Type.Elem().Width()
	}
	switch c.Type.Elem() {
	case fstore.String:
		for _, s := range c.Strings[from:to] {
			size += len(s)
		}
	case fstore.Bytes:
		for _, b := range c.Bytes[from:to] {
			size += len(b)
		}
	case fstore.Bool, fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.Timestamp:
		return size
	}
	if c.Type.IsList() {
		const header = 16 // of a string or of bytes
		size += header * (to - from)
	}
	return size
}
