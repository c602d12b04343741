package fstore

// Inventory lists the contents of an online store by generation.
type Inventory struct {
	Pointers map[ViewRef]Generation // of the project; an empty generation is a pointer that cannot be read
	Headers  map[Generation]ViewRef // of the project: each generation with a header, and its view version
	Fences   map[Generation]ViewRef // likewise: each generation with a fence
	Records  map[Generation]int64   // the approximate number of records of each generation, of any project; a key may be counted twice
	Others   map[Generation]bool    // generations with a pointer, header or fence of other projects in the same storage
}

// StoredKey is where a record was found.
type StoredKey struct {
	Generation Generation
	Key        []byte // as the view's keys are encoded
	Astray     bool   // it is stored where no look-up of the key finds it
}

// Orphans returns the generations that have records but no pointer, header or fence. They will never get one: a
// generation gets its header and fence before its first record, and its number is never reused.
func (i *Inventory) Orphans() map[Generation]int64 {
	named := map[Generation]bool{}
	for _, g := range i.Pointers {
		named[g] = true
	}
	out := map[Generation]int64{}
	for g, n := range i.Records {
		_, header := i.Headers[g]
		_, fence := i.Fences[g]
		if !header && !fence && !named[g] && !i.Others[g] {
			out[g] = n
		}
	}
	return out
}
