package online

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

const (
	// retries is how often a look-up reads a view again whose fence does not fit its pointer.
	retries = 3

	// pause is the time before such a read if nothing has moved since the last one.
	pause = 5 * time.Millisecond

	// pointerAge is how long the last pointer seen serves while the primary does not answer.
	pointerAge = 10 * time.Second
)

// fetch reads the records of all versions. Each call to the backend reads the records and fences of the last known
// generations, and the pointers. If the fences of a version fit the pointer, its records may be answered. fetch reads the
// other versions again, from the primary.
func (p *Prepared) fetch(ctx context.Context, sc *scratch, stats *Stats) error {
	sc.pending = sc.pending[:0]
	for i := range p.versions {
		sc.pending = append(sc.pending, i)
		sc.seen[i] = p.versions[i].state.seen.Load() // before known, so that it is not too late for it
		sc.at[i] = p.versions[i].state.known.Load()
	}
	primary := false
	for refused := 0; len(sc.pending) > 0; {
		r, err := p.get(ctx, sc, stats, primary)
		if err != nil {
			return fmt.Errorf("read features: %w", unusable(err))
		}
		if err := p.missing(sc, &r); err != nil {
			return err
		}
		again, tried, moved := sc.pending[:0], false, false
		var last refusal
		for i, v := range sc.pending {
			known, records, fences := sc.at[v], [][]byte(nil), [2][]byte{}
			if known != nil {
				records, fences = r.take(known, len(sc.wanted[v]))
			}
			now, err := p.see(v, i, sc, &r)
			if err != nil {
				return err
			}
			if now != nil && known.accepts(now, fences) {
				sc.at[v], sc.read[v] = now, records
				sc.inFlight[v] = now.inFlight(fences)
				sc.until[v] = r.until(now, fences)
				continue
			}
			again, tried, moved = append(again, v), tried || known != nil, moved || known != now
			if known != nil || now == nil {
				last = refusal{p.versions[v].state.ref, known, now, fences}
			}
			if now != nil {
				sc.at[v] = now
			}
		}
		sc.pending = again
		if len(again) == 0 || !tried && r.pointers != nil {
			continue
		}
		if refused++; refused > retries {
			return last.err(refused)
		}
		if primary && !moved {
			if err := fstore.Sleep(ctx, pause); err != nil {
				return fmt.Errorf("read features: %w: %w", fstore.ErrUnavailable, err)
			}
		}
		primary = true
	}
	return nil
}

// see returns the pointer of a version after a read, pending as number i: nil if the primary has not answered and the
// last one seen is unknown or too old.
func (p *Prepared) see(v, i int, sc *scratch, r *reading) (*knownPointer, error) {
	state, known := p.versions[v].state, sc.at[v]
	switch {
	case r.pointers == nil && known != nil && known.fenced() && p.store.Elapsed != nil && r.start-time.Duration(sc.seen[v]) <= pointerAge:
		return known, nil
	case r.pointers == nil:
		return nil, nil
	case known != nil && known.raw == string(r.pointers[i]):
		state.saw(r.start)
		return known, nil
	}
	now, err := decodePointer(state.ref, state.pointerKey, r.pointers[i])
	if err != nil {
		return nil, err
	}
	now.fenceKey = p.store.fenceKey(state.ref, now.pointer.Generation)
	if !state.known.CompareAndSwap(known, now) {
		if other := state.known.Load(); other != nil && other.raw != now.raw { // nobody knows which of the two is the later one
			state.known.CompareAndSwap(other, nil)
		}
		return now, nil
	}
	state.saw(r.start)
	if known != nil && known.pointer.WentBackTo(now.pointer) && p.store.WentBack != nil {
		p.store.WentBack(state.ref, known.pointer, now.pointer)
	}
	return now, nil
}

// saw records when the known pointer was seen. It is precise to a second, so that few look-ups write to shared memory.
func (v *versionState) saw(at time.Duration) {
	if at-time.Duration(v.seen.Load()) >= time.Second {
		v.seen.Store(int64(at))
	}
}

// accepts reports whether records of the generation of k, read between two fences, may be answered under the pointer now.
// Without fences, only an unchanged pointer tells that a read saw one publication. k may be nil.
func (k *knownPointer) accepts(now *knownPointer, fences [2][]byte) bool {
	switch {
	case k == nil || k.generation != now.generation || k.pointer.Partitions != now.pointer.Partitions:
		return false
	case !k.fenced():
		return k == now
	}
	return fits(k.fenceKey, fences[0], now.run) && fits(k.fenceKey, fences[1], now.run)
}

