package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// Catalog is the source of names: the registry. One goroutine at a time uses it.
type Catalog interface {
	// Revision returns a value that changes whenever the result of Load changes. The server calls it about once a
	// second.
	Revision(ctx context.Context) (Revision, error)
	// Load returns the current names.
	Load(ctx context.Context) (Names, error)
}

// Revision identifies a state of a registry.
type Revision struct {
	Registry int64 // changes when another registry replaces this one
	Number   int64 // the registry's own number, which rises with every change
}

// Names resolves names at one registry revision. It is immutable and safe for concurrent use.
type Names interface {
	// Service returns the serving version of a service. It returns ErrNotFound, or ErrNotReady with the command to
	// run.
	Service(name string) (*fstore.FeatureList, error)
	// Model returns the features pinned to a version of a model, given by version or alias. It returns ErrNotFound.
	Model(ref fstore.ModelRef) (*fstore.FeatureList, error)
	// Features returns the list of references such as view.feature, view.*, view.feature=name or view@2.feature.
	// The errors are those of Service, and ErrInvalid.
	Features(refs []string) (*fstore.FeatureList, error)
	// SentColumns returns the names of the key columns and request columns that a request may carry although its features do not
	// need them.
	SentColumns() map[string]bool
	// Live returns the view versions that are kept fresh, without duplicates. Metrics show when they were published.
	Live() []*fstore.ViewVersion
}

// Target is a resolved request: a list of features, prepared for look-ups.
type Target struct {
	List     *fstore.FeatureList
	Keys     []fstore.Field  // the key columns that a request must bring, in name order
	Request  []fstore.Field  // the columns besides that expressions read, in name order
	Also     map[string]bool // the columns that it may bring besides
	prepared *online.Prepared
	cost     *cost    // of a look-up in memory
	kept     sync.Map // see Keep
}

// Column returns a column that the features read and what messages call it, or "".
func (t *Target) Column(name string) (column fstore.Field, kind string) {
	named := func(f fstore.Field) bool { return f.Name == name }
	if i := slices.IndexFunc(t.Keys, named); i >= 0 {
		return t.Keys[i], "key column"
	}
	if i := slices.IndexFunc(t.Request, named); i >= 0 {
		return t.Request[i], "request column"
	}
	return fstore.Field{}, ""
}

// Reads reports whether the features read a column of a request.
func (t *Target) Reads(column string) bool {
	_, kind := t.Column(column)
	return kind != ""
}

// Keep returns a value that a protocol caches with a target, under a key of the protocol's. It calls make once, or a
// few times if calls race.
func (t *Target) Keep(key any, make func(*fstore.FeatureList) any) any {
	if kept, ok := t.kept.Load(key); ok {
		return kept
	}
	kept, _ := t.kept.LoadOrStore(key, make(t.List))
	return kept
}

// bounds of the cache of lists that requests name feature by feature.
const (
	maxLists     = 1024
	maxListBytes = 4 << 20
)

// resolved is the catalog at one revision, with every look-up prepared so far. A new revision starts empty.
type resolved struct {
	revision Revision
	names    Names
	store    *online.Store

	also map[string]bool // the columns that any request may bring

	mu        sync.RWMutex                // guards the rest
	services  map[string]*Target          // there are only as many as the registry has services
	models    map[fstore.ModelRef]*Target // by version and by alias: as many as the registry has of both
	lists     map[string]*Target          // by the references, each ended by a zero byte
	listBytes int
}

// service returns the look-up of a service.
func (r *resolved) service(name string) (*Target, error) {
	return once(r, r.services, name, r.names.Service)
}

// model returns the look-up of a version of a model.
func (r *resolved) model(ref fstore.ModelRef) (*Target, error) {
	return once(r, r.models, ref, r.names.Model)
}

// once returns the look-up of a name. It finds and prepares it the first time, and then caches it in known.
func once[K comparable](r *resolved, known map[K]*Target, name K, find func(K) (*fstore.FeatureList, error)) (*Target, error) {
	r.mu.RLock()
	t := known[name]
	r.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	list, err := find(name)
	if err != nil {
		return nil, err
	}
	if t, err = r.prepare(list); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known[name] = t
	return t, nil
}

