package trainset

import (
	"context"
	"sync"

	"github.com/fstore-dev/fstore/offline/lock"
)

// EarlyDigests digests files while the engine reads them, one file at a time. A digest counts only if, at the end, the
// file is still what its stamp says (Stamp.CheckUnchanged): then nothing has written the file in between.
type EarlyDigests struct {
	ctx    context.Context //nolint:containedctx // lives as long as the training set being made
	cancel context.CancelFunc
	read   func(context.Context, string) (*lock.File, error)
	all    sync.WaitGroup
	turn   sync.Mutex // held while a file is read

	mu    sync.Mutex            // guards the field below
	files map[string]*lock.File // by path
}

// Early returns digests that can be started early. The caller closes them.
func (d *Digests) Early(ctx context.Context) *EarlyDigests {
	e := &EarlyDigests{read: d.Of, files: map[string]*lock.File{}}
	e.ctx, e.cancel = context.WithCancel(ctx)
	return e
}

// Close stops the reading and waits until it has stopped.
func (e *EarlyDigests) Close() {
	e.cancel()
	e.all.Wait()
}

// Start begins to digest files, in the background. It leaves out files that were written just before they were stamped:
// their times may not show a change, so they are digested again at the end anyway. Starting nil does nothing.
func (e *EarlyDigests) Start(paths []string, stamps []Stamp) {
	if e == nil {
		return
	}
	e.all.Go(func() {
		e.turn.Lock()
		defer e.turn.Unlock()
		for i, path := range paths {
			if stamps[i].sha256 != "" || e.lookup(path) != nil {
				continue
			}
			f, err := e.read(e.ctx, path)
			if err != nil {
				continue // Of reads the file again and returns the error
			}
			e.mu.Lock()
			e.files[path] = f
			e.mu.Unlock()
		}
	})
}

// Of returns the digest of a file, once everything that was started has ended.
func (e *EarlyDigests) Of(ctx context.Context, path string) (*lock.File, error) {
	e.all.Wait()
	if f := e.lookup(path); f != nil {
		return f, nil
	}
	return e.read(ctx, path)
}

// lookup returns the digest of a file, or nil if there is none yet.
func (e *EarlyDigests) lookup(path string) *lock.File {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.files[path]
}
