package server

import (
	"errors"
	"sync/atomic"
)

// ErrBusy is the error if the maximum number of bytes is in flight.
var ErrBusy = errors.New("as many bytes are in flight as the server may hold")

// Budget bounds the bytes that the server holds for all callers together.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// Add takes n bytes even if they do not fit, and reports whether they do. A negative n releases bytes.
func (b *Budget) Add(n int64) (fits bool) { return b.used.Add(n) <= b.limit }

// take takes n bytes if they fit.
func (b *Budget) take(n int64) bool {
	if b.Add(n) {
		return true
	}
	b.Add(-n)
	return false
}

// Hold is the part of a budget that one request holds. It has one owner at a time.
type Hold struct {
	budget *Budget
	n      int64
}

// NewHold returns an empty hold.
func NewHold(of *Budget) Hold { return Hold{budget: of} }

// Busy reports whether more than half of the budget is taken.
func (b *Budget) Busy() bool { return b.used.Load() > b.limit/2 }

// Used returns the bytes taken.
func (b *Budget) Used() int64 { return b.used.Load() }

// To resizes the hold to n bytes. A hold is at most three quarters of the budget, so that the largest request can run
// beside small ones. It returns ErrBusy if the bytes do not fit, and leaves the hold unchanged.
func (h *Hold) To(n int64) error {
	n = min(n, h.budget.limit/4*3)
	if n > h.n && !h.budget.take(n-h.n) {
		return ErrBusy
	}
	if n < h.n {
		h.budget.Add(n - h.n)
	}
	h.n = n
	return nil
}

// Grow adds n bytes to the hold, as To does.
func (h *Hold) Grow(n int64) error { return h.To(h.n + n) }

// Release releases all bytes of the hold.
func (h *Hold) Release() { _ = h.To(0) }
