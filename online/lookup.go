package online

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// scratch holds the memory that a look-up uses internally and that the next one reuses.
type scratch struct {
	columns []*fstore.Column // the request's, in the order of Prepared.columns
	parts   []*fstore.Column // those of one key group

	arena  []byte // the distinct keys
	keys   []keySpan
	table  []int32   // open addressing: index into keys + 1, or 0
	rows   []int32   // group by group, row by row: index into keys, or −1 for a key with a null part
	asked  []int32   // by version and key: 1 + the index of the key's record, or 0 if the version does not need it
	wanted [][]int32 // by version: its keys, in the order of its records

	physical []byte // the keys of one call to the backend
	gets     [][]byte
	pointers [][]byte
	pending  []int           // versions not yet answered
	read     [][][]byte      // by version: its records
	at       []*knownPointer // by version: the pointer they were read under
	seen     []int64         // by version: when that pointer was seen, in nanoseconds of Store.Elapsed
	cached   [][]byte        // the records of a look-up from the cache
	inFlight []flight        // by version: the run in flight, of which some values may be
	until    []time.Duration // by version: until when the cache may answer what was read, by Store.Elapsed; 0: never
	recs     [][]byte        // of one use, by row: nil without a fresh record
	states   []Status        // of one use, by row
	entries  [][]byte        // of one use, by tiles and row: what the features of the tiles are read from
	texts    [][]byte        // likewise: the texts of the entries
	text     []byte          // of one column
	filler   filler

	// For on-demand features.
	now     []int64          // the request's clock, by row
	lookups []*fstore.Column // in the order of Prepared.outputs
	request []*fstore.Column // in the order of the evaluation's request columns; nil: the request does not have it
	hidden  Counts           // of hidden features: nobody reads it
	views   []ViewStats      // of the versions, then of the on-demand views
}

// release returns the scratch to the pool, without references to memory of others.
func (s *Store) release(sc *scratch) {
	clear(sc.columns)
	clear(sc.parts)
	clear(sc.read)
	clear(sc.cached)
	clear(sc.recs)
	clear(sc.entries)
	clear(sc.texts)
	clear(sc.lookups)
	sc.filler = filler{}
	clear(sc.request)
	s.scratch.Put(sc)
}

// Lookup answers a request. All values of a view version come from one generation. Its errors are ErrInvalid and
// ErrTooLarge for the request, ErrNotReady if a view version has not been published, ErrUnavailable, and ErrCorrupt.
// A key without a record, or with a record that is too old, is not an error but a Status.
func (p *Prepared) Lookup(ctx context.Context, req Request) (*Answer, error) {
	sc := p.store.scratch.Get().(*scratch)
	defer p.store.release(sc)
	stats := Stats{Now: req.Now}
	a, err := p.lookup(ctx, &req, sc, &stats)
	if observe := p.store.Observe; observe != nil {
		s := stats // a copy, so that stats escapes only with an observer
		if s.Err = err; err == nil {
			s.Versions = a.Versions
		}
		observe(&s)
	}
	return a, err
}

func (p *Prepared) lookup(ctx context.Context, req *Request, sc *scratch, stats *Stats) (*Answer, error) {
	rows, err := p.bind(req, sc)
	if err != nil {
		return nil, err
	}
	stats.Rows = rows
	if err := p.makeKeys(rows, sc); err != nil {
		return nil, err
	}
	p.share(rows, sc)
	if stats.Cached = p.fromCache(req, sc); !stats.Cached {
		if err := p.fetch(ctx, sc, stats); err != nil {
			return nil, err
		}
	}
	for i := range p.versions {
		if err := p.versions[i].check(&sc.at[i].pointer, req, p.maxStaleness); err != nil {
			return nil, err
		}
	}
	return p.answer(ctx, req, rows, sc, stats)
}

