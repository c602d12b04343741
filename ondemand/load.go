package ondemand

import (
	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

// load puts the chunk's rows of an input or a feature into its vector, once for all expressions that read it. Rows whose
// value is too large are null. They count for each feature that reads them.
func (f *frame) load(slot int, active fstore.Bitmap) {
	if !f.loaded[slot] {
		f.loaded[slot] = true
		f.bad[slot].rows = nil
		v := &f.vectors[slot]
		v.Load(f.columns[slot], f.from, f.n)
		f.rejectLarge(slot, v)
	}
	if bad := &f.bad[slot]; bad.rows != nil {
		for i := range f.n {
			if bad.rows.Get(i) && active.Get(i) {
				f.faults.Add(i, bad.why)
			}
		}
	}
}

// rejectLarge makes rows null whose text or list is longer than an expression may read.
func (f *frame) rejectLarge(slot int, v *vector.Vector) {
	bad := &f.bad[slot]
	reject := func(i int, why vector.Reason) {
		if !v.Valid.Get(i) {
			return
		}
		if bad.rows == nil {
			bad.why, bad.rows = why, make(fstore.Bitmap, (f.n+7)/8)
		}
		bad.rows.Set(i)
		v.SetNull(i, f.n)
	}
	switch t := f.columns[slot].Type; {
	case t.IsList():
		for i := range f.n {
			if v.Offsets[i+1]-v.Offsets[i] > vector.MaxList {
				reject(i, vector.ListTooLong)
			}
		}
	case t == fstore.String:
		for i, s := range v.Texts[:f.n] {
			if len(s) > vector.MaxText {
				reject(i, vector.TextTooLong)
			}
		}
	}
}
