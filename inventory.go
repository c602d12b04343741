package fstore

// Inventory is what an online store was found to hold, by generation.
type Inventory struct {
	Pointers map[ViewRef]Generation // of the project; an empty generation is a pointer that cannot be read
	Headers  map[Generation]ViewRef // of the project: each generation with a header, and whose it is
	Records  map[Generation]int64   // how many records of each generation there are, whosever they are; about: a key may be counted twice
	Others   map[Generation]bool    // generations that other projects in the same storage know
}

// StoredKey is where a record was found.
type StoredKey struct {
	Generation Generation
	Key        []byte // as the view's keys are encoded
	Astray     bool   // it lies where no look-up of the key looks
}

// Orphans returns the generations that have records and that nobody knows. No run ever makes them anybody's: a
// generation has its header before its first record, and its number is never used again.
func (i *Inventory) Orphans() map[Generation]int64 {
	named := map[Generation]bool{}
	for _, g := range i.Pointers {
		named[g] = true
	}
	out := map[Generation]int64{}
	for g, n := range i.Records {
		if _, known := i.Headers[g]; !known && !named[g] && !i.Others[g] {
			out[g] = n
		}
	}
	return out
}
