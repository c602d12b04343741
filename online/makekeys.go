package online

import (
	"bytes"
	"hash/maphash"

	"github.com/fstore-dev/fstore"
)

// seed keeps callers from choosing keys that collide in the hash table of a look-up.
var seed = maphash.MakeSeed()

// keySpan is a distinct key in the arena.
type keySpan struct {
	from, to int
	hash     uint64
	tag      uint32
}

// makeKeys encodes the key of every row for every key group. Each distinct key is encoded once.
func (p *Prepared) makeKeys(rows int, sc *scratch) error {
	size := 8
	for size < 2*rows*len(p.groups) {
		size *= 2
	}
	if cap(sc.table) < size {
		sc.table = make([]int32, size)
	}
	sc.table = sc.table[:size]
	clear(sc.table)
	sc.arena, sc.keys, sc.rows = sc.arena[:0], sc.keys[:0], sc.rows[:0]
	for g := range p.groups {
		sc.parts = sc.parts[:0]
		nulls := false
		for i, at := range p.groups[g].columns {
			c := sc.columns[at]
			if c.Type == fstore.Int64 && p.groups[g].types[i] == fstore.Int32 {
				if err := fitInt32(c); err != nil {
					return err
				}
			}
			nulls = nulls || c.Valid != nil
			sc.parts = append(sc.parts, c)
		}
		for row := range rows {
			id := int32(-1)
			if !nulls || !anyNull(sc.parts, row) {
				id = sc.intern(row)
			}
			sc.rows = append(sc.rows, id)
		}
	}
	return nil
}

// intern adds the key of a row of sc.parts to the distinct keys and returns its index.
func (sc *scratch) intern(row int) int32 {
	from := len(sc.arena)
	sc.arena = fstore.AppendKey(sc.arena, sc.parts, row)
	key := sc.arena[from:]
	hash := maphash.Bytes(seed, key)
	mask := uint64(len(sc.table) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		id := sc.table[at]
		if id == 0 {
			sc.keys = append(sc.keys, keySpan{from, len(sc.arena), hash, keyTag(key)})
			sc.table[at] = int32(len(sc.keys))
			return int32(len(sc.keys) - 1)
		}
		if k := &sc.keys[id-1]; k.hash == hash && bytes.Equal(sc.arena[k.from:k.to], key) {
			sc.arena = sc.arena[:from]
			return id - 1
		}
	}
}

func anyNull(parts []*fstore.Column, row int) bool {
	for _, c := range parts {
		if c.IsNull(row) {
			return true
		}
	}
	return false
}

// fitInt32 checks an int64 column given for an int32 join key.
func fitInt32(c *fstore.Column) error {
	for i, v := range c.Int64s[:c.Len] {
		if v != int64(int32(v)) && !c.IsNull(i) {
			return fstore.Errorf(fstore.ErrInvalid, "key column %s: %d in row %d does not fit int32", c.Name, v, i+1)
		}
	}
	return nil
}
