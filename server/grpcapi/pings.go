package grpcapi

import (
	"net"
	"sync"
	"time"
)

// A gRPC client sends pings, from whose answers it learns how fast the connection is: one after each answer to a call, unless
// a ping is under way. gRPC answers it at once, with a system call of its own. writer keeps such bytes for the next write, so
// that a look-up costs one system call and wakes up its client once.
//
// Clients in Go send the next ping only after the answer to the last one, and recognize it by its payload. They enlarge their
// windows only if they have received 43 kB or more meanwhile. Until that may be so, the answer waits for several writes: with
// small answers a client then sends, and the server reads, about ten pings a second instead of one for each look-up.

const (
	maxKept = 4 << 10               // bytes
	keptFor = 10 * time.Millisecond // if nothing else is written

	// For the pings of clients in Go.
	goKeptFor = 100 * time.Millisecond
	goPassed  = 32 << 10 // bytes that may be written before the answer
)

// goPing is the answer to a ping by which a gRPC client in Go measures: see bdpPing in grpc-go's transport.
const goPing = "\x00\x00\x08\x06\x01\x00\x00\x00\x00\x02\x04\x10\x10\x09\x0e\x07\x07"

// writer writes to a connection. It is safe for concurrent use.
type writer struct {
	conn net.Conn

	mu      sync.Mutex // guards the rest
	kept    []byte
	patient bool // kept is a goPing
	passed  int  // bytes written while kept waits
	within  bool // a frame: its rest comes with the next write
	timer   *time.Timer
	broke   error // of a write that nobody waited for
}

// keep keeps bytes for the next write. It reports false, and has not kept them, if there are too many.
func (w *writer) keep(p []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.kept)+len(p) > maxKept {
		return false
	}
	before := w.patient
	wait := keptFor
	if w.patient = len(w.kept) == 0 && string(p) == goPing; w.patient {
		wait = goKeptFor
	}
	switch {
	case w.timer == nil:
		w.timer = time.AfterFunc(wait, w.flush)
	case len(w.kept) == 0 || before:
		w.timer.Reset(wait)
	}
	w.kept, w.passed = append(w.kept, p...), 0
	return true
}

// flush writes what is kept, once no frame is half written.
func (w *writer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.patient = false; w.within {
		w.timer.Reset(keptFor)
		return
	}
	if len(w.kept) > 0 && w.broke == nil {
		_, w.broke = w.conn.Write(w.kept)
		w.kept = w.kept[:0]
	}
}

// write writes p, and what is kept before it if that need not wait. out follows what is written, and calls sent with each
// frame. Frames may come in pieces: what is kept is written between two frames.
func (w *writer) write(p []byte, out *frames, sent func(frame)) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broke != nil {
		return 0, w.broke
	}
	var n int
	var err error
	if w.passed += len(p); len(w.kept) == 0 || !out.between() || w.patient && w.passed <= goPassed {
		n, err = w.conn.Write(p)
	} else {
		w.timer.Stop()
		n, err = w.conn.Write(append(w.kept, p...))
		n = max(n-len(w.kept), 0)
		w.kept = w.kept[:0]
	}
	out.scan(p[:n], sent)
	w.within = !out.between()
	return n, err
}
