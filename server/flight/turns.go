package flight

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fstore-dev/fstore/server"
)

// turns decides which training set is made next: a limited number at a time, in the order in which they were asked
// for, and one of a name at a time, so that the second of two alike finds what the first has made.
type turns struct {
	runs, queue int

	mu      sync.Mutex // guards the rest
	running []string
	waiting []*waiter
}

type waiter struct {
	name  string
	ready chan struct{} // closed when it may run
}

func newTurns(runs, queue int) *turns { return &turns{runs: runs, queue: queue} }

// retryQueue is when there may be room in the queue.
const retryQueue = 10 * time.Second

// enter waits for the turn of a name, until leave. wait is called if there is one, with how many are before it.
func (t *turns) enter(ctx context.Context, name string, wait func(before int) error) (leave func(), err error) {
	t.mu.Lock()
	leave = func() { t.leave(name) }
	if t.mayRun(name) {
		t.running = append(t.running, name)
		t.mu.Unlock()
		return leave, nil
	}
	if len(t.waiting) >= t.queue {
		defer t.mu.Unlock()
		return nil, server.Full(retryQueue, "%d training sets are being made and %d are waiting, which is the limit (try again later; serve.offline_runs and serve.offline_queue set the limits)",
			len(t.running), len(t.waiting))
	}
	w := &waiter{name: name, ready: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	before := len(t.running) + len(t.waiting) - 1
	t.mu.Unlock()
	if err := wait(before); err != nil {
		t.forget(w)
		return nil, err
	}
	select {
	case <-w.ready:
		return leave, nil
	case <-ctx.Done():
		t.forget(w)
		return nil, ctx.Err()
	}
}

// mayRun reports whether a training set of a name may be made now; one without a name is like no other. t.mu is held.
func (t *turns) mayRun(name string) bool {
	return len(t.running) < t.runs && (name == "" || !slices.Contains(t.running, name))
}

func (t *turns) leave(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = slices.Delete(t.running, slices.Index(t.running, name), slices.Index(t.running, name)+1)
	t.next()
}

// next lets those run whose turn it is. t.mu is held.
func (t *turns) next() {
	t.waiting = slices.DeleteFunc(t.waiting, func(w *waiter) bool {
		if !t.mayRun(w.name) {
			return false
		}
		t.running = append(t.running, w.name)
		close(w.ready)
		return true
	})
}

// forget takes a waiter out of the queue, whose caller is gone. It may have got its turn meanwhile.
func (t *turns) forget(w *waiter) {
	t.mu.Lock()
	i := slices.Index(t.waiting, w)
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 {
		t.leave(w.name)
	}
}
