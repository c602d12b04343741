// Package online reads and writes the online store: one packed record per view version, generation and key
// (docs/design/online-store.md).
//
// Store is concrete and deep. It owns the encoding of keys and records, the order of reads and writes, the sharing of
// fetches, freshness, defaults and the kinds of errors. A Backend only moves bytes, so Redis, SQLite and memory
// cannot disagree. Package onlinetest tests every Backend with the same suite.
//
// The store never reads the clock: a request says at which instant it looks up.
package online

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
	"github.com/fstore-dev/fstore/online/cache"
)

// KV is a key and the value stored under it.
type KV struct{ Key, Value []byte }

// Read is what one call of Backend.Get reads.
type Read struct {
	Keys     [][]byte // of records and fences
	Pointers [][]byte
	Primary  bool // read all from the primary, even if replicas may answer
}

// Probe returns a read of a key and a pointer that never exist. Their names begin like those of real ones, for access rules.
func Probe() Read {
	return Read{Keys: [][]byte{[]byte("f{}")}, Pointers: [][]byte{[]byte("fstore:")}}
}

// PerRead is the number of keys and pointers that Backend.Get reads atomically.
const PerRead = 1000

// Guard is a condition of a Commit: the value at Key equals Want, byte for byte. A nil Want means that there is no
// value, and an empty one that the value is empty.
type Guard struct{ Key, Want []byte }

// Commit is a change that applies atomically.
type Commit struct {
	Guards []Guard  // all must hold; without guards the change always applies
	Set    []KV     // without duplicate keys
	Delete [][]byte // after Set; keys that need not exist
}

// Backend moves bytes. It must be safe for concurrent use. Keys and values are any bytes and may be empty: an empty
// value is not an absent one.
//
// Its errors are ErrUnavailable if the same call may succeed later, ErrInvalid if the settings are wrong, and
// ErrCorrupt if the storage is damaged. If the context is done, the error is ErrUnavailable and wraps the context's
// error too. Errors never contain a password.
type Backend interface {
	// Get reads the values of keys and of pointers, in the given order, in one round trip. It returns nil only for a
	// key that is absent. It reads no pointer before a record: if a change is committed in between, the pointers show
	// it. A read of up to PerRead keys and pointers sees one state of the store. A larger one reads keys in their order,
	// each not before the one ahead of it. Keys may repeat. The caller does not modify the values, and the backend does
	// not keep the arguments.
	//
	// Unless Primary is set, keys may be read from a replica, in one state of it, and the pointers from the primary, in
	// any order. Then ptrs is nil if the primary does not answer.
	Get(ctx context.Context, r Read) (records, ptrs [][]byte, err error)

	// Commit applies the change if its guards hold, atomically, and as durably as the backend can. Otherwise it
	// changes nothing and returns ErrConflict. After ErrUnavailable, the change may or may not have been applied:
	// read a guard's key to find out. It does not keep its argument.
	Commit(ctx context.Context, c Commit) error

	// Replicated returns once a replica has everything that was committed before the call, or a moment later with a
	// warning that none has confirmed it. A store without replicas returns at once, without a warning. If the store has failed
	// over, as far as can be known, calls after it go to the new primary, which may lack what was committed before.
	Replicated(ctx context.Context) (warning string, err error)

	// Scan calls fn with every key that begins with prefix, in no order, and stops at fn's first error. A key may
	// come more than once. Keys set or deleted during the scan may or may not come. Scan works in small steps that do
	// not block others, and fn may call the backend.
	Scan(ctx context.Context, prefix []byte, fn func(key []byte) error) error

	// Check reports whether the backend can be reached and keeps its data. It returns ErrInvalid, with a hint, for
	// settings that lose data, and with ErrLost for data that may be lost already. Warnings are about what does not
	// keep look-ups from being answered: settings that cannot be read, and ErrDegraded.
	Check(ctx context.Context) (warnings []error, err error)

	// Close releases the backend's resources. No method may be called afterwards.
	Close() error
}

// Store is the online store of one project. Its methods are safe for concurrent use. Its fields must be set before
// the first call of a method.
type Store struct {
	Limits  Limits               // for each look-up
	Observe func(*Stats)         // if set, called at the end of every look-up; the Stats are valid until it returns
	Elapsed func() time.Duration // a monotonic clock for Stats.BackendTime and the age of pointers; nil: no pointer serves after the read that saw it

	// Cache, if set together with Elapsed, keeps the records of look-ups, and answers look-ups whose records it has. An answer
	// is then one that the store would have given at most a second before.
	Cache *cache.Cache

	// Begin, if set, is called when a part of a look-up begins, and the function that it returns when that part ends. ctx is
	// the look-up's. size is the number of keys that are read, or of rows that are computed.
	Begin func(ctx context.Context, part Part, size int) (end func(error))

	// WentBack, if set, is called when a look-up sees that the store has lost publications of a view version that the
	// Store had seen: it showed the pointer was and now shows is. Each occurrence is reported once.
	WentBack func(ref fstore.ViewRef, was, is fstore.Pointer)

	backend Backend
	project string
	scratch sync.Pool // of *scratch
	answers sync.Pool // of *answer, all of whose features and versions are zero

	mu       sync.Mutex // guards versions
	versions map[fstore.ViewRef]*versionState
}

