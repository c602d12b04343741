// Package vector holds the loops over values from which on-demand features are computed: one kernel for each operator
// and function and each type. A kernel works on a chunk of rows at a time and boxes no value.
//
// A kernel never fails. A row that has no result becomes null, and its reason is counted (see Call.Fail). The values in
// the slots of null rows mean nothing.
package vector

import (
	"math/bits"

	"github.com/fstore-dev/fstore"
)

// Rows is the largest number of rows in a chunk. The vectors of an expression then stay in the processor's cache.
const Rows = 1024

// Vector holds the values of a chunk of rows. Which slice is in use depends on the type: Ints holds int64 and int32
// values, instants and lengths of time in microseconds; Floats holds float64 and float32 values. Row i of a list has the
// elements from Offsets[i] to Offsets[i+1].
type Vector struct {
	Valid fstore.Bitmap // the rows that are not null; nil if no row is null

	Bools   []bool
	Ints    []int64
	Floats  []float64
	Texts   []string
	Bytes   [][]byte
	Offsets []int32

	own   fstore.Bitmap // memory for Valid
	owned bool          // Valid is own, not the bitmap of an operand
}

// sized returns a slice of n values. It uses the memory of s if that is large enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// BoolsFor returns the vector's memory for n results of type bool. The other methods of this form do the same for
// their types.
func (v *Vector) BoolsFor(n int) []bool {
	v.Bools = sized(v.Bools, n)
	return v.Bools
}

// IntsFor returns memory for n integers, instants or lengths of time.
func (v *Vector) IntsFor(n int) []int64 {
	v.Ints = sized(v.Ints, n)
	return v.Ints
}

// FloatsFor returns memory for n floats.
func (v *Vector) FloatsFor(n int) []float64 {
	v.Floats = sized(v.Floats, n)
	return v.Floats
}

// TextsFor returns memory for n texts.
func (v *Vector) TextsFor(n int) []string {
	v.Texts = sized(v.Texts, n)
	return v.Texts
}

// BytesFor returns memory for n values of bytes.
func (v *Vector) BytesFor(n int) [][]byte {
	v.Bytes = sized(v.Bytes, n)
	return v.Bytes
}

// OffsetsFor returns memory for the offsets of n lists. The first offset is 0.
func (v *Vector) OffsetsFor(n int) []int32 {
	v.Offsets = sized(v.Offsets, n+1)
	v.Offsets[0] = 0
	return v.Offsets
}

// SetNull makes row i of n null.
func (v *Vector) SetNull(i, n int) {
	if v.Valid == nil || !v.owned {
		v.OwnValid(n)
	}
	v.Valid.Clear(i)
}

// OwnValid gives the vector a bitmap of its own that can be changed, with the nulls it has.
func (v *Vector) OwnValid(n int) fstore.Bitmap {
	switch own := sized(v.own, (n+7)/8); {
	case v.Valid == nil:
		for i := range own {
			own[i] = 0xff
		}
		v.own = own
	case !v.owned:
		copy(own, v.Valid)
		v.own = own
	}
	v.Valid, v.owned = v.own, true
	return v.own
}

// AllNull makes all of n rows null.
func (v *Vector) AllNull(n int) {
	v.Valid = nil
	clear(v.OwnValid(n))
}

// Merge makes the rows null that are null in any of the operands.
func (v *Vector) Merge(operands []*Vector, n int) {
	v.Valid = nil
	for _, o := range operands {
		switch {
		case o.Valid == nil:
		case v.Valid == nil:
			v.Valid, v.owned = o.Valid, false
			v.OwnValid(n) // the operand's memory may be used again before the result is read
		default:
			valid := v.OwnValid(n)
			for i := range valid {
				valid[i] &= o.Valid[i]
			}
		}
	}
}

// Call is one use of a kernel: N rows of Args give those of Out. Out.Valid has the nulls of the operands already.
type Call struct {
	N      int
	Args   []*Vector
	Out    *Vector
	Active fstore.Bitmap // the rows whose result is asked for; nil means all
	Faults *Faults
}

// Kernel computes the results of a call.
type Kernel func(*Call)

// Fail makes row i null and counts the reason. It does nothing if the row is null because an operand is.
func (c *Call) Fail(i int, why Reason) {
	if !c.Out.Valid.Get(i) {
		return
	}
	c.Out.SetNull(i, c.N)
	if c.Active.Get(i) {
		c.Faults.Add(i, why)
	}
}

// Skip reports whether row i needs no result: an operand is null, or nobody asks for the row. Kernels whose work is
// expensive call it for each row.
func (c *Call) Skip(i int) bool { return !c.Out.Valid.Get(i) || !c.Active.Get(i) }

// Reason says why a row has no result although it has its operands.
type Reason uint8

// The reasons.
const (
	Overflow       Reason = iota // an integer is outside the range of its type
	DivisionByZero               // an integer is divided by zero
	Conversion                   // a value cannot be converted
	InstantRange                 // an instant is before the year 1 or after the year 9999
	TextTooLong                  // a text is longer than MaxText
	ListTooLong                  // a list is longer than MaxList
	UnknownZone                  // a column holds a zone that does not exist
	OutOfBounds                  // a list has no element of the index
	Argument                     // an argument has no meaning for the function
	NumReasons
)

var reasonNames = [NumReasons]string{
	"integer overflow", "division by zero", "failed conversion", "instant out of range", "text too long", "list too long",
	"unknown time zone", "index out of bounds", "argument out of range",
}

// String returns the reason as messages write it.
func (r Reason) String() string { return reasonNames[r] }

// The largest values.
const (
	MaxText = 64 << 10 // bytes of a text
	MaxList = 4096     // elements of a list
)

// Faults records which rows of a chunk have no result, for each reason.
type Faults struct {
	any  bool
	rows [NumReasons]fstore.Bitmap
}

// Add records that row i has no result for a reason.
func (f *Faults) Add(i int, why Reason) {
	f.any = true
	if f.rows[why] == nil {
		f.rows[why] = make(fstore.Bitmap, Rows/8)
	}
	f.rows[why].Set(i)
}

// Take calls visit for each reason with the number of rows and the first of them, and forgets them.
func (f *Faults) Take(visit func(why Reason, rows, first int)) {
	if !f.any {
		return
	}
	f.any = false
	for why := range NumReasons {
		rows, first := 0, -1
		for i, b := range f.rows[why] {
			if b != 0 && first < 0 {
				first = i*8 + bits.TrailingZeros8(b)
			}
			rows += bits.OnesCount8(b)
		}
		if rows > 0 {
			visit(why, rows, first)
			clear(f.rows[why])
		}
	}
}
