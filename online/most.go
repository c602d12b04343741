package online

import (
	"math"

	"github.com/fstore-dev/fstore"
)

// MostBytes returns how many bytes the record of one key of a view version has at most, or nil where a value has no fixed
// width.
func MostBytes(v *fstore.ViewVersion) *int64 {
	l := newLayout(v)
	if len(l.tiles) == 0 && l.vars > 0 {
		return nil
	}
	tiles := int64(0)
	for _, t := range l.tiles {
		n, ok := t.MostBytes()
		if !ok {
			return nil
		}
		tiles += n
	}
	offset := 2
	if tiles > math.MaxUint16 {
		offset = 4
	}
	n := int64(l.table+offset*l.vars+checksumSize) + tiles
	return &n
}

// TilesBytes returns how many bytes the tiles of one key of a sawtooth view have at most if each text has as many as given.
func TilesBytes(v *fstore.ViewVersion, text int64) (n int64) {
	for _, t := range newLayout(v).tiles {
		n += t.BytesWith(text)
	}
	return n
}