// Part is a part of a look-up.
type Part string

// The parts that Store.Begin is told of.
const (
	ReadPart     Part = "store"     // one call to the backend
	OnDemandPart Part = "on-demand" // the computation of on-demand features
)

// begin calls Begin, if it is set.
func (s *Store) begin(ctx context.Context, part Part, size int) (end func(error)) {
	if s.Begin == nil {
		return unobserved
	}
	return s.Begin(ctx, part, size)
}

func unobserved(error) {}

// versionState is shared by all look-ups of a view version: it holds the last pointer they saw.
type versionState struct {
	ref        fstore.ViewRef
	pointerKey []byte
	known      atomic.Pointer[knownPointer] // nil: none seen yet
	seen       atomic.Int64                 // when it was seen, in nanoseconds of Store.Elapsed
	seed       uint64                       // of the cache's hashes, so that the views of one key are apart
}

// New returns the store of a project in a backend. Projects in one backend never see each other's data.
func New(b Backend, project string) *Store {
	s := &Store{Limits: DefaultLimits, backend: b, project: project, versions: map[fstore.ViewRef]*versionState{}}
	s.scratch.New = func() any { return new(scratch) }
	s.answers.New = func() any { return new(answer) }
	return s
}

// ErrUnusable marks an error of the backend's set-up: a wrong password, or a file of another program. No request can
// fix it. It keeps the backend's ErrInvalid from being taken for a mistake in the request.
var ErrUnusable = errors.New("the online store cannot be used as it is set up")

// ErrCrowded marks an ErrUnavailable of a backend that had no free connection for a call. The store itself may be well.
var ErrCrowded = errors.New("more calls than connections")

// ErrLost marks an ErrInvalid of Backend.Check: the store may have lost records, which look-ups would answer as not found.
// It can be written, and materialize can fill it again.
var ErrLost = errors.New("the online store may have lost records")

// ErrFailover marks an ErrUnavailable of a primary that may be replaced, or is being replaced, by a failover.
var ErrFailover = errors.New("the primary may be failing over")

// ErrDegraded marks a warning of Backend.Check: look-ups are answered, but a part of the store has failed already, or would fail
// after a failover. Writes are refused, or a replica cannot be used.
var ErrDegraded = errors.New("the online store is degraded")

// Check reports whether the store can be used; see Backend.Check.
func (s *Store) Check(ctx context.Context) (warnings []error, err error) { return s.backend.Check(ctx) }

// Close closes the backend.
func (s *Store) Close() error { return s.backend.Close() }

func (s *Store) version(ref fstore.ViewRef) *versionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.versions[ref]
	if v == nil {
		v = &versionState{ref: ref, pointerKey: s.pointerKey(ref), seed: maphash.Comparable(seed, ref)}
		s.versions[ref] = v
	}
	return v
}

// Limits bound a look-up, so that no request can take the server down. 0 means no limit.
type Limits struct {
	MaxRows        int // rows of keys
	MaxFeatures    int // features of the list
	MaxAnswerBytes int // of the answer: rowBytes for each row, plus the contents of strings, bytes and lists (see fillVariable)
}

// DefaultLimits are the limits of a new Store.
var DefaultLimits = Limits{MaxRows: 10_000, MaxFeatures: 2_000, MaxAnswerBytes: 32 << 20}

// Pool is the state of a backend's connections to a server.
type Pool struct {
	Open, Idle             int    // connections
	Hits, Misses, Timeouts uint64 // calls that found an idle connection, that opened one, and that waited for one in vain
}

// ViewStats counts the values that a version of a view gave to an answer.
type ViewStats struct {
	Ref    fstore.ViewRef
	Values Counts
}

// Counts is a number of values by Status.
type Counts [answers.Statuses]int

// Stats describes one look-up.
type Stats struct {
	Rows        int             // rows requested
	Keys        int             // distinct records fetched
	Statuses    Counts          // values of all views
	RoundTrips  int             // calls to the backend: 1 once the pointers are known
	Cached      bool            // all records came from the cache, without a round trip
	BackendTime time.Duration   // spent in those calls, if Store.Elapsed is set
	Now         time.Time       // of the request
	Versions    []AnswerVersion // those that answered; Now − Published is their age; nil after an error
	Views       []ViewStats     // what each view gave, on-demand views too, valid until the observer returns; nil after an error
	Err         error           // the error of the look-up
}
