package online

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// retries is how often a look-up rereads a view whose pointer changes during the look-up.
const retries = 3

// fetch reads the records of all versions. Each call to the backend reads the records under the last known pointers,
// and then the pointers. If the pointer of a version has not changed, its records are consistent. fetch reads the
// other versions again.
func (p *Prepared) fetch(ctx context.Context, sc *scratch, stats *Stats) error {
	sc.pending = sc.pending[:0]
	for i := range p.versions {
		sc.pending = append(sc.pending, i)
		sc.at[i] = p.versions[i].state.known.Load()
	}
	for moved := 0; len(sc.pending) > 0; {
		records, pointers, err := p.get(ctx, sc, stats)
		if err != nil {
			return fmt.Errorf("read features: %w", unusable(err))
		}
		if err := p.missing(sc, pointers); err != nil {
			return err
		}
		again, changed := sc.pending[:0], false
		for i, v := range sc.pending {
			var mine [][]byte
			if sc.at[v] != nil {
				n := len(sc.wanted[v])
				mine, records = records[:n:n], records[n:]
				if sc.at[v].raw == string(pointers[i]) {
					sc.read[v] = mine
					continue
				}
				changed = true
			}
			if sc.at[v], err = decodePointer(p.versions[v].state.ref, p.versions[v].state.pointerKey, pointers[i]); err != nil {
				return err
			}
			p.versions[v].state.known.Store(sc.at[v])
			again = append(again, v)
		}
		sc.pending = again
		if changed {
			moved++
		}
		if moved > retries {
			return fstore.Errorf(fstore.ErrUnavailable, "%s was published again during each of %d reads",
				p.versions[again[0]].state.ref, moved)
		}
	}
	return nil
}

// get makes one call to the backend for the pending versions.
func (p *Prepared) get(ctx context.Context, sc *scratch, stats *Stats) (records, pointers [][]byte, err error) {
	size := 0
	for _, v := range sc.pending {
		if sc.at[v] != nil {
			size += len(sc.wanted[v])*recordKeyOverhead + len(sc.arena)
		}
	}
	if cap(sc.physical) < size {
		sc.physical = make([]byte, 0, size)
	}
	physical := sc.physical[:0]
	sc.gets, sc.pointers = sc.gets[:0], sc.pointers[:0]
	for _, v := range sc.pending {
		sc.pointers = append(sc.pointers, p.versions[v].state.pointerKey)
		if sc.at[v] == nil {
			continue
		}
		for _, id := range sc.wanted[v] {
			k, from := &sc.keys[id], len(physical)
			physical = appendRecordKey(physical, k.tag, sc.at[v].generation, sc.arena[k.from:k.to])
			sc.gets = append(sc.gets, physical[from:len(physical):len(physical)])
		}
	}
	stats.RoundTrips++
	stats.Keys += len(sc.gets)
	if clock := p.store.Elapsed; clock != nil {
		start := clock()
		defer func() { stats.BackendTime += clock() - start }()
	}
	return p.store.backend.Get(ctx, Read{Keys: sc.gets, Pointers: sc.pointers})
}

// missing returns an error that names the pending versions without a pointer.
func (p *Prepared) missing(sc *scratch, pointers [][]byte) error {
	var refs []string
	for i, v := range sc.pending {
		if pointers[i] == nil {
			p.versions[v].state.known.Store(nil)
			refs = append(refs, p.versions[v].state.ref.String())
		}
	}
	if refs == nil {
		return nil
	}
	return fstore.Errorf(fstore.ErrNotReady, "%s: not published in the online store", strings.Join(refs, ", ")).
		WithHint("run: fstore materialize %s", strings.Join(refs, " "))
}

// unusable marks an ErrInvalid of the backend as ErrUnusable.
func unusable(err error) error {
	if errors.Is(err, fstore.ErrInvalid) {
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return err
}
