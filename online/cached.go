package online

import (
	"time"

	"github.com/fstore-dev/fstore/online/cache"
)

// cacheAge is how long the cache answers after a read saw that the store holds just the values of its pointer's run.
const cacheAge = time.Second

// fromCache takes the records of all versions from the cache. It reports whether it could. If a record is missing, or its
// version was not seen for too long, the look-up reads all records from the store. So those of a version always come from
// one publication. While a run changes a version in place, all look-ups of it read the store: otherwise a value could change
// to the run's and back.
func (p *Prepared) fromCache(req *Request, sc *scratch) bool {
	c := p.store.Cache
	if c == nil || p.store.Elapsed == nil {
		return false
	}
	now, n := p.store.Elapsed(), 0
	for i := range p.versions {
		known := p.versions[i].state.known.Load()
		if known == nil || int64(now) >= known.cacheUntil.Load() {
			return false
		}
		if p.maxStaleness.Exceeds(known.pointer.Published, req.Now) { // there may be a newer publication
			return false
		}
		sc.at[i] = known
		n += len(sc.wanted[i])
	}
	sc.cached = grown(sc.cached, n)
	rest := sc.cached
	for i := range p.versions {
		sc.read[i], rest = rest[:len(sc.wanted[i])], rest[len(sc.wanted[i]):]
		for j, id := range sc.wanted[i] {
			hash, key := sc.cacheKey(p.versions[i].state, id)
			record, found := c.Get(hash, sc.at[i].publication(), key)
			if !found {
				return false
			}
			sc.read[i][j] = record
		}
	}
	return true
}

// until returns until when the cache may answer what was read between two fences of a pointer's generation: not at all unless
// all of it is of the pointer's run. Large reads are not kept: they are not atomic, and few of their keys are hot.
func (r *reading) until(k *knownPointer, fences [2][]byte) time.Duration {
	if r.twice || !k.fenced() || !holds(k.fenceKey, fences[0], k.run) {
		return 0
	}
	return r.start + cacheAge
}

// keep puts what was read into the cache: records, and keys that have none.
func (p *Prepared) keep(sc *scratch) {
	c := p.store.Cache
	if c == nil || p.store.Elapsed == nil {
		return
	}
	for i := range p.versions {
		at, until := sc.at[i], int64(sc.until[i])
		if until == 0 {
			continue
		}
		for j, id := range sc.wanted[i] {
			hash, key := sc.cacheKey(p.versions[i].state, id)
			c.Put(hash, at.publication(), key, sc.read[i][j])
		}
		if until-at.cacheUntil.Load() >= int64(cacheAge) { // not at each read, because processors share it
			at.cacheUntil.Store(until)
		}
	}
}

// publication is what the cache knows a pointer's records by.
func (k *knownPointer) publication() cache.Publication {
	return cache.Publication{Generation: k.generation, Run: k.run}
}

// cacheKey returns a distinct key of a look-up, and its hash for the cache.
func (sc *scratch) cacheKey(v *versionState, id int32) (hash uint64, key []byte) {
	span := &sc.keys[id]
	return span.hash ^ v.seed, sc.arena[span.from:span.to]
}
