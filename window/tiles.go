package window

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/packed"
)

// Tiles is the codec of the features of a view without a schedule that share their tiles: one window over the rows that pass
// one condition. For one key it holds the suffix values of the features: for each tile with a row, the values over the rows
// of that tile and all newer ones. So the values at T are those of the oldest tile that is not before the window's start at
// T, and where there is no such tile, no row is in the window.
//
// The bytes hold absolute tile indices and nothing of the instant of the run that made them. They are
//
//	0       flags: the two lowest bits give the width of a distance: 2, 4 or 8 bytes for 0, 1 or 2
//	1       number of tiles with rows, 4 bytes, at least 1
//	5       index of the newest of them, int64
//	13      for each older one, newest first: its distance from the newest one, unsigned
//	…       entries, one for each tile, newest first
//	…       texts
//
// A lifetime has one entry, and nothing before it. An entry has a fixed size:
//
//	0       validity, a bit for each feature: 1 = not null
//	…       values of fixed width, in the order of the features; 0 if null
//	…       for each other value, where it begins and ends in the texts: 4 bytes each; 0 if null
//
// Values are as in package packed. A value that begins with the next newer one of its feature takes that one's bytes and
// continues them: the lists of last_n are mostly beginnings of each other. All numbers are little-endian, and equal suffixes
// have equal bytes.
type Tiles struct {
	Span     Span
	Fields   []TileField // of the features, in their order
	features []fstore.Feature
	entry    int // bytes of an entry
}

// TileField says where a feature is in an entry.
type TileField struct {
	Type  fstore.Type
	Width int // of the value; 0: no fixed width
	At    int // of the value, or of where it is in the texts
	ByteN int // of the byte with the validity bit
	Bit   byte
	most  int // elements of a list
}

const (
	tilesHead = 13
	textBytes = 8 // of where a text begins and ends
)

var le = binary.LittleEndian

// NewTiles returns the codec of features with one window.
func NewTiles(features []fstore.Feature) *Tiles {
	t := &Tiles{Span: SpanOf(features[0].Window), features: features, entry: (len(features) + 7) / 8}
	for i, f := range features {
		fd := TileField{Type: f.Type, ByteN: i / 8, Bit: 1 << (i % 8), most: f.Window.N}
		if !f.Type.IsList() {
			fd.Width = f.Type.Width()
		}
		t.Fields = append(t.Fields, fd)
	}
	for _, fixed := range []bool{true, false} {
		for i := range t.Fields {
			if fd := &t.Fields[i]; (fd.Width > 0) == fixed {
				fd.At = t.entry
				if fixed {
					t.entry += fd.Width
				} else {
					t.entry += textBytes
				}
			}
		}
	}
	return t
}

// Suffixes are the suffix values of one key.
type Suffixes struct {
	Tiles  []int64         // the tiles with rows, oldest first; one, 0, of a lifetime
	Values []fstore.Column // of each feature: the values from each tile on
}

// Append appends the bytes of suffixes, of which there is at least one.
func (t *Tiles) Append(dst []byte, s *Suffixes) ([]byte, error) {
	if !t.Span.Lifetime() {
		dst = appendIndices(dst, s.Tiles)
	}
	from := len(dst)
	dst = append(dst, make([]byte, len(s.Tiles)*t.entry)...)
	text := len(dst)
	for i := range t.Fields {
		dst = t.appendValues(dst, from, text, &t.Fields[i], &s.Values[i])
	}
	if len(dst)-text > math.MaxUint32 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "%d bytes of texts in the tiles of one key; the limit is %d", len(dst)-text, uint32(math.MaxUint32))
	}
	return dst, nil
}

func appendIndices(dst []byte, tiles []int64) []byte {
	newest := tiles[len(tiles)-1]
	furthest := uint64(newest) - uint64(tiles[0])
	flags, width := byte(2), 8
	switch {
	case furthest <= math.MaxUint16:
		flags, width = 0, 2
	case furthest <= math.MaxUint32:
		flags, width = 1, 4
	}
	dst = append(dst, flags)
	dst = le.AppendUint32(dst, uint32(len(tiles)))
	dst = le.AppendUint64(dst, uint64(newest))
	for i := len(tiles) - 2; i >= 0; i-- {
		distance := le.AppendUint64(make([]byte, 0, 8), uint64(newest)-uint64(tiles[i]))
		dst = append(dst, distance[:width]...)
	}
	return dst
}

