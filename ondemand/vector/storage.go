package vector

import (
	"bytes"

	"github.com/fstore-dev/fstore"
)

// Storage says which slice of a vector holds values: InTexts, or InTexts|InList for lists of texts.
type Storage uint8

// The slices.
const (
	InBools Storage = iota
	InInts
	InFloats
	InTexts
	InBytes

	InList Storage = 0x80
)

// Load makes the vector hold n rows of a column, beginning with row from, which is a multiple of 8. The vector uses the
// column's memory where the values need no conversion.
func (v *Vector) Load(c *fstore.Column, from, n int) {
	v.Valid, v.owned = nil, false
	if c.Valid != nil {
		v.Valid = c.Valid[from/8 : (from+n+7)/8]
	}
	if c.Type.IsList() {
		v.Offsets = c.Offsets[from : from+n+1]
		from, n = 0, int(c.Offsets[from+n])
		if first := int(v.Offsets[0]); c.Type.Elem() == fstore.Int32 || c.Type.Elem() == fstore.Float32 {
			from, n = first, n-first
			v.Offsets = rebased(v.Offsets)
		}
	}
	switch c.Type.Elem() {
	case fstore.Bool:
		v.Bools = c.Bools[from : from+n]
	case fstore.Int32:
		out := v.IntsFor(n)
		for i, x := range c.Int32s[from : from+n] {
			out[i] = int64(x)
		}
	case fstore.Int64, fstore.Timestamp:
		v.Ints = c.Int64s[from : from+n]
	case fstore.Float32:
		out := v.FloatsFor(n)
		for i, x := range c.Float32s[from : from+n] {
			out[i] = float64(x)
		}
	case fstore.Float64:
		v.Floats = c.Float64s[from : from+n]
	case fstore.String:
		v.Texts = c.Strings[from : from+n]
	case fstore.Bytes:
		v.Bytes = c.Bytes[from : from+n]
	}
}

// Forget drops the memory of the column that the vector was loaded from.
func (v *Vector) Forget(t fstore.Type) {
	v.Valid, v.Offsets = nil, nil
	if t.Elem() != fstore.Int32 && t.Elem() != fstore.Float32 { // those are converted into memory of the vector's own
		*v = Vector{own: v.own}
	}
}

// rebased returns offsets that begin with 0.
func rebased(offsets []int32) []int32 {
	out := make([]int32, len(offsets))
	for i, o := range offsets {
		out[i] = o - offsets[0]
	}
	return out
}

// Copy makes the vector hold the values of another.
func (v *Vector) Copy(s Storage, from *Vector, n int) {
	v.Valid = nil
	if from.Valid != nil {
		v.Valid, v.owned = from.Valid, false
		v.OwnValid(n)
	}
	if s&InList != 0 {
		v.Gather(s, n, func(int) *Vector { return from })
		return
	}
	switch s {
	case InBools:
		copy(v.BoolsFor(n), from.Bools)
	case InInts:
		copy(v.IntsFor(n), from.Ints)
	case InFloats:
		copy(v.FloatsFor(n), from.Floats)
	case InTexts:
		copy(v.TextsFor(n), from.Texts)
	case InBytes:
		copy(v.BytesFor(n), from.Bytes)
	default: // lists are gathered above
	}
}

// Gather makes the vector hold lists: row i is row i of the vector that from returns.
func (v *Vector) Gather(s Storage, n int, from func(i int) *Vector) {
	offsets := v.OffsetsFor(n)
	v.Bools, v.Ints, v.Floats, v.Texts, v.Bytes = v.Bools[:0], v.Ints[:0], v.Floats[:0], v.Texts[:0], v.Bytes[:0]
	length := 0
	for i := range n {
		if src := from(i); src.Valid.Get(i) {
			a, b := src.Offsets[i], src.Offsets[i+1]
			v.appendElements(s, src, a, b)
			length += int(b - a)
		}
		offsets[i+1] = int32(length)
	}
}

func (v *Vector) appendElements(s Storage, src *Vector, from, to int32) {
	switch s &^ InList {
	case InBools:
		v.Bools = append(v.Bools, src.Bools[from:to]...)
	case InInts:
		v.Ints = append(v.Ints, src.Ints[from:to]...)
	case InFloats:
		v.Floats = append(v.Floats, src.Floats[from:to]...)
	case InTexts:
		v.Texts = append(v.Texts, src.Texts[from:to]...)
	case InBytes:
		v.Bytes = append(v.Bytes, src.Bytes[from:to]...)
	default: // there are no other elements
	}
}