// features returns the look-up of a list of references.
func (r *resolved) features(refs []string) (*Target, error) {
	var buf [512]byte
	key := buf[:0]
	for _, ref := range refs {
		key = append(append(key, ref...), 0)
	}
	r.mu.RLock()
	t := r.lists[string(key)]
	r.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	list, err := r.names.Features(refs)
	if err != nil {
		return nil, err
	}
	if t, err = r.prepare(list); err != nil {
		return nil, err
	}
	r.remember(string(key), t)
	return t, nil
}

// remember caches the look-up of a list. If there are too many, it evicts random others.
func (r *resolved) remember(key string, t *Target) {
	if len(key) > maxListBytes/16 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.lists[key]; ok {
		return
	}
	for old := range r.lists {
		if len(r.lists) < maxLists && r.listBytes+len(key) <= maxListBytes {
			break
		}
		delete(r.lists, old)
		r.listBytes -= len(old)
	}
	r.lists[key] = t
	r.listBytes += len(key)
}

func (r *resolved) prepare(list *fstore.FeatureList) (*Target, error) {
	p, err := r.store.Prepare(list)
	if err != nil {
		return nil, err
	}
	t := &Target{List: list, Keys: list.KeyColumns(), Also: r.also, prepared: p, cost: newCost(list)}
	t.Request = slices.DeleteFunc(list.Columns(), func(f fstore.Field) bool { return slices.Contains(t.Keys, f) })
	return t, nil
}

// follower keeps the catalog up to date as the registry changes. If the registry cannot be reached, the last revision
// stays.
type follower struct {
	catalog Catalog
	store   *online.Store
	clock   func() time.Time
	log     *slog.Logger

	loaded func()        // called after each new revision
	polled chan struct{} // closed after the first poll

	current atomic.Pointer[resolved] // nil until one was loaded
	checked atomic.Int64             // when current was last found to be the registry's, in microseconds
	away    error                    // of the last poll; only the polling goroutine uses it
}

// pollTimeout bounds one poll, so that a registry that hangs counts as unreachable.
const pollTimeout = 10 * time.Second

// firstPoll is how long a server waits for its catalog before it answers without one.
const firstPoll = time.Second

// first returns after the first poll of the catalog, successful or not, or when that takes too long.
func (f *follower) first(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstPoll)
	defer cancel()
	select {
	case <-f.polled:
	case <-ctx.Done():
	}
}

// run polls at once and then at every tick until ctx ends.
func (f *follower) run(ctx context.Context, tick <-chan time.Time) {
	f.poll(ctx)
	close(f.polled)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			f.poll(ctx)
		}
	}
}

// Poll looks at the catalog once. It is for programs that do not call Serve.
func (s *Server) Poll(ctx context.Context) { s.follower.poll(ctx) }

// poll adopts a new revision, if there is one. It logs only changes.
func (f *follower) poll(ctx context.Context) {
	pollCtx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	next, err := f.load(pollCtx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if f.away == nil || f.away.Error() != err.Error() {
			f.log.Warn("the registry cannot be read; names stay as they are", "error", err)
		}
		f.away = err
		return
	}
	if f.away != nil {
		f.log.Info("the registry can be read again")
		f.away = nil
	}
	f.checked.Store(fstore.Micros(f.clock()))
	if next != nil {
		if before := f.current.Load(); before != nil && before.revision.Registry != next.revision.Registry {
			f.log.Warn("the registry was replaced by another one", "revision", next.revision.Number, "before", before.revision.Number)
		}
		f.current.Store(next)
		f.loaded()
		f.log.Info("catalog loaded", "revision", next.revision.Number)
	}
}

// load returns the catalog if its revision has changed, and otherwise nil.
func (f *follower) load(ctx context.Context) (next *resolved, err error) {
	defer caught(&err)
	revision, err := f.catalog.Revision(ctx)
	if err != nil {
		return nil, err
	}
	if now := f.current.Load(); now != nil && now.revision == revision {
		return nil, nil
	}
	names, err := f.catalog.Load(ctx)
	if err != nil {
		return nil, err
	}
	return &resolved{
		revision: revision, names: names, store: f.store, also: names.SentColumns(),
		services: map[string]*Target{}, models: map[fstore.ModelRef]*Target{}, lists: map[string]*Target{},
	}, nil
}

// caught turns a panic into an error: in one of the server's own goroutines, a panic would end the process.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}
