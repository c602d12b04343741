// Package servedlog keeps what a server answered: keys, values, statuses, and of which publications they were. So
// what was served can be compared with what models were trained on (docs/served-log.md).
//
// A row of the log is a row of an answer. Each list of features has files of its own, in columns by the names that callers and
// training sets know, because that is what people ask of it in SQL. A server appends to a stream in Arrow's IPC format, which
// holds what was written whatever becomes of the server. Each hour, and when a server starts or ends, streams that nobody
// writes become Parquet files.
//
// The log never holds up an answer. What was served waits in a bounded queue for the goroutine that writes it. What finds the
// queue full, or cannot be written, is dropped and counted.
package servedlog

import (
	"context"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

// Options are what a Log needs. Path and Clock are required.
type Options struct {
	Path     string // folder; the log creates it, for its owner only
	Sample   float64
	By       By
	Keys     Keys
	Secret   []byte           // of hashed keys
	Inputs   Inputs           // whether the columns that on-demand features read are kept
	Keep     time.Duration    // sealed files that are older are deleted; zero: none are
	MaxBytes int64            // beyond which the oldest sealed files are deleted; zero: no limit
	Clock    func() time.Time // of files; the instants of rows are those of the answers
	Logger   *slog.Logger     // default: nothing is logged
	Build    string           // of this server
	Project  string
}

// By says what a sample consists of.
type By string

// The samples. With ByKey, a key is always in or always out, on every server. An answer without keys is sampled by request.
const (
	ByRequest By = "request"
	ByKey     By = "key"
)

// Keys says what the log keeps of keys.
type Keys string

// What may be kept: the values; their HMAC-SHA-256; nothing.
const (
	PlainKeys  Keys = "plain"
	HashedKeys Keys = "hashed"
	NoKeys     Keys = "none"
)

// Inputs says whether the log keeps request columns.
type Inputs bool

// What may be kept of them.
const (
	WithInputs    Inputs = true
	WithoutInputs Inputs = false
)

const (
	queueLength = 4096
	queueBytes  = 32 << 20
	flushEvery  = time.Second
	sweepEvery  = time.Minute // how often the log looks for streams to seal and files to delete
)

// Log takes what was served. Its owner calls Run.
type Log struct {
	options Options
	server  string // names this server's files
	sampler sampler
	queue   chan *entry
	queued  atomic.Int64 // bytes
	number  atomic.Int64 // of the last request

	rows, dropped, bytes, damaged atomic.Int64

	sweeping *trouble
}

// New returns a log. It touches no file before Run.
func New(o Options) *Log {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Log{
		options: o, server: newID(), sampler: newSampler(o.Sample, o.By), queue: make(chan *entry, queueLength), sweeping: newTrouble(o.Logger),
	}
}

// newID returns a random id.
func newID() string {
	var b [8]byte
	for i := range b {
		b[i] = byte(rand.Uint32()) //nolint:gosec // G404: it must only be unlike others
	}
	return hex.EncodeToString(b[:])
}

// Rows returns how many rows were written.
func (l *Log) Rows() int64 { return l.rows.Load() }

// Dropped returns how many rows of the sample were dropped, because too much waited to be written or it could not be written.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// Bytes returns how many bytes were written to streams.
func (l *Log) Bytes() int64 { return l.bytes.Load() }

// Damaged returns how many damaged streams were set aside.
func (l *Log) Damaged() int64 { return l.damaged.Load() }

// Served is an answer and what it answers.
type Served struct {
	At      time.Time       // the instant at which ages were computed
	TraceID string          // of the request; empty: it is not traced
	Columns []fstore.Column // of the request, in any order
	Answer  *answers.Answer // may be released once Add has returned
}

// entry is sampled rows of answers, in the columns of their plan. An entry with few rows stays open for others, because each costs
// the work of all its columns.
type entry struct {
	plan *Plan

	mu     sync.Mutex // guards the rest. An answer only tries to lock it
	closed bool       // the writer has it
	batch  fstore.Batch
	bytes  int64
}

// maxJoined is how many rows of several answers an entry takes.
const maxJoined = 64

// Add queues the rows of an answer that are in the sample. It never waits, and keeps nothing of what it is given.
func (l *Log) Add(p *Plan, s *Served) {
	var picked []int32 // nil: all
	if l.sampler.by == ByKey && len(p.sampled) > 0 {
		scratch := p.scratch.Get().(*scratch)
		defer p.scratch.Put(scratch)
		if picked = l.sampler.byKey(p.sampled, s, scratch); len(picked) == 0 {
			return
		}
	} else if !l.sampler.byChance() {
		return
	}
	rows := s.Answer.Rows
	if picked != nil {
		rows = len(picked)
	}
	if rows == 0 {
		return
	}
	size := p.sizeOf(s, picked, rows)
	if l.queued.Add(size) > queueBytes { // before anything is copied: many answers may be added at a time
		l.queued.Add(-size)
		l.dropped.Add(int64(rows))
		return
	}
	number := l.number.Add(1)
	if open := p.open.Load(); open != nil && open.mu.TryLock() {
		if fits := !open.closed && open.batch.Len+rows <= maxJoined && open.bytes+size <= maxReused; fits {
			p.join(open, s, picked, rows, number)
			open.bytes += size
			open.mu.Unlock()
			return
		}
		open.mu.Unlock()
	}
	e := p.entries.Get().(*entry)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = false
	p.join(e, s, picked, rows, number)
	e.bytes = size
	select {
	case l.queue <- e:
		p.open.Store(e)
	default:
		e.closed = true // an answer may still know it from when it was open before
		l.dropped.Add(int64(rows))
		l.forget(e)
	}
}

// close ends an entry: no answer joins it any longer. The writer waits for one that does at this moment.
func (e *entry) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
}

// forget lets the memory of an entry be used again. Nobody joins it: it is closed, or was never queued.
func (l *Log) forget(e *entry) {
	l.queued.Add(-e.bytes)
	e.plan.reuse(e)
}

// Run writes what was served until ctx ends, and then what waits. It seals streams that nobody writes: those of servers that
// were killed, its own of each hour, and its own at the end.
func (l *Log) Run(ctx context.Context) {
	w := newWriter(l)
	sealing, stop := context.WithCancel(context.Background())
	sweep := make(chan struct{}, 1)
	sweep <- struct{}{}
	var sealer sync.WaitGroup
	sealer.Go(func() {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for sealing.Err() == nil {
			select {
			case <-sweep:
			case <-ticker.C:
			case <-sealing.Done():
				continue
			}
			l.sweep(sealing)
		}
	})
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	for ctx.Err() == nil {
		select {
		case e := <-l.queue:
			w.take(e)
		case <-flush.C:
			if w.flush(l.options.Clock()) {
				select {
				case sweep <- struct{}{}:
				default: // one is due
				}
			}
		case <-ctx.Done():
		}
	}
	for len(l.queue) > 0 {
		w.add(<-l.queue)
	}
	w.close()
	stop()
	sealer.Wait()
	l.sweep(context.Background())
}
