package server

import (
	"errors"
	"sync/atomic"
)

// ErrBusy is the answer where as many bytes are in flight as may be.
var ErrBusy = errors.New("as many bytes are in flight as the server may hold")

// Budget bounds bytes that the server holds for all of its callers together.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// Add takes n bytes whether or not they fit, and reports whether they do. A negative n gives bytes back.
func (b *Budget) Add(n int64) (fits bool) { return b.used.Add(n) <= b.limit }

// take takes n bytes if they fit.
func (b *Budget) take(n int64) bool {
	if b.Add(n) {
		return true
	}
	b.Add(-n)
	return false
}

// Hold is what one request has of a budget. It has one owner at a time.
type Hold struct {
	budget *Budget
	n      int64
}

// NewHold returns a hold of nothing of a budget.
func NewHold(of *Budget) Hold { return Hold{budget: of} }

// Busy reports whether more than half of the budget is taken.
func (b *Budget) Busy() bool { return b.used.Load() > b.limit/2 }

// Used returns the bytes taken.
func (b *Budget) Used() int64 { return b.used.Load() }

// To makes the hold n bytes. No hold is larger than three quarters of the budget, so that the largest request can run
// beside small ones. The error is ErrBusy, and then the hold is what it was.
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

// Release gives all of it back.
func (h *Hold) Release() { _ = h.To(0) }
