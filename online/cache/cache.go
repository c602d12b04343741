// Package cache keeps hot records in memory, so that a server can answer the keys that callers ask for again and again without
// a call to the online store.
//
// It is a bounded map and nothing more: package online decides which records may be kept and how long they may be answered.
package cache

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// Publication says which records a look-up read: those of a run that was complete, in a generation. A generation belongs to
// one view version.
type Publication struct{ Generation, Run [8]byte }

// Cache maps keys of a publication to their records. It is safe for concurrent use and starts no goroutines.
type Cache struct {
	most    int64        // bytes, above which it evicts
	largest int64        // bytes of an entry
	bytes   atomic.Int64 // of all entries
	entries *otter.Cache[uint64, *entry]
}

// entry is a record with all that it must be found by. Key and record share one allocation.
type entry struct {
	of     Publication
	key    []byte
	record []byte // nil: the publication has no record of the key
}

const (
	// overhead is what an entry takes in memory beside key and record: the entry, and the map's and the policy's share.
	// TestTheBytesAreThoseInMemory measures it.
	overhead = 192

	// slackPart: a cache may exceed its bytes by one part in so many while it evicts, and keeps no larger record.
	slackPart = 16

	maxEntry = 1 << 30 // a weight has 32 bits
)

// New returns an empty cache for a number of bytes, which must be positive.
func New(most int64) *Cache {
	c := &Cache{most: most, largest: min(most/slackPart, maxEntry)}
	c.entries = otter.Must(&otter.Options[uint64, *entry]{
		MaximumWeight:    uint64(most),
		Weigher:          func(_ uint64, e *entry) uint32 { return uint32(e.bytes()) }, // Put bounds it
		OnAtomicDeletion: func(e otter.DeletionEvent[uint64, *entry]) { c.bytes.Add(-e.Value.bytes()) },
		Executor:         func(evict func()) { evict() }, // the caller evicts, not a goroutine that nobody owns
	})
	return c
}

// Most returns how many bytes the cache takes at most, with the slack.
func (c *Cache) Most() int64 { return c.most + c.most/slackPart }

// Bytes returns how many bytes the entries take in memory. It never exceeds Most.
func (c *Cache) Bytes() int64 { return c.bytes.Load() }

// Get returns the record of a key in a publication. It is nil if the publication has none. The caller does not modify it. found
// is false if the cache does not know. hash is the one that the record was put under.
func (c *Cache) Get(hash uint64, of Publication, key []byte) (record []byte, found bool) {
	e, ok := c.entries.GetIfPresent(hash)
	if !ok || !e.is(of, key) {
		return nil, false
	}
	return e.record, true
}

// Put keeps a copy of a record, or that the publication has no record of the key. It replaces what was put under the same hash.
func (c *Cache) Put(hash uint64, of Publication, key, record []byte) {
	if old, ok := c.entries.GetEntryQuietly(hash); ok && old.Value.is(of, key) && bytes.Equal(old.Value.record, record) && (old.Value.record == nil) == (record == nil) {
		return
	}
	both := slices.Concat(key, record)
	e := &entry{of: of, key: both[:len(key)]}
	if record != nil {
		e.record = both[len(key):]
	}
	if e.bytes() > c.largest {
		return
	}
	if !c.reserve(e.bytes()) {
		c.entries.CleanUp() // others put records faster than the cache evicted
		return
	}
	c.entries.Set(hash, e)
}

// reserve counts bytes that an entry is about to take, if there is room for them.
func (c *Cache) reserve(n int64) bool {
	for {
		have := c.bytes.Load()
		if have+n > c.Most() {
			return false
		}
		if c.bytes.CompareAndSwap(have, have+n) {
			return true
		}
	}
}

func (e *entry) is(of Publication, key []byte) bool { return e.of == of && bytes.Equal(e.key, key) }

// bytes returns what the entry takes in memory. The capacity of the key is what was allocated for key and record.
func (e *entry) bytes() int64 { return overhead + int64(cap(e.key)) }
