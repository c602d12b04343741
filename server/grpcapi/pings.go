package grpcapi

import (
	"net"
	"sync"
	"time"
)

// After each answer a gRPC client sends a ping, from whose answer it learns how fast the connection is. gRPC answers it at
// once, with a system call of its own. writer keeps such bytes for the next write, so that a look-up costs one system call
// and wakes up its client once.

const (
	maxKept = 4 << 10               // bytes
	keptFor = 10 * time.Millisecond // if nothing else is written
)

// writer writes to a connection. It is safe for concurrent use.
type writer struct {
	conn net.Conn

	mu    sync.Mutex // guards the rest
	kept  []byte
	timer *time.Timer
	broke error // of a write that nobody waited for
}

// keep keeps bytes for the next write. It reports false, and has not kept them, if there are too many.
func (w *writer) keep(p []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.kept)+len(p) > maxKept {
		return false
	}
	switch {
	case w.timer == nil:
		w.timer = time.AfterFunc(keptFor, w.flush)
	case len(w.kept) == 0:
		w.timer.Reset(keptFor)
	}
	w.kept = append(w.kept, p...)
	return true
}

// flush writes what is kept.
func (w *writer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.kept) > 0 && w.broke == nil {
		_, w.broke = w.conn.Write(w.kept)
		w.kept = w.kept[:0]
	}
}

// write writes what is kept and p.
func (w *writer) write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broke != nil {
		return 0, w.broke
	}
	if len(w.kept) == 0 {
		return w.conn.Write(p)
	}
	w.timer.Stop()
	n, err := w.conn.Write(append(w.kept, p...))
	n = max(n-len(w.kept), 0)
	w.kept = w.kept[:0]
	return n, err
}
