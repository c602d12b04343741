package servedlog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/fstore-dev/fstore"
)

const (
	batchBytes = 4 << 20   // of the rows of a stream, after which they are written
	heldBytes  = 16 << 20  // of the rows of all streams, after which all are written
	fileBytes  = 256 << 20 // after which a stream ends before its hour does
	maxStreams = 128       // of services and models, of a server at a time
	maxLists   = 128       // streams of other lists of features, at a time: callers make them up
	hashBytes  = 16        // of an HMAC that are kept
)

// writer appends what was served to streams. One goroutine uses it.
type writer struct {
	log     *Log
	streams map[string]*stream // by Plan.id
	files   int                // that were begun
	held    int64              // bytes of the rows that wait
	waiting []*entry           // for more rows to join them, until the next flush
	trouble *trouble
}

func newWriter(l *Log) *writer {
	return &writer{log: l, streams: map[string]*stream{}, trouble: newTrouble(l.options.Logger)}
}

// maxWaiting is how many entries wait for more rows.
const maxWaiting = 256

// take takes over an entry from the queue. It waits for more rows only if it is small, and not while much is queued: what waits
// counts towards the bound of the queue.
func (w *writer) take(e *entry) {
	e.mu.Lock()
	small := e.batch.Len < maxJoined/2 && e.bytes < maxReused/2
	e.mu.Unlock()
	if !small {
		w.add(e)
		return
	}
	if w.waiting = append(w.waiting, e); len(w.waiting) >= maxWaiting || w.log.queued.Load() > queueBytes/4 {
		w.addWaiting()
	}
}

func (w *writer) addWaiting() {
	for i, e := range w.waiting {
		w.add(e)
		w.waiting[i] = nil
	}
	w.waiting = w.waiting[:0]
}

// add adds the rows of an entry to their stream.
func (w *writer) add(e *entry) {
	e.close()
	defer w.log.forget(e)
	s := w.streams[e.plan.id]
	if s == nil {
		if err := w.full(e.plan); err != nil {
			w.fail(e.batch.Len, err)
			return
		}
		s = newStream(e.plan)
		w.streams[e.plan.id] = s
	}
	first := e.plan.firstKept()
	for i := range e.batch.Columns {
		if at := i - first; at >= 0 && at < e.plan.hashed {
			w.hash(&s.batch.Columns[i], &e.batch.Columns[i])
			continue
		}
		addAll(&s.batch.Columns[i], &e.batch.Columns[i])
	}
	s.batch.Len += e.batch.Len
	s.bytes, w.held = s.bytes+e.bytes, w.held+e.bytes
	if s.bytes >= batchBytes {
		w.write(s, w.log.options.Clock())
	}
	if w.held >= heldBytes {
		for _, s := range w.streams {
			w.write(s, w.log.options.Clock())
		}
	}
}

// full returns an error if there is no room for another stream of a plan's kind. Lists that callers make up take no room from
// services and models.
func (w *writer) full(p *Plan) error {
	n := 0
	for _, s := range w.streams {
		if s.plan.named() == p.named() {
			n++
		}
	}
	switch {
	case p.named() && n >= maxStreams:
		return fmt.Errorf("more than %d services and models were asked for within an hour", maxStreams)
	case !p.named() && n >= maxLists:
		return fmt.Errorf("more than %d lists of features without a service or model were asked for within an hour", maxLists)
	}
	return nil
}

// addAll appends all rows of a column.
func addAll(to, from *fstore.Column) {
	if to.Valid == nil && from.Valid == nil && !to.Type.IsList() {
		to.AppendElements(from, 0, from.Len)
		to.Len += from.Len
		return
	}
	for row := range from.Len {
		to.AppendFrom(from, row)
	}
}

// hash appends the hashes of keys: the first 16 bytes of their HMAC-SHA-256, in hex. Keys of the same value have the same hash,
// whichever column and type of integer they come in.
func (w *writer) hash(to, from *fstore.Column) {
	for row := range from.Len {
		if from.IsNull(row) {
			to.AppendNull()
			continue
		}
		to.Strings = append(to.Strings, HashKey(w.log.options.Secret, from, row))
		to.EndRow()
	}
}

// HashKey returns what the log keeps of a key that is hashed: row of a column, which is not null.
func HashKey(secret []byte, c *fstore.Column, row int) string {
	h := hmac.New(sha256.New, secret)
	h.Write(fstore.AppendKey(nil, []*fstore.Column{c}, row))
	return hex.EncodeToString(h.Sum(nil)[:hashBytes])
}

// flush writes what waits, and ends the streams whose hour is over. It reports whether it ended one.
func (w *writer) flush(now time.Time) (ended bool) {
	w.addWaiting()
	for id, s := range w.streams {
		w.write(s, now)
		if s.file == nil && s.batch.Len == 0 {
			delete(w.streams, id)
			continue
		}
		if !hourOf(now).Equal(hourOf(s.begun)) || s.size >= w.fileBytes() {
			w.fail(0, s.end())
			delete(w.streams, id)
			ended = true
		}
	}
	return ended
}

// fileBytes returns how large a stream gets: small enough that the limit of all files can be kept.
func (w *writer) fileBytes() int64 {
	if most := w.log.options.MaxBytes; most > 0 {
		return min(fileBytes, most/8)
	}
	return fileBytes
}

func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// write writes the rows of a stream that wait. Rows that cannot be written are dropped.
func (w *writer) write(s *stream, now time.Time) {
	rows := s.batch.Len
	if rows == 0 {
		return
	}
	defer func() {
		w.held -= s.bytes
		s.clear()
	}()
	if lost := s.follow(); lost > 0 { // somebody has removed its file
		w.log.dropped.Add(lost)
	}
	if s.file == nil {
		if err := s.begin(w.log.options.Path, func() string { return w.nextName(now) }, now); err != nil {
			w.fail(rows, err)
			return
		}
	}
	n, err := s.write()
	if err != nil {
		w.fail(rows, err)
		return
	}
	w.log.rows.Add(int64(rows))
	w.log.bytes.Add(n)
	w.trouble.over(now.Add(-quiet))
}

// nextName returns a name for a file that no server has used.
func (w *writer) nextName(now time.Time) string {
	w.files++
	return fmt.Sprintf("%s-%s-%d", now.UTC().Format(nameTime), w.log.server, w.files)
}

// fail notes an error, and rows that are dropped.
func (w *writer) fail(rows int, err error) {
	if err == nil {
		return
	}
	w.log.dropped.Add(int64(rows))
	w.trouble.fail(w.log.options.Clock(), writing, err)
}

// close writes what waits and ends all streams.
func (w *writer) close() {
	w.addWaiting()
	for _, s := range w.streams {
		w.write(s, w.log.options.Clock())
		w.fail(0, s.end())
	}
	clear(w.streams)
}
