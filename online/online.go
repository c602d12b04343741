// Package online reads and writes the online store: one packed record per view version, generation and key
// (docs/design/online-store.md).
//
// Store is concrete and deep: it owns the encoding of keys and records, the order of reads and writes, the sharing
// of fetches, freshness, defaults and the kinds of error. A Backend beneath it only moves bytes, so that Redis,
// SQLite and memory cannot disagree; package onlinetest holds every Backend to the same suite.
//
// The store never reads the clock: the instant of a look-up is part of its request.
package online

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore"
)

// KV is a key and the value stored under it.
type KV struct{ Key, Value []byte }

// Guard is a condition of a Commit: the value at Key is Want, byte for byte; a nil Want says that there is none, an empty
// one that it has no bytes.
type Guard struct{ Key, Want []byte }

// Commit is a change that applies as a whole or not at all.
type Commit struct {
	Guards []Guard  // all must hold; none: the change applies in any case
	Set    []KV     // no key twice
	Delete [][]byte // keys that need not exist; none that is also set
}

// Backend moves bytes. It must be safe for concurrent use. Keys and values are any bytes, perhaps none: a value
// that was cut to nothing is not one that is absent.
//
// Its errors are ErrUnavailable where the same call may succeed later (also for a context that is done, whose error
// they then wrap too), ErrInvalid where the settings are wrong, ErrCorrupt where the storage is damaged. They never
// hold a password.
type Backend interface {
	// Get reads the values of keys and of pointers, in the order given, in one round trip: nil for a key that is
	// absent, and for no other. No pointer is read before a record: if a change is committed between the two, the pointers show it.
	// A key may be asked for twice. The caller does not change what is returned; the backend keeps neither argument.
	Get(ctx context.Context, keys, pointers [][]byte) (records, ptrs [][]byte, err error)

	// Commit applies the change if its guards hold, atomically and durably as far as the backend is durable, else
	// it changes nothing and returns ErrConflict. After ErrUnavailable it may or may not have been applied: whoever
	// needs to know reads a guard's key again. It does not keep what it is given.
	Commit(ctx context.Context, c Commit) error

	// Scan calls fn with every key that begins with prefix, in no order, and ends with fn's first error. Keys set or
	// deleted meanwhile may be there or not; the others are there, perhaps more than once. It works in small steps that hold up
	// nobody else; fn may call the backend.
	Scan(ctx context.Context, prefix []byte, fn func(key []byte) error) error

	// Check says whether the backend can be reached and keeps what it is given. Settings that lose data are
	// ErrInvalid, with what to change; where they cannot be read, warning says so and err is nil.
	Check(ctx context.Context) (warning string, err error)

	// Close releases what the backend holds. Nothing is called after it.
	Close() error
}

// Store is the online store of one project. Its methods are safe for concurrent use; its fields are set before
// the first of them is called.
type Store struct {
	Limits  Limits               // of one look-up
	Observe func(*Stats)         // called at the end of every look-up, if set; the Stats are valid until it returns
	Elapsed func() time.Duration // a monotonic clock for Stats.BackendTime; nil leaves it zero

	backend Backend
	project string
	scratch sync.Pool // of *scratch

	mu       sync.Mutex // guards versions
	versions map[fstore.ViewRef]*versionState
}

// versionState is what look-ups of one view version share: the pointer they last saw.
type versionState struct {
	ref        fstore.ViewRef
	pointerKey []byte
	known      atomic.Pointer[knownPointer] // nil: none seen yet
}

// New returns the store of a project in a backend. Two projects in one backend never see each other's data.
func New(b Backend, project string) *Store {
	s := &Store{Limits: DefaultLimits, backend: b, project: project, versions: map[fstore.ViewRef]*versionState{}}
	s.scratch.New = func() any { return new(scratch) }
	return s
}

// ErrUnusable marks what a backend refuses for its own sake: a wrong password, a file that is another program's. No
// request can mend that, so it is not to be taken for a mistake in one, which the backend's own kind, ErrInvalid, is.
var ErrUnusable = errors.New("the online store cannot be used as it is set up")

// Check says whether the store can be used; see Backend.Check.
func (s *Store) Check(ctx context.Context) (warning string, err error) { return s.backend.Check(ctx) }

// Close closes the backend.
func (s *Store) Close() error { return s.backend.Close() }

func (s *Store) version(ref fstore.ViewRef) *versionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.versions[ref]
	if v == nil {
		v = &versionState{ref: ref, pointerKey: s.pointerKey(ref)}
		s.versions[ref] = v
	}
	return v
}

// Limits bound one look-up, so that no request can take the server down. 0 means no limit.
type Limits struct {
	MaxRows        int // rows of keys
	MaxFeatures    int // features of the list
	MaxAnswerBytes int // of the answer, counted as rowBytes says, and what its strings, bytes and lists hold: see fillVariable
}

// DefaultLimits are those of a new Store.
var DefaultLimits = Limits{MaxRows: 10_000, MaxFeatures: 2_000, MaxAnswerBytes: 32 << 20}

// Stats is what one look-up did.
type Stats struct {
	Rows        int             // rows asked for
	Keys        int             // distinct records fetched
	Statuses    [statuses]int   // values by Status
	RoundTrips  int             // calls to the backend: 1 once the pointers are known
	BackendTime time.Duration   // spent in them, if Store.Elapsed is set
	Now         time.Time       // of the request
	Versions    []AnswerVersion // which answered; Now − Published is their age; nil after an error
	Err         error           // what the look-up returned
}