// Select makes the vector hold a's rows where c is true, b's where c is false, and null where c is null.
func (v *Vector) Select(s Storage, c, a, b *Vector, n int) {
	v.selectValid(c, a, b, n)
	switch s {
	case InBools:
		choose(c.Bools, a.Bools, b.Bools, v.BoolsFor(n))
	case InInts:
		choose(c.Bools, a.Ints, b.Ints, v.IntsFor(n))
	case InFloats:
		choose(c.Bools, a.Floats, b.Floats, v.FloatsFor(n))
	case InTexts:
		choose(c.Bools, a.Texts, b.Texts, v.TextsFor(n))
	case InBytes:
		choose(c.Bools, a.Bytes, b.Bytes, v.BytesFor(n))
	default:
		v.Gather(s, n, func(i int) *Vector {
			if c.Bools[i] {
				return a
			}
			return b
		})
	}
}

func choose[T any](c []bool, a, b, out []T) {
	a, b, c = a[:len(out)], b[:len(out)], c[:len(out)]
	for i := range out {
		x := b[i]
		if c[i] {
			x = a[i]
		}
		out[i] = x
	}
}

func (v *Vector) selectValid(c, a, b *Vector, n int) {
	v.Valid = nil
	if c.Valid == nil && a.Valid == nil && b.Valid == nil {
		return
	}
	valid := v.OwnValid(n)
	for i := range n {
		src := b
		if c.Bools[i] {
			src = a
		}
		if !c.Valid.Get(i) || !src.Valid.Get(i) {
			valid.Clear(i)
		}
	}
}

// FillNulls puts another vector's rows in the place of null ones.
func (v *Vector) FillNulls(s Storage, from *Vector, n int) {
	if v.Valid == nil {
		return
	}
	if s&InList != 0 {
		was := *v
		v.Offsets, v.Bools, v.Ints, v.Floats, v.Texts, v.Bytes = nil, nil, nil, nil, nil, nil
		v.Gather(s, n, func(i int) *Vector {
			if was.Valid.Get(i) {
				return &was
			}
			return from
		})
	}
	for i := range n {
		if v.Valid.Get(i) || !from.Valid.Get(i) {
			continue
		}
		v.Valid.Set(i)
		switch s {
		case InBools:
			v.Bools[i] = from.Bools[i]
		case InInts:
			v.Ints[i] = from.Ints[i]
		case InFloats:
			v.Floats[i] = from.Floats[i]
		case InTexts:
			v.Texts[i] = from.Texts[i]
		case InBytes:
			v.Bytes[i] = from.Bytes[i]
		default: // lists are gathered above
		}
	}
}

// OrEqual adds one element to the result of x in [...], which is true once an element is equal, else null once x or an
// element is null.
func (v *Vector) OrEqual(s Storage, x, element *Vector, n int) {
	for i := range n {
		switch {
		case v.Bools[i]:
		case !x.Valid.Get(i) || !element.Valid.Get(i):
			v.SetNull(i, n)
		case x.equals(s, i, element, i):
			v.Bools[i] = true
			if v.Valid != nil {
				v.Valid.Set(i)
			}
		}
	}
}

// equals compares value i with value j of another vector.
func (v *Vector) equals(s Storage, i int, o *Vector, j int) bool {
	switch s {
	case InBools:
		return v.Bools[i] == o.Bools[j]
	case InInts:
		return v.Ints[i] == o.Ints[j]
	case InFloats:
		return v.Floats[i] == o.Floats[j]
	case InTexts:
		return v.Texts[i] == o.Texts[j]
	case InBytes:
		return bytes.Equal(v.Bytes[i], o.Bytes[j])
	default: // lists are not compared
		return false
	}
}

// Interleave makes the vector hold lists: row i has row i of each part. It is null where one of them is.
func (v *Vector) Interleave(s Storage, parts []*Vector, n int) {
	v.Merge(parts, n)
	offsets := v.OffsetsFor(n)
	v.Bools, v.Ints, v.Floats, v.Texts, v.Bytes = v.Bools[:0], v.Ints[:0], v.Floats[:0], v.Texts[:0], v.Bytes[:0]
	for i := range n {
		for _, p := range parts {
			v.appendElements(s, p, int32(i), int32(i+1))
		}
		offsets[i+1] = int32((i + 1) * len(parts))
	}
}
