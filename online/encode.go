package online

import (
	"math"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/packed"
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

// Content returns a record without its checksum, which differs between generations.
func (e *Encoder) Content(record []byte) []byte { return record[:len(record)-checksumSize] }

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
			size += packed.Size(c, row)
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
				packed.PutFixed(rec[f.at:], c, row)
			}
			continue
		}
		if !null {
			dst = packed.Append(dst, c, row)
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
