package window

import "math"

// MostBytes returns how many bytes the tiles of one key take at most: those of the window, and of the quarter before it. ok is
// false where a value has no fixed width.
func (t *Tiles) MostBytes() (n int64, ok bool) {
	return t.BytesWith(0), !t.texts()
}

// BytesWith returns how many bytes the tiles of one key take at most if each text takes as many as given.
func (t *Tiles) BytesWith(text int64) int64 {
	entry := int64(t.entry)
	for i := range t.Fields {
		if t.Fields[i].Width == 0 {
			entry += text
		}
	}
	if t.Span.Lifetime() {
		return entry
	}
	hop := t.Span.Hop
	tiles := (t.Span.Length+hop-2)/hop + ceil(ceil(t.Span.Length, 4), hop)
	distance := int64(8)
	switch {
	case tiles <= math.MaxUint16:
		distance = 2
	case tiles <= math.MaxUint32:
		distance = 4
	}
	return tilesHead + (tiles-1)*distance + tiles*entry
}