// check refuses data that another registry published from a different definition with the same name and version, data
// in a layout of a newer fstore, data that is staler than the service allows, and data published later than a chosen clock could
// have known.
func (v *version) check(p *fstore.Pointer, req *Request, bound *fstore.MaxStaleness) error {
	ref, servable := v.state.ref, v.servable(p)
	switch {
	case p.Fingerprint != v.fingerprint:
		return fstore.Errorf(fstore.ErrNotReady, "%s: the online store holds another definition of that name and version", ref).
			WithHint("run: fstore materialize %s", ref)
	case p.Layout > fstore.RecordLayout || p.Partitions > fstore.Partitions:
		return fstore.Errorf(fstore.ErrNotReady, "%s: a newer fstore wrote its records: layout %d, %d partitions", ref, p.Layout, p.Partitions).
			WithHint("upgrade this fstore")
	case bound.Exceeds(p.Published, req.Now) && bound.Beyond == fstore.BeyondRefuse:
		age := fstore.Duration(req.Now.Sub(p.Published).Truncate(time.Second))
		return fstore.Errorf(fstore.ErrNotReady, "%s is stale: it is published at %s, %s ago, and the service's max_staleness is %s", ref, fstore.FormatTime(p.Published), age, bound.Age).
			WithHint("run: fstore materialize %s", ref)
	case req.Clock != ChosenClock || !req.Now.Before(servable):
		return nil
	case req.Now.Before(p.Published):
		return fstore.Errorf(fstore.ErrInvalid, "%s lies before %s, the published instant of %s",
			fstore.FormatTime(req.Now), fstore.FormatTime(p.Published), ref).WithHint("set the clock to %s or later: --at of get or serve", fstore.FormatTime(servable))
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s lies within the delay of %s, published at %s: training does not use it before %s",
		fstore.FormatTime(req.Now), ref, fstore.FormatTime(p.Published), fstore.FormatTime(servable)).
		WithHint("set the clock to %s or later: --at of get or serve", fstore.FormatTime(servable))
}

// servable returns the first instant at which training uses the data that a pointer publishes.
func (v *version) servable(p *fstore.Pointer) time.Time {
	if p.Servable.IsZero() { // an older fstore published it
		return v.publish.ServableFrom(p.Published)
	}
	return p.Servable
}

// share works out the records that each version needs. A key that several uses or rows need is fetched once.
func (p *Prepared) share(rows int, sc *scratch) {
	n := len(p.versions)
	sc.asked = grown(sc.asked, n*len(sc.keys))
	clear(sc.asked)
	for len(sc.wanted) < n {
		sc.wanted = append(sc.wanted, nil)
	}
	for i := range p.versions {
		sc.wanted[i] = sc.wanted[i][:0]
	}
	for i := range p.uses {
		u := &p.uses[i]
		asked := sc.asked[u.version*len(sc.keys):][:len(sc.keys)]
		for _, id := range sc.rows[u.group*rows:][:rows] {
			if id >= 0 && asked[id] == 0 {
				sc.wanted[u.version] = append(sc.wanted[u.version], id)
				asked[id] = int32(len(sc.wanted[u.version]))
			}
		}
	}
	sc.read, sc.at, sc.seen, sc.until = grown(sc.read, n), grown(sc.at, n), grown(sc.seen, n), grown(sc.until, n)
	sc.inFlight = grown(sc.inFlight, n)
	clear(sc.read)
	clear(sc.at)
	clear(sc.inFlight)
}

// flight is a run that had begun to write and not published; zero: there was none.
type flight struct {
	run runID
	at  time.Time
}

// id returns the run's id as pointers have it, or "".
func (f *flight) id() string {
	if f.run == (runID{}) {
		return ""
	}
	return hex.EncodeToString(f.run[:])
}

// answer decodes the records into the answer.
func (p *Prepared) answer(ctx context.Context, req *Request, rows int, sc *scratch, stats *Stats) (*Answer, error) {
	recordBytes := 0
	for i := range p.versions {
		l := p.versions[i].layout
		for j, rec := range sc.read[i] {
			if rec == nil {
				continue
			}
			recordBytes += len(rec)
			k := &sc.keys[sc.wanted[i][j]]
			if err := l.check(sc.at[i], sc.arena[k.from:k.to], rec); err != nil {
				return nil, fmt.Errorf("key %x: %w", sc.arena[k.from:k.to], err)
			}
		}
	}
	if !stats.Cached {
		p.keep(sc)
	}
	a := p.store.answers.Get().(*answer)
	a.pool, a.Owner, a.Rows, a.RecordBytes = &p.store.answers, a, rows, recordBytes
	all := grown(a.Features, p.features+p.hidden())
	a.Features, a.Versions = all[:p.features], grown(a.Versions, len(p.versions))
	a.values.resize(rows, &p.perType)
	for i := range p.versions {
		known := sc.at[i]
		v := &p.versions[i]
		a.Versions[i] = AnswerVersion{
			Ref: v.state.ref, Generation: known.pointer.Generation, Published: known.pointer.Published, Run: known.pointer.Run,
			RunInFlight: sc.inFlight[i].id(), RunAt: sc.inFlight[i].at, Servable: v.servable(&known.pointer),
			Stale: p.maxStaleness.Exceeds(known.pointer.Published, req.Now),
		}
	}
	sc.views = grown(sc.views, len(p.versions)+len(p.onDemand))
	for i := range p.versions {
		sc.views[i] = ViewStats{Ref: p.versions[i].state.ref}
	}
	for i, ref := range p.onDemand {
		sc.views[len(p.versions)+i] = ViewStats{Ref: ref}
	}
	f := &sc.filler
	*f = filler{rows: rows, text: sc.text, limit: p.store.Limits.MaxAnswerBytes, size: rows * p.rowBytes(req.EventTimes), room: a.values}
	for i := range p.uses {
		u := &p.uses[i]
		clock := max(fstore.Micros(req.Now), fstore.Micros(sc.at[u.version].pointer.Published))
		events, valid := p.useRows(req, u, rows, clock, sc)
		f.layout, f.recs, f.states = p.versions[u.version].layout, sc.recs, sc.states
		if u.tiles != nil {
			a.Clock = req.Now
			if err := p.findTiles(u, rows, clock, sc); err != nil {
				return nil, err
			}
		}
		for _, o := range u.outputs {
			at, fd := p.outputs[o].at, p.outputs[o].field
			out := &all[at]
			out.Column.Name = p.outputs[o].name
			out.Events, out.EventsValid = events, valid
			if f.counts = &sc.views[u.version].Values; at >= p.features {
				f.counts = &sc.hidden
			}
			f.counts[Present] += rows
			if fd == nil {
				f.recs = sc.recs
				f.fillEvents(&out.Column, fstore.Micros(sc.at[u.version].pointer.Published))
				continue
			}
			if fd.tile != nil {
				f.recs, f.texts = sc.entries[fd.tiles*rows:][:rows], sc.texts[fd.tiles*rows:][:rows]
			}
			if err := f.fill(out, fd, p.outputs[o].def); err != nil {
				return nil, err
			}
			if f.limit > 0 && f.size > f.limit {
				return nil, p.answerTooLarge(f.size)
			}
		}
	}
	sc.text = f.text
	if err := p.compute(ctx, &a.Answer, all, req, f, sc); err != nil {
		return nil, err
	}
	clear(all[p.features:])
	stats.Views = sc.views
	for i := range sc.views {
		for state, n := range sc.views[i].Values {
			stats.Statuses[state] += n
		}
	}
	return &a.Answer, nil
}

