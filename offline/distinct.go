package offline

import "math/bits"

// distinct counts the distinct values of a column by their hashes. The count is exact below twice countedWell. Above, it
// counts one value in two, four, eight …, by the low bits of the hash, and estimates, so its memory does not grow. The result
// does not depend on the order of the values.
type distinct struct {
	slots []uint64 // open addressing by the high bits; 0 is a free slot
	n     int      // slots that are taken
	zero  bool     // there is a value whose hash is 0
	mask  uint64   // only hashes whose bits in it are all zero are counted
}

const countedWell = 8192 // at least this many distinct values are counted before the count is an estimate

func (d *distinct) add(hash uint64) {
	if hash&d.mask != 0 {
		return
	}
	if hash == 0 {
		d.zero = true
		return
	}
	if 2*d.n >= len(d.slots) {
		d.resize(max(64, min(4*len(d.slots), 4*countedWell)))
	}
	if !d.insert(hash) {
		return
	}
	for d.n >= 2*countedWell {
		d.mask = d.mask<<1 | 1
		d.resize(len(d.slots))
	}
}

// insert puts a hash into a free slot. It returns false if the hash is there already.
func (d *distinct) insert(hash uint64) bool {
	last := len(d.slots) - 1
	at := int(hash >> (64 - bits.Len(uint(last))))
	for d.slots[at] != 0 {
		if d.slots[at] == hash {
			return false
		}
		at = (at + 1) & last
	}
	d.slots[at] = hash
	d.n++
	return true
}

// resize moves the hashes that are still counted to new slots.
func (d *distinct) resize(slots int) {
	old := d.slots
	d.slots, d.n = make([]uint64, slots), 0
	for _, hash := range old {
		if hash != 0 && hash&d.mask == 0 {
			d.insert(hash)
		}
	}
}

// count returns the number of distinct values, and whether it is an estimate.
func (d *distinct) count() (n int64, approximate bool) {
	n = int64(d.n)
	if d.zero {
		n++
	}
	return n << bits.OnesCount64(d.mask), d.mask != 0
}