// appendValues writes the values of a feature into the entries, which begin at from, and appends their texts.
func (t *Tiles) appendValues(dst []byte, from, text int, fd *TileField, c *fstore.Column) []byte {
	before, end := len(dst), len(dst) // of the text that may go on: the last one
	var value []byte
	for n := range c.Len {
		row := c.Len - 1 - n
		if c.IsNull(row) {
			continue
		}
		entry := dst[from+n*t.entry:][:t.entry]
		entry[fd.ByteN] |= fd.Bit
		if fd.Width > 0 {
			packed.PutFixed(entry[fd.At:], c, row)
			continue
		}
		value = packed.Append(value[:0], c, row)
		switch last := dst[before:end]; {
		case bytes.HasPrefix(last, value):
		case bytes.HasPrefix(value, last):
			dst = append(dst, value[len(last):]...)
		default:
			before = end
			dst = append(dst, value...)
		}
		end = len(dst)
		entry = dst[from+n*t.entry:]
		le.PutUint32(entry[fd.At:], uint32(before-text))
		le.PutUint32(entry[fd.At+4:], uint32(before-text+len(value)))
	}
	return dst
}

// Find returns the entry of a window that starts with the tile of an index (Span.First), and the texts of all entries. The
// entry is nil if no row is in the window. Beyond the sizes it checks nothing: Decode does.
func (t *Tiles) Find(b []byte, first int64) (entry, texts []byte, err error) {
	h, err := t.head(b)
	if err != nil {
		return nil, nil, err
	}
	if t.Span.Lifetime() {
		return b[:t.entry], b[t.entry:], nil
	}
	if first > h.newest {
		return nil, nil, nil
	}
	most := uint64(h.newest) - uint64(first)
	low, high := 0, h.n-1 // the entry is one of these
	for low < high {
		middle := (low + high + 1) / 2
		if h.distance(b, middle) <= most {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return b[h.entries+low*t.entry:][:t.entry], b[h.entries+h.n*t.entry:], nil
}

// Text returns the bytes of a value without fixed width, which is not null. The error is ErrCorrupt.
func (f *TileField) Text(entry, texts []byte) ([]byte, error) {
	from, to := le.Uint32(entry[f.At:]), le.Uint32(entry[f.At+4:])
	if from > to || uint64(to) > uint64(len(texts)) {
		return nil, corrupt("a text from %d to %d of %d bytes", from, to, len(texts))
	}
	return texts[from:to], nil
}

// tilesHeader is what is before the entries.
type tilesHeader struct {
	n       int   // entries
	newest  int64 // tile
	width   int   // of a distance
	entries int   // where they begin
}

// head reads what is before the entries, and checks that the entries fit.
func (t *Tiles) head(b []byte) (h tilesHeader, err error) {
	if h.n = 1; !t.Span.Lifetime() {
		if len(b) < tilesHead {
			return h, corrupt("%d bytes are too few", len(b))
		}
		if b[0] > 2 {
			return h, corrupt("unknown flags %#x", b[0])
		}
		n := le.Uint32(b[1:])
		if n == 0 || uint64(n)*uint64(t.entry) > uint64(len(b)) {
			return h, corrupt("%d tiles in %d bytes", n, len(b))
		}
		h.n, h.newest, h.width = int(n), int64(le.Uint64(b[5:])), 2<<b[0]
		h.entries = tilesHead + (h.n-1)*h.width
	}
	if rest := len(b) - h.entries - h.n*t.entry; rest < 0 || rest > 0 && !t.texts() {
		return h, corrupt("%d entries of %d bytes do not fit %d bytes", h.n, t.entry, len(b)-h.entries)
	}
	return h, nil
}

// texts reports whether a feature has no fixed width.
func (t *Tiles) texts() bool {
	for i := range t.Fields {
		if t.Fields[i].Width == 0 {
			return true
		}
	}
	return false
}

// distance returns the distance of entry i from the newest one.
func (h *tilesHeader) distance(b []byte, i int) uint64 {
	if i == 0 {
		return 0
	}
	switch at := b[tilesHead+(i-1)*h.width:]; h.width {
	case 2:
		return uint64(le.Uint16(at))
	case 4:
		return uint64(le.Uint32(at))
	default:
		return le.Uint64(at)
	}
}

func corrupt(format string, args ...any) error {
	return fstore.Errorf(fstore.ErrCorrupt, "tiles: "+format, args...)
}
