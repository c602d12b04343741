package offline

import (
	"context"
	"sync"

	"github.com/fstore-dev/fstore/offline/lock"
)

// earlyDigests digests files while the engine reads them, one file at a time. A digest counts only if the file is still
// what its stamp says once everything is done (see stamp.unchanged); then nothing has written it in between.
type earlyDigests struct {
	ctx    context.Context //nolint:containedctx // lives as long as the training set being made
	cancel context.CancelFunc
	read   func(context.Context, string) (*lock.File, error)
	all    sync.WaitGroup
	turn   sync.Mutex // held while a file is read

	mu    sync.Mutex            // guards what follows
	files map[string]*lock.File // by path
}

// newEarlyDigests returns none yet. The caller closes it.
func newEarlyDigests(ctx context.Context, d *digests) *earlyDigests {
	e := &earlyDigests{read: d.of, files: map[string]*lock.File{}}
	e.ctx, e.cancel = context.WithCancel(ctx)
	return e
}

// close stops the reading and waits for its end.
func (e *earlyDigests) close() {
	e.cancel()
	e.all.Wait()
}

// start begins to digest files. Those that were written just before are left out: their times may not show a change, so
// that they are digested once more in the end anyway.
func (e *earlyDigests) start(paths []string, stamps []stamp) {
	if e == nil {
		return
	}
	e.all.Go(func() {
		e.turn.Lock()
		defer e.turn.Unlock()
		for i, path := range paths {
			if stamps[i].sha256 != "" || e.have(path) != nil {
				continue
			}
			f, err := e.read(e.ctx, path)
			if err != nil {
				continue // it is read again, by of, which returns the error
			}
			e.mu.Lock()
			e.files[path] = f
			e.mu.Unlock()
		}
	})
}

// of returns the digest of a file, once everything that was started has ended.
func (e *earlyDigests) of(ctx context.Context, path string) (*lock.File, error) {
	e.all.Wait()
	if f := e.have(path); f != nil {
		return f, nil
	}
	return e.read(ctx, path)
}

// have returns the digest of a file if there is one yet, or nil.
func (e *earlyDigests) have(path string) *lock.File {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.files[path]
}
