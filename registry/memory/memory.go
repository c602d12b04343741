// Package memory is a registry.Backend in memory, for tests. Its processes are those that a test makes up.
package memory

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Storage is what several backends share, as processes share a file.
type Storage struct {
	writing chan struct{} // holds one while a transaction writes

	mu       sync.Mutex // guards the fields below
	projects map[string]rows
	gone     map[record.Holder]bool
	lastID   int64 // of a training set
}

// rows are the records of a project, by type and key. Once they are in a Storage, they never change.
type rows map[reflect.Type]map[any]record.Record

// New returns an empty storage.
func New() *Storage {
	return &Storage{writing: make(chan struct{}, 1), projects: map[string]rows{}, gone: map[record.Holder]bool{}}
}

// Open returns a backend for a process of that name.
func (s *Storage) Open(process string) *Backend {
	return &Backend{storage: s, process: record.Holder(process), done: make(chan struct{})}
}

// Kill lets a process be gone that holds leases.
func (s *Storage) Kill(process string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone[record.Holder(process)] = true
}

// Backend is a storage as one process opens it.
type Backend struct {
	storage *Storage
	process record.Holder
	done    chan struct{} // closed by Close
	closing sync.Once
}

// Close implements registry.Backend.
func (b *Backend) Close() error {
	b.closing.Do(func() { close(b.done) })
	return nil
}

// usable returns an error if the backend is closed or the context has ended.
func (b *Backend) usable(ctx context.Context) error {
	select {
	case <-b.done:
		return fstore.Errorf(fstore.ErrUnavailable, "the registry is closed")
	default:
		return ctx.Err()
	}
}

// Read implements registry.Backend.
func (b *Backend) Read(ctx context.Context, project string, do func(record.Tx) error) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.storage.mu.Lock()
	t := &tx{storage: b.storage, rows: b.storage.projects[project]}
	b.storage.mu.Unlock()
	return do(t)
}

// Write implements registry.Backend.
func (b *Backend) Write(ctx context.Context, project string, do func(record.Tx) error) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	select {
	case b.storage.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.storage.writing }()
	b.storage.mu.Lock()
	t := &tx{storage: b.storage, rows: rows{}}
	for of, byKey := range b.storage.projects[project] {
		t.rows[of] = maps.Clone(byKey)
	}
	b.storage.mu.Unlock()
	if err := do(t); err != nil {
		return err
	}
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.storage.mu.Lock()
	defer b.storage.mu.Unlock()
	b.storage.projects[project] = t.rows
	return nil
}

// Projects implements registry.Backend.
func (b *Backend) Projects(ctx context.Context) (names []string, err error) {
	b.storage.mu.Lock()
	defer b.storage.mu.Unlock()
	for name, rows := range b.storage.projects {
		if len(rows.of(&record.Project{}))+len(rows.of(&record.TrainingSet{})) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, b.usable(ctx)
}

// Self implements registry.Backend.
func (b *Backend) Self() (record.Holder, error) { return b.process, nil }

// Holder implements registry.Backend.
func (b *Backend) Holder(h record.Holder) (record.HolderState, error) {
	b.storage.mu.Lock()
	defer b.storage.mu.Unlock()
	return record.HolderState{Name: "process " + string(h), Gone: b.storage.gone[h]}, nil
}

// Watcher is a registry.Watcher of a storage.
type Watcher struct {
	backend *Backend
	project string
}

// Watch returns a Watcher of a project.
func (s *Storage) Watch(project string) *Watcher { return &Watcher{s.Open("watcher"), project} }

// Look implements registry.Watcher. There is only ever one storage.
func (w *Watcher) Look(ctx context.Context) (record.Seen, error) {
	var p record.Project
	err := w.Read(ctx, func(tx record.Tx) error {
		_, err := tx.Get(ctx, &p)
		return err
	})
	if err != nil {
		return record.Seen{}, err
	}
	return record.Seen{Storage: 1, Revision: p.Revision}, nil
}

// Read implements registry.Watcher.
func (w *Watcher) Read(ctx context.Context, do func(record.Tx) error) error {
	return w.backend.Read(ctx, w.project, do)
}

// tx implements record.Tx.
type tx struct {
	storage *Storage
	rows    rows
}

// of returns the records of r's type.
func (r rows) of(like record.Record) map[any]record.Record { return r[reflect.TypeOf(like)] }

// assign copies a record into another one of its type.
func assign(to, from record.Record) {
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
}

// Get implements record.Tx.
func (t *tx) Get(ctx context.Context, r record.Record) (bool, error) {
	kept, ok := t.rows.of(r)[r.Key()]
	if ok {
		assign(r, kept)
	}
	return ok, ctx.Err()
}

// List implements record.Tx.
func (t *tx) List(ctx context.Context, like record.Record) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		for _, kept := range slices.SortedFunc(maps.Values(t.rows.of(like)), newestFirst) {
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			r := record.New(like)
			assign(r, kept)
			if !yield(r, nil) {
				return
			}
		}
	}
}

// newestFirst orders commits and training sets.
func newestFirst(a, b record.Record) int {
	id := func(r record.Record) int64 {
		switch r := r.(type) {
		case *record.Commit:
			return r.ID
		case *record.TrainingSet:
			return r.ID
		}
		return 0
	}
	return cmp.Compare(id(b), id(a))
}

// Put implements record.Tx.
func (t *tx) Put(ctx context.Context, r record.Record) error {
	if set, ok := r.(*record.TrainingSet); ok && set.ID == 0 {
		t.storage.mu.Lock()
		t.storage.lastID++
		set.ID = t.storage.lastID
		t.storage.mu.Unlock()
	}
	kept := record.New(r)
	assign(kept, r)
	of := reflect.TypeOf(r)
	if t.rows[of] == nil {
		t.rows[of] = map[any]record.Record{}
	}
	t.rows[of][r.Key()] = kept
	return ctx.Err()
}

// Delete implements record.Tx.
func (t *tx) Delete(ctx context.Context, r record.Record) error {
	delete(t.rows.of(r), r.Key())
	return ctx.Err()
}
