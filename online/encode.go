package online

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/fstore-dev/fstore"
)

// Encoder turns the rows of a view version's as-of batches into keys and records. It is safe for concurrent use.
type Encoder struct {
	layout *layout
	sum    uint32 // from generationSum
}

// Encoder returns the encoder of a generation of a view version.
func (s *Store) Encoder(v *fstore.ViewVersion, g fstore.Generation) (*Encoder, error) {
	gen, err := parseGeneration(g)
	return &Encoder{newLayout(v), generationSum(gen)}, err
}

// Encode appends the key and the record of a row to key and record, and returns both. The batch has the columns of an
// as-of batch: the join keys in name order, the event time (null in a static view), the features in name order. Equal
// rows of a generation encode to equal bytes: -0.0 is written as 0.0, and every NaN in one form. It returns
// ErrInvalid if the columns are not those of the view, a key or event time is null, or a record exceeds 4 GB.
func (e *Encoder) Encode(b *fstore.Batch, row int, key, record []byte) (k, r []byte, err error) {
	l, nk := e.layout, len(e.layout.keys)
	if len(b.Columns) != nk+1+len(l.fields) || row < 0 || row >= b.Len {
		return key, record, fstore.Errorf(fstore.ErrInvalid, "%s: row %d of a batch of %d rows and %d columns, want %d columns",
			l.ref, row, b.Len, len(b.Columns), nk+1+len(l.fields))
	}
	var buf [4]*fstore.Column
	keys := buf[:0]
	for i := range l.keys {
		c := &b.Columns[i]
		if c.Type != l.keys[i].Type {
			return key, record, l.wrongColumn(c, l.keys[i].Name, l.keys[i].Type)
		}
		if c.IsNull(row) {
			return key, record, fstore.Errorf(fstore.ErrInvalid, "%s: row %d: join key %s is null", l.ref, row, l.keys[i].Name)
		}
		keys = append(keys, c)
	}
	event, at := &b.Columns[nk], int64(0)
	if l.event {
		if event.Type != fstore.Timestamp {
			return key, record, l.wrongColumn(event, "the event time", fstore.Timestamp)
		}
		if event.IsNull(row) {
			return key, record, fstore.Errorf(fstore.ErrInvalid, "%s: row %d: the event time is null", l.ref, row)
		}
		at = event.Int64s[row]
	}
	k, from := fstore.AppendKey(key, keys, row), len(record)
	if record, err = l.append(record, b.Columns[nk+1:], row, at); err != nil {
		return key, record, err
	}
	return k, le.AppendUint32(record, recordSum(e.sum, k[len(key):], record[from:])), nil
}

func (l *layout) wrongColumn(c *fstore.Column, name string, want fstore.Type) error {
	return fstore.Errorf(fstore.ErrInvalid, "%s: column %s is %s, want %s of type %s", l.ref, c.Name, c.Type, name, want)
}

// append appends the record of a row of the feature columns.
func (l *layout) append(dst []byte, cols []fstore.Column, row int, event int64) ([]byte, error) {
	start, size := len(dst), 0
	for i := range l.fields {
		c := &cols[i]
		if c.Type != l.fields[i].typ {
			return dst, l.wrongColumn(c, l.fields[i].name, l.fields[i].typ)
		}
		if l.fields[i].width == 0 && !c.IsNull(row) {
			size += encodedSize(c, row)
		}
	}
	flags, head := byte(0), l.table+2*l.vars
	if size > math.MaxUint16 {
		flags, head = flagWide, l.table+4*l.vars
	}
	if size > math.MaxUint32 {
		return dst, fstore.Errorf(fstore.ErrInvalid, "%s: row %d: a record of %d bytes", l.ref, row, size)
	}
	dst = slices.Grow(dst, head+size+checksumSize)[:start+head]
	rec := dst[start:]
	clear(rec)
	if l.event {
		flags |= flagEvent
		le.PutUint64(rec[recordHead:], uint64(event))
	}
	rec[0], rec[1] = fstore.RecordLayout, flags
	le.PutUint16(rec[2:], l.id)
	for i := range l.fields {
		f, c := &l.fields[i], &cols[i]
		null := c.IsNull(row)
		if !null {
			rec[f.byteN] |= f.bit
		}
		if f.width > 0 {
			if !null {
				putFixed(rec[f.at:], c, row)
			}
			continue
		}
		if !null {
			dst = appendEncoded(dst, c, row)
		}
		end := len(dst) - start - head // rec stays valid: dst has grown already
		if flags&flagWide != 0 {
			le.PutUint32(rec[l.table+4*f.at:], uint32(end))
		} else {
			le.PutUint16(rec[l.table+2*f.at:], uint16(end))
		}
	}
	return dst, nil
}

// putFixed writes element i of a column, which has fixed width, to the beginning of dst.
func putFixed(dst []byte, c *fstore.Column, i int) {
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

// encodedSize returns the number of bytes that appendEncoded appends.
func encodedSize(c *fstore.Column, row int) int {
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

// appendEncoded appends a value that is not null and has no fixed width.
func appendEncoded(dst []byte, c *fstore.Column, row int) []byte {
	if !c.Type.IsList() {
		return appendElem(dst, c, row)
	}
	from, to := int(c.Offsets[row]), int(c.Offsets[row+1])
	if w := c.Type.Elem().Width(); w > 0 {
		at := len(dst)
		dst = slices.Grow(dst, (to-from)*w)[:at+(to-from)*w]
		for i := from; i < to; i++ {
			putFixed(dst[at:], c, i)
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
