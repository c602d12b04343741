// Package packed writes values as bytes and reads them back. Records of the online store hold values in this form, and so
// do the tiles of windows.
//
// A value of a fixed-width type takes Type.Width bytes. Strings and bytes are written as they are. A list has its elements
// back to back, each string or bytes after its length as a uvarint. A value does not tell its own length. All numbers are
// little-endian. Equal values have equal bytes: there is one zero and one NaN.
package packed

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/fstore-dev/fstore"
)

var le = binary.LittleEndian

// PutFixed writes element i of a column, which has fixed width, to the beginning of dst.
func PutFixed(dst []byte, c *fstore.Column, i int) {
	switch c.Type.Elem() {
	case fstore.Bool:
		if c.Bools[i] {
			dst[0] = 1
		} else {
			dst[0] = 0
		}
	case fstore.Int32:
		le.PutUint32(dst, uint32(c.Int32s[i]))
	case fstore.Int64, fstore.Timestamp:
		le.PutUint64(dst, uint64(c.Int64s[i]))
	case fstore.Float32:
		le.PutUint32(dst, float32Bits(c.Float32s[i]))
	case fstore.Float64:
		le.PutUint64(dst, float64Bits(c.Float64s[i]))
	case fstore.String, fstore.Bytes: // not of fixed width
	}
}

// float64Bits maps both zeros to one pattern and every NaN to one, so that equal values are equal bytes.
func float64Bits(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return 0x7ff8000000000000
	}
	return math.Float64bits(f)
}

func float32Bits(f float32) uint32 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return 0x7fc00000
	}
	return math.Float32bits(f)
}

// Size returns the number of bytes that Append appends.
func Size(c *fstore.Column, row int) int {
	if !c.Type.IsList() {
		return textLen(c, row)
	}
	from, to := int(c.Offsets[row]), int(c.Offsets[row+1])
	if w := c.Type.Elem().Width(); w > 0 {
		return (to - from) * w
	}
	size := 0
	for i := from; i < to; i++ {
		n := textLen(c, i)
		size += uvarintLen(uint64(n)) + n
	}
	return size
}

func textLen(c *fstore.Column, i int) int {
	if c.Type.Elem() == fstore.String {
		return len(c.Strings[i])
	}
	return len(c.Bytes[i])
}

func uvarintLen(n uint64) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// Append appends a value that is not null and has no fixed width.
func Append(dst []byte, c *fstore.Column, row int) []byte {
	if !c.Type.IsList() {
		return appendElem(dst, c, row)
	}
	from, to := int(c.Offsets[row]), int(c.Offsets[row+1])
	if w := c.Type.Elem().Width(); w > 0 {
		at := len(dst)
		dst = slices.Grow(dst, (to-from)*w)[:at+(to-from)*w]
		for i := from; i < to; i++ {
			PutFixed(dst[at:], c, i)
			at += w
		}
		return dst
	}
	for i := from; i < to; i++ {
		dst = binary.AppendUvarint(dst, uint64(textLen(c, i)))
		dst = appendElem(dst, c, i)
	}
	return dst
}

func appendElem(dst []byte, c *fstore.Column, i int) []byte {
	if c.Type.Elem() == fstore.String {
		return append(dst, c.Strings[i]...)
	}
	return append(dst, c.Bytes[i]...)
}

// AppendFixed appends the elements in b, which have the fixed width w, to the elements of a column. It adds no row.
func AppendFixed(c *fstore.Column, b []byte, w int) {
	for ; len(b) > 0; b = b[w:] {
		switch c.Type.Elem() {
		case fstore.Bool:
			c.Bools = append(c.Bools, b[0] != 0)
		case fstore.Int32:
			c.Int32s = append(c.Int32s, int32(le.Uint32(b)))
		case fstore.Int64, fstore.Timestamp:
			c.Int64s = append(c.Int64s, int64(le.Uint64(b)))
		case fstore.Float32:
			c.Float32s = append(c.Float32s, math.Float32frombits(le.Uint32(b)))
		case fstore.Float64:
			c.Float64s = append(c.Float64s, math.Float64frombits(le.Uint64(b)))
		case fstore.String, fstore.Bytes: // have no fixed width
		}
	}
}

// NextText splits the first element off a list of strings or bytes, which is not empty. ok is false if the element is longer
// than the list.
func NextText(b []byte) (text, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n)], b[used+int(n):], true
}

// Read appends a value to a column. ok is false if the bytes are not a value of the column's type.
func Read(c *fstore.Column, b []byte) (ok bool) {
	elem := c.Type.Elem()
	list := fstore.NewColumn("", elem, 0)
	switch w := elem.Width(); {
	case w > 0 && (len(b)%w != 0 || !c.Type.IsList() && len(b) != w):
		return false
	case w > 0:
		AppendFixed(&list, b, w)
		list.Len = len(b) / w
	case !c.Type.IsList():
		appendText(&list, b)
	default:
		for len(b) > 0 {
			text, rest, ok := NextText(b)
			if !ok {
				return false
			}
			appendText(&list, text)
			b = rest
		}
	}
	if c.Type.IsList() {
		c.AppendList(&list)
	} else {
		c.AppendFrom(&list, 0)
	}
	return true
}

func appendText(c *fstore.Column, b []byte) {
	if c.Type == fstore.String {
		c.Append(string(b))
		return
	}
	c.Append(slices.Clone(b))
}