// useRows sets sc.recs and sc.states for the rows of a use. clock is the view's: the request's, but not before the published
// instant. It returns the event times if they were requested.
func (p *Prepared) useRows(req *Request, u *use, rows int, clock int64, sc *scratch) ([]int64, fstore.Bitmap) {
	var events []int64
	var valid fstore.Bitmap
	if req.EventTimes == WithEventTimes {
		events = make([]int64, rows)
	}
	l, oldest := p.versions[u.version].layout, int64(math.MinInt64)
	if now := fstore.Micros(req.Now); u.ttl >= 0 && now >= oldest+u.ttl {
		oldest = now - u.ttl
	}
	start := window.OldestStart(l.spans, clock)
	sc.recs, sc.states = grown(sc.recs, rows), grown(sc.states, rows)
	asked := sc.asked[u.version*len(sc.keys):][:len(sc.keys)]
	read := sc.read[u.version]
	for row, id := range sc.rows[u.group*rows:][:rows] {
		var rec []byte
		state := NotFound
		if id >= 0 {
			rec = read[asked[id]-1]
		}
		event, has := int64(0), false
		if rec != nil {
			state = Present
			event, has = l.eventOf(rec)
			switch {
			case l.tiles != nil && event <= start: // the next run deletes it
				rec, state, event, has = nil, NotFound, 0, false
			case l.tiles != nil:
				event = clock
			case l.windowed:
				event, has = fstore.Micros(sc.at[u.version].pointer.Published), true
			}
			if has && event < oldest {
				rec, state = nil, OutsideMaxAge
			}
		}
		sc.recs[row], sc.states[row] = rec, state
		if events == nil {
			continue
		}
		if events[row] = event; !has {
			if valid == nil {
				valid = fstore.NewBitmap(rows)
			}
			valid.Clear(row)
		}
	}
	return events, valid
}

// findTiles sets sc.entries and sc.texts for the tiles of a use: what the windows at the view's clock are read from.
func (p *Prepared) findTiles(u *use, rows int, clock int64, sc *scratch) error {
	l := p.versions[u.version].layout
	sc.entries, sc.texts = grown(sc.entries, len(l.tiles)*rows), grown(sc.texts, len(l.tiles)*rows)
	for _, n := range u.tiles {
		t := &l.tiles[n]
		first := t.Span.First(clock)
		for row, rec := range sc.recs {
			at := n*rows + row
			sc.entries[at], sc.texts[at] = nil, nil
			if rec == nil || rec[t.field.byteN]&t.field.bit == 0 {
				continue
			}
			b, err := l.bytes(rec, t.field.at)
			if err == nil {
				sc.entries[at], sc.texts[at], err = t.Find(b, first)
			}
			if err != nil {
				return fmt.Errorf("record of %s: %w", l.ref, err)
			}
		}
	}
	return nil
}

// grown returns s with length n. Its elements are arbitrary.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