// inFlight returns the instant of a run that builds on the pointer's and may have written some of what was read between two
// fences, or zero.
func (k *knownPointer) inFlight(fences [2][]byte) (f flight) {
	for _, raw := range fences {
		if raw != nil && runID(raw[fenceRun:]) != k.run {
			f = flight{runID(raw[fenceRun:]), instantOf(raw[fenceAt:])}
		}
	}
	return f
}

// refusal is why a version could not be answered.
type refusal struct {
	ref    fstore.ViewRef
	k, now *knownPointer // now is nil if the primary did not answer
	fences [2][]byte
}

func (r *refusal) err(reads int) error {
	switch {
	case r.now == nil:
		return fstore.Errorf(fstore.ErrUnavailable, "%s: the primary of the online store does not answer", r.ref)
	case r.k.generation != r.now.generation || !r.k.fenced():
		return fstore.Errorf(fstore.ErrUnavailable, "%s was published again during each of %d reads", r.ref, reads)
	}
	what := "another run"
	for _, raw := range r.fences {
		if raw == nil {
			what = "nothing: it is missing"
		} else if !isFence(r.k.fenceKey, raw) {
			what = "bytes that are not a fence"
		}
	}
	return fstore.Errorf(fstore.ErrUnavailable, "%s, partition 0 of generation %s: the fence does not fit the pointer to run %s in %d reads; it holds %s",
		r.ref, r.k.pointer.Generation, r.now.pointer.Run, reads, what).
		WithHint("run: fstore materialize %s", r.ref)
}

// reading is the result of one call to the backend.
type reading struct {
	records  [][]byte // and fences, version by version; take removes them
	pointers [][]byte // nil: the primary did not answer
	twice    bool     // each fence was read before and after the records
	start    time.Duration
}

// take removes the records of a version that was read under k, and its fences.
func (r *reading) take(k *knownPointer, n int) (records [][]byte, fences [2][]byte) {
	if !k.fenced() {
		records, r.records = r.records[:n:n], r.records[n:]
		return records, fences
	}
	fences[0], fences[1] = r.records[0], r.records[0]
	records, r.records = r.records[1:n+1:n+1], r.records[n+1:]
	if r.twice {
		fences[1], r.records = r.records[0], r.records[1:]
	}
	return records, fences
}

// get makes one call to the backend for the pending versions.
func (p *Prepared) get(ctx context.Context, sc *scratch, stats *Stats, primary bool) (r reading, err error) {
	size, n := 0, len(sc.pending)
	for _, v := range sc.pending {
		if k := sc.at[v]; k != nil {
			size += len(sc.wanted[v])*recordKeyOverhead + len(sc.arena)
			n += len(sc.wanted[v]) + 1
			stats.Keys += len(sc.wanted[v])
			primary = primary || !k.fenced()
		}
	}
	r.twice = n > PerRead
	if cap(sc.physical) < size {
		sc.physical = make([]byte, 0, size)
	}
	physical := sc.physical[:0]
	sc.gets, sc.pointers = sc.gets[:0], sc.pointers[:0]
	for _, v := range sc.pending {
		sc.pointers = append(sc.pointers, p.versions[v].state.pointerKey)
		k := sc.at[v]
		if k == nil {
			continue
		}
		if k.fenced() {
			sc.gets = append(sc.gets, k.fenceKey)
		}
		for _, id := range sc.wanted[v] {
			span, from := &sc.keys[id], len(physical)
			physical = appendRecordKey(physical, span.tag, k.generation, sc.arena[span.from:span.to])
			sc.gets = append(sc.gets, physical[from:len(physical):len(physical)])
		}
		if k.fenced() && r.twice {
			sc.gets = append(sc.gets, k.fenceKey)
		}
	}
	stats.RoundTrips++
	if clock := p.store.Elapsed; clock != nil {
		r.start = clock()
		defer func() { stats.BackendTime += clock() - r.start }()
	}
	end := p.store.begin(ctx, ReadPart, len(sc.gets)+len(sc.pointers))
	r.records, r.pointers, err = p.store.backend.Get(ctx, Read{Keys: sc.gets, Pointers: sc.pointers, Primary: primary})
	end(err)
	return r, err
}

// missing returns an error that names the pending versions without a pointer.
func (p *Prepared) missing(sc *scratch, r *reading) error {
	var refs []string
	for i, v := range sc.pending {
		if r.pointers != nil && r.pointers[i] == nil {
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
